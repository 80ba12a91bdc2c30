import { z } from 'zod';
import { findWorkload } from '../core/catalogue.ts';
import { fail } from '../core/errors.ts';
import type { Address, Hex32 } from '../core/primitives.ts';
import type { Bearer } from './access.ts';
import type { Context } from './context.ts';
import { integerColumn, one, type Sql } from './db.ts';
import { HELD } from './leases.ts';

const kept = z.object({ bytes: integerColumn });
const leased = z.object({ workload: z.string() });

/** Who brought which blob, and how much each account may have here. */
export class Uploads {
  readonly #context: Pick<Context, 'db' | 'blobs' | 'options'>;
  /** Bytes on their way, per account. */
  readonly #coming = new Map<Address, number>();

  constructor(context: Pick<Context, 'db' | 'blobs' | 'options'>) {
    this.#context = context;
  }

  /**
   * Stores a new blob for an account. `announced`: its bytes as the sender says; null: unknown. Throws REFUSED when it is larger
   * than the account may send, the account has too much here already, or the content is another, DISK_FULL.
   */
  async store(
    bearer: Bearer,
    sha256: Hex32,
    announced: number | null,
    content: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const { db, blobs, options } = this.#context;
    const { account, role } = bearer;
    const most = role === 'device' ? await this.#outputLimit(account) : blobs.maxBytes;
    const bytes = announced ?? most;
    if (bytes > most) fail('REFUSED', `a blob of yours holds at most ${most} bytes`, { most });
    // Reserved before the books are asked, so that uploads at once cannot pass together.
    this.#reserve(account, bytes);
    try {
      const held = role === 'device' ? await keptByDevice(db, account) : await keptBy(db, account);
      if (held + (this.#coming.get(account) ?? 0) > options.maxAccountBytes) {
        fail('REFUSED', `${account} may keep ${options.maxAccountBytes} bytes here; wait until older ones are removed`);
      }
      await blobs.write(sha256, content, bytes);
      await db.exec('INSERT INTO uploads (account, sha256, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [
        ...[account, sha256, (await blobs.size(sha256)) ?? bytes],
      ]);
    } finally {
      this.#reserve(account, -bytes);
    }
  }

  #reserve(account: Address, bytes: number): void {
    const coming = (this.#coming.get(account) ?? 0) + bytes;
    if (coming === 0) this.#coming.delete(account);
    else this.#coming.set(account, coming);
  }

  /** The largest output that a lease the device holds may have. */
  async #outputLimit(device: Address): Promise<number> {
    const { db, options } = this.#context;
    const rows = await db.query(
      leased,
      `SELECT DISTINCT workload FROM leases JOIN jobs USING (job_id) WHERE device = $1 AND ${HELD}`,
      [device],
    );
    const limits = rows.map((row) => findWorkload(options.catalogue, row.workload)?.limits.maxOutputBytes ?? 0);
    if (limits.length === 0) fail('REFUSED', 'a device uploads only outputs of leases that it holds');
    return Math.max(...limits);
  }
}

export async function keptBy(sql: Sql, account: Address): Promise<number> {
  const row = await one(sql, kept, 'SELECT COALESCE(SUM(bytes), 0) AS bytes FROM uploads WHERE account = $1', [
    account,
  ]);
  return row?.bytes ?? 0;
}

/** Results are the network's, not the device's: only what no result of its has named counts. */
async function keptByDevice(sql: Sql, device: Address): Promise<number> {
  const row = await one(
    sql,
    kept,
    'SELECT COALESCE(SUM(bytes), 0) AS bytes FROM uploads WHERE account = $1 AND NOT named',
    [device],
  );
  return row?.bytes ?? 0;
}

export async function forgetUploads(sql: Sql, removed: readonly Hex32[]): Promise<void> {
  await sql.exec('DELETE FROM uploads WHERE sha256 = ANY ($1::text[])', [removed]);
  await sql.exec('DELETE FROM readers WHERE sha256 = ANY ($1::text[])', [removed]);
}
