import { z } from 'zod';
import type { Amount } from '../core/money.ts';
import type { Address, Hex32, Lane, UnixMs } from '../core/primitives.ts';
import { one, type Sql } from './db.ts';
import { writeMeta } from './meta.ts';
import type { Terms } from './terms.ts';

/**
 * The life of a credit.
 *
 *   pending ──► matured          when its time has come and nothing holds it
 *      └──────► clawed           its price goes back to who paid it
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
  /** The part of the fee that pays for checks. */
  readonly checks: Amount;
  /** Paid by the network, and not by the consumer. */
  readonly byChecks: boolean;
  /** null: it counts in no lane. */
  readonly lane: Lane | null;
  readonly terms: Terms;
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

export async function addCredits(sql: Sql, credits: readonly NewCredit[]): Promise<void> {
  if (credits.length === 0) return;
  const rows = credits.map(({ terms, ...credit }) => ({
    ...{ lease_id: credit.leaseId, job_id: credit.jobId, consumer: credit.consumer, owner: credit.owner },
    ...{ device: credit.device, amount: credit.amount.toString(), fee: credit.fee.toString() },
    ...{
      dust: credit.dust.toString(),
      checks: credit.checks.toString(),
      by_checks: credit.byChecks,
      lane: credit.lane,
    },
    ...{ matures_at: terms.maturesAt, early_at: terms.earlyAt, needs: terms.needs },
  }));
  await sql.exec(
    `INSERT INTO credits (lease_id, job_id, consumer, owner, device, amount, fee, dust, checks, by_checks, lane, matures_at,
       early_at, needs)
     SELECT lease_id, job_id, consumer, owner, device, amount, fee, dust, checks, by_checks, lane, matures_at, early_at, needs
     FROM jsonb_to_recordset($1::text::jsonb) AS fresh (lease_id TEXT, job_id TEXT, consumer TEXT, owner TEXT, device TEXT,
       amount NUMERIC, fee NUMERIC, dust NUMERIC, checks NUMERIC, by_checks BOOLEAN, lane TEXT, matures_at BIGINT,
       early_at BIGINT, needs BIGINT)`,
    [JSON.stringify(rows)],
  );
}

/** Moves all that is due by `now` and not held from pending to matured, with the network's fees, in one transfer. */
export async function mature(sql: Sql, now: UnixMs): Promise<void> {
  const before = await lockCredits(sql);
  // A clock that was set back must not say that what has matured has not.
  const to = Math.max(before, now);
  await holdSuspects(sql, now);
  await sql.exec(
    `INSERT INTO lane_cuts (device, lane, counted)
     SELECT device, lane, latest FROM lanes LEFT JOIN lane_cuts USING (device, lane) WHERE counted IS DISTINCT FROM latest
     ON CONFLICT (device, lane) DO UPDATE SET counted = GREATEST(lane_cuts.counted, EXCLUDED.counted)`,
  );
  if ((await matureTo(sql, to, now)) && to > before) await writeMeta(sql, KEY, String(to));
}

async function matureTo(sql: Sql, to: UnixMs, at: UnixMs): Promise<boolean> {
  const moved = await sql.exec(
    `WITH ripe AS MATERIALIZED (
       SELECT lease_id FROM credits WHERE state = 'pending' AND matures_at <= $1
       UNION
       SELECT lease_id FROM lane_cuts JOIN credits USING (device, lane)
       WHERE state = 'pending' AND needs <= counted AND early_at <= $1
     ), due AS (
       UPDATE credits SET state = 'matured' FROM ripe WHERE credits.lease_id = ripe.lease_id
         AND NOT EXISTS (SELECT 1 FROM credit_holds WHERE credit_holds.lease_id = credits.lease_id)
       RETURNING credits.lease_id, job_id, owner, device, lane, amount, fee, dust, checks
     ), dropped AS (
       DELETE FROM accruals USING due WHERE accruals.lease_id = due.lease_id
     ), released AS (
       UPDATE lane_cuts SET released = released + gone.amount
       FROM (SELECT device, lane, SUM(amount) AS amount FROM due WHERE lane IS NOT NULL GROUP BY device, lane) AS gone
       WHERE lane_cuts.device = gone.device AND lane_cuts.lane = gone.lane
     ), transfer AS (
       INSERT INTO transfers (kind, key, at)
       SELECT 'mature', 'mature:' || MIN(lease_id), $2::bigint FROM due HAVING COUNT(*) > 0 RETURNING id
     ), rows AS (
       SELECT 'pending:' || owner AS account, -amount AS amount FROM due
       UNION ALL SELECT 'matured:' || owner, amount FROM due
       UNION ALL SELECT 'hold:' || job_id, -(fee + dust) FROM due
       UNION ALL SELECT 'fees', fee - checks FROM due
       UNION ALL SELECT 'checks', checks FROM due
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
     SELECT lease_id, $2, $3::bigint FROM credits WHERE state = 'pending' AND ${which}
     ON CONFLICT (lease_id) DO UPDATE SET why = EXCLUDED.why, at = EXCLUDED.at`,
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

const BY_LANE = 'a result of the lane was wrong: ';

/** Holds what is credited in lanes under suspicion; what was credited since, too. The caller has locked the credits. */
export async function holdSuspects(sql: Sql, at: UnixMs): Promise<void> {
  await sql.exec(
    `INSERT INTO credit_holds (lease_id, why, at)
     SELECT lease_id, '${BY_LANE}' || suspicion, $1::bigint FROM lanes JOIN credits USING (device, lane)
     WHERE suspicion IS NOT NULL AND credits.state = 'pending' ON CONFLICT DO NOTHING`,
    [at],
  );
}

/** The suspicion was unfounded, or of one result alone; who is held for another reason stays so. The caller has locked the credits. */
export async function releaseLane(sql: Sql, suspicion: string, maturedTo: UnixMs, at: UnixMs): Promise<void> {
  await sql.exec('DELETE FROM credit_holds WHERE why = $1', [`${BY_LANE}${suspicion}`]);
  await matureTo(sql, maturedTo, at);
}
