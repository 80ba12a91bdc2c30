import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { Db } from '../../coordinator/db.ts';
import { standingsOf } from '../../coordinator/storage/standings.ts';
import { parseTokens } from '../../core/money.ts';
import type { Hex32 } from '../../core/primitives.ts';
import { storageCost } from '../../core/storage-terms.ts';
import { HOUR, type Keeper, StorageWorld } from './storage-world.ts';
import { openTestDb } from './store.ts';

export const GIB = 2 ** 30;
export const DAY = 24 * HOUR;
export const PLACE = 2_048;
export const PRICE = parseTokens('1000000');
export const cost = (ms: number) => storageCost(PRICE, PLACE, ms);
export const quarter = (amount: bigint) => (amount * 25n) / 100n;

/** One database for the tests of a file, and worlds in it. */
export function storageBooks() {
  let dir: string;
  let db: Db;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'idlemesh-agreements-'));
    db = await openTestDb(dir);
  });
  afterAll(async () => {
    await db.close();
    await rm(dir, { recursive: true, force: true });
  });

  /** A network of its own: nobody of an earlier test lends room any more. */
  async function world(devices = 6, options: ConstructorParameters<typeof StorageWorld>[1] = {}) {
    await db.exec('UPDATE storage_devices SET lent_bytes = NULL');
    await db.exec(`UPDATE agreements SET state = 'ended', audit_id = NULL WHERE state IN ('open', 'sealed')`);
    await db.exec('UPDATE stored_files SET ended_at = 1 WHERE ended_at IS NULL');
    await db.exec(`DELETE FROM meta WHERE key = 'storage-watched'`);
    const fresh = new StorageWorld(db, { price: PRICE, ...options });
    for (let at = 0; at < devices; at++) await fresh.keeper(GIB);
    return { world: fresh, consumer: await fresh.consumer(parseTokens('1000000')) };
  }
  const keeperOf = ({ keepers }: StorageWorld, device: Hex32 | string): Keeper => {
    const found = keepers.find(({ key }) => key.address === device);
    if (found === undefined) throw new Error('no such keeper');
    return found;
  };
  const standing = async ({ now }: StorageWorld, { key }: Keeper) =>
    (await standingsOf(db, [key.address], now)).get(key.address);

  return { world, keeperOf, standing, db: () => db };
}
