import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OwnerKey } from '../../cli/vault/keys.ts';
import { type RestoreOptions, restore } from '../../cli/vault/restore.ts';
import { type Stored, type StoreOptions, store } from '../../cli/vault/store.ts';
import type { Hex32 } from '../../core/primitives.ts';
import { SHAPE_RULE, type ShapeRule } from '../../core/stored-file.ts';
import { FolderPlaces } from './folder-places.ts';

/** Shards of four blocks: a few hundred kilobytes are many groups. */
export const SMALL_SHARDS: ShapeRule = { ...SHAPE_RULE, shardSizes: [4096] };

/** A folder with a consumer, their files, and a network of folders. Close it. */
export async function vaultStage() {
  const root = await mkdtemp(join(tmpdir(), 'idlemesh-vault-'));
  const places = new FolderPlaces(join(root, 'devices'));
  const owner = new OwnerKey(`0x${randomBytes(32).toString('hex')}`);
  const path = join(root, 'notes.txt');
  const output = join(root, 'restored.txt');
  const journals = join(root, 'journals');
  return {
    ...{ root, places, owner, path, output, journals },
    async write(bytes: number): Promise<Buffer> {
      const content = randomBytes(bytes);
      await writeFile(path, content);
      return content;
    },
    store: (more: Partial<StoreOptions> = {}): Promise<Stored> =>
      store({ path, places, owner, journals, now: 7, rule: SMALL_SHARDS, tokensAPlace: 2, ...more }),
    /** The bytes that come back. */
    async restore(fileId: Hex32, more: Partial<RestoreOptions> = {}): Promise<Buffer> {
      const file = await places.find(fileId);
      if (file === null) throw new Error('it is not stored');
      await restore({ places, owner, file, output, overwrite: true, ...more });
      return await readFile(output);
    },
    close: () => rm(root, { recursive: true, force: true }),
  };
}
