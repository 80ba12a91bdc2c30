import { randomBytes } from 'node:crypto';
import type { Db } from '../../../coordinator/db.ts';
import { account, move, post, postAll } from '../../../coordinator/ledger.ts';
import type { Address, Hex32 } from '../../../core/primitives.ts';
import { PRICE, WORKLOAD } from '../../support/network.ts';

const PIECE = 2_000;

/** Orders of one consumer, each with its hold in the books. */
export async function insertJobs(db: Db, consumer: Address, count: number): Promise<void> {
  const total = PRICE * BigInt(count);
  await post(db, {
    ...{ kind: 'deposit', key: `deposit ${consumer}`, at: 1 },
    entries: move(account.external, account.deposit(consumer), total),
  });
  for (let from = 0; from < count; from += PIECE) {
    const ids = Array.from(
      { length: Math.min(PIECE, count - from) },
      (): Hex32 => `0x${randomBytes(32).toString('hex')}`,
    );
    await db.tx(async (sql) => {
      await sql.exec(
        `WITH queued AS (
           INSERT INTO queue (job_id, consumer, kind, priority, created_at)
           SELECT id, $2, $3 || ' ' || $4 || ' cpu', 0, $6 FROM jsonb_array_elements_text($1::text::jsonb) AS id
         )
         INSERT INTO jobs (job_id, consumer, workload, version, image, lane, params, input_hash, input_bytes, price, hold,
           replicas, state, created_at, pay)
         SELECT id, $2, $3, '1.0.0', $4, 'cpu', '{}', id, 1, $5::numeric, $5::numeric, 0, 'queued', $6, $5::numeric
         FROM jsonb_array_elements_text($1::text::jsonb) AS id`,
        [JSON.stringify(ids), consumer, WORKLOAD.id, WORKLOAD.image, PRICE.toString(), Date.now()],
      );
      await postAll(
        sql,
        ids.map((id) => ({
          ...{ kind: 'hold', key: `hold:${id}`, at: 1 },
          entries: move(account.deposit(consumer), account.hold(id), PRICE),
        })),
      );
    });
  }
}
