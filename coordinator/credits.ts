import { z } from 'zod';
import type { Amount } from '../core/money.ts';
import type { Address, Hex32, UnixMs } from '../core/primitives.ts';
import { one, type Sql } from './db.ts';
import { writeMeta } from './meta.ts';

/**
 * The life of a credit.
 *
 *   pending ──► matured          when its time has come and nothing holds it
 *      └──────► clawed           its price goes back to the consumer
 */
export type NewCredit = {
  readonly leaseId: Hex32;
  readonly jobId: Hex32;
  readonly consumer: Address;
  readonly owner: Address;
  readonly device: Address;
  readonly amount: Amount;
  /** These two wait in the job's hold until the credit matures. */
  readonly fee: Amount;
  readonly dust: Amount;
};

const KEY = 'matured-to';
const valueRow = z.object({ value: z.string().transform(Number).pipe(z.number().int()) });

/** Up to which time what was due has matured; it stays so until the transaction ends. Others may keep it, too. */
export async function keepMaturedTo(sql: Sql): Promise<UnixMs> {
  return (await one(sql, valueRow, 'SELECT value FROM meta WHERE key = $1 FOR SHARE', [KEY]))?.value ?? 0;
}

/** One at a time matures, holds, releases or claws back, and no report is credited meanwhile. */
export async function lockCredits(sql: Sql): Promise<UnixMs> {
  return (await one(sql, valueRow, 'SELECT value FROM meta WHERE key = $1 FOR UPDATE', [KEY]))?.value ?? 0;
}

export async function addCredits(sql: Sql, credits: readonly NewCredit[], due: UnixMs): Promise<void> {
  if (credits.length === 0) return;
  const rows = credits.map((credit) => ({
    ...{ lease_id: credit.leaseId, job_id: credit.jobId, consumer: credit.consumer, owner: credit.owner },
    ...{ device: credit.device, amount: credit.amount.toString(), fee: credit.fee.toString() },
    dust: credit.dust.toString(),
  }));
  await sql.exec(
    `INSERT INTO credits (lease_id, job_id, consumer, owner, device, amount, fee, dust, matures_at)
     SELECT lease_id, job_id, consumer, owner, device, amount, fee, dust, $2::bigint
     FROM jsonb_to_recordset($1::text::jsonb) AS fresh (lease_id TEXT, job_id TEXT, consumer TEXT, owner TEXT, device TEXT,
       amount NUMERIC, fee NUMERIC, dust NUMERIC)`,
    [JSON.stringify(rows), due],
  );
}

/** Moves all that is due by `now` and not held from pending to matured, with the network's fees, in one transfer. */
export async function mature(sql: Sql, now: UnixMs): Promise<void> {
  const before = await lockCredits(sql);
  // A clock that was set back must not say that what has matured has not.
  const to = Math.max(before, now);
  if ((await matureTo(sql, to, now)) && to > before) await writeMeta(sql, KEY, String(to));
}

async function matureTo(sql: Sql, to: UnixMs, at: UnixMs): Promise<boolean> {
  const moved = await sql.exec(
    `WITH due AS (
       UPDATE credits SET state = 'matured' WHERE state = 'pending' AND matures_at <= $1
         AND NOT EXISTS (SELECT 1 FROM credit_holds WHERE credit_holds.lease_id = credits.lease_id)
       RETURNING lease_id, job_id, owner, amount, fee, dust
     ), transfer AS (
       INSERT INTO transfers (kind, key, at)
       SELECT 'mature', 'mature:' || MIN(lease_id), $2::bigint FROM due HAVING COUNT(*) > 0 RETURNING id
     ), rows AS (
       SELECT 'pending:' || owner AS account, -amount AS amount FROM due
       UNION ALL SELECT 'matured:' || owner, amount FROM due
       UNION ALL SELECT 'hold:' || job_id, -(fee + dust) FROM due
       UNION ALL SELECT 'fees', fee FROM due
       UNION ALL SELECT 'dust', dust FROM due
     )
     INSERT INTO entries (transfer_id, account, amount)
     SELECT id, account, SUM(amount) FROM transfer, rows GROUP BY id, account HAVING SUM(amount) <> 0`,
    [to, at],
  );
  return moved > 0;
}

/** Which pending credits: these leases', or all of a device's. */
export type Chosen = { readonly leaseIds: readonly Hex32[] } | { readonly device: Address };

/** Holds pending credits: they do not mature until they are released, and can still be clawed back. */
export async function holdCredits(sql: Sql, chosen: Chosen, why: string, at: UnixMs): Promise<void> {
  await lockCredits(sql);
  const which = 'device' in chosen ? 'device = $1' : 'lease_id = ANY ($1::text[])';
  await sql.exec(
    `INSERT INTO credit_holds (lease_id, why, at)
     SELECT lease_id, $2, $3::bigint FROM credits WHERE state = 'pending' AND ${which} ON CONFLICT DO NOTHING`,
    ['device' in chosen ? chosen.device : chosen.leaseIds, why.slice(0, 500), at],
  );
}

/** They mature as if they had never been held. */
export async function releaseCredits(sql: Sql, leaseIds: readonly Hex32[], at: UnixMs): Promise<void> {
  const to = await lockCredits(sql);
  await sql.exec('DELETE FROM credit_holds WHERE lease_id = ANY ($1::text[])', [leaseIds]);
  // Whoever looks at the time up to which all has matured must find it so.
  await matureTo(sql, to, at);
}
