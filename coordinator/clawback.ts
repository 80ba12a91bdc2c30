import { z } from 'zod';
import { type Amount, sum } from '../core/money.ts';
import {
  type Address,
  address,
  type Hex32,
  hex32,
  signature as signatureSchema,
  type UnixMs,
} from '../core/primitives.ts';
import { type ClawedItem, clawBackHash, clawedHash, type Struct } from '../core/typed-data.ts';
import { type ClawBack, clawBackItems, clawBackValue, encodeWire } from '../core/wire.ts';
import { lockCredits } from './credits.ts';
import { amountColumn, one, type Sql } from './db.ts';
import { groupBy } from './group-by.ts';
import { account, type Entry, postAll, type Transfer } from './ledger.ts';
import type { Signer } from './signing.ts';

const takenRow = z.object({
  lease_id: hex32,
  job_id: hex32,
  owner: address,
  consumer: address,
  amount: amountColumn,
  /** What waits in the job's hold. */
  held: amountColumn,
  /** What the account of pending credits has of it. */
  pending: amountColumn,
  by_checks: z.boolean(),
});
type Taken = z.output<typeof takenRow>;

const CHOSEN = 'lease_id = ANY ($1::text[])';

/**
 * Takes back what is not mature of these leases, credited or still to be reported, and gives its whole price to who paid it.
 * Each owner gets a signed record of what and why. What is mature, was clawed back before or was never accepted stays as it is, so
 * the same call again changes nothing. Answers the new records.
 */
export async function clawBack(
  sql: Sql,
  signer: Signer,
  leaseIds: readonly Hex32[],
  why: string,
  at: UnixMs,
): Promise<readonly ClawBack[]> {
  const reason = why.slice(0, 200);
  await lockCredits(sql);
  await sql.exec(
    `SELECT 1 FROM jobs WHERE job_id IN (SELECT job_id FROM leases WHERE ${CHOSEN}) ORDER BY job_id FOR UPDATE`,
    [leaseIds],
  );
  const credited = await sql.query(
    takenRow,
    `UPDATE credits SET state = 'clawed' WHERE state = 'pending' AND ${CHOSEN}
     RETURNING lease_id, job_id, owner, consumer, amount::text, (fee + dust)::text AS held, amount::text AS pending, by_checks`,
    [leaseIds],
  );
  await sql.exec(`DELETE FROM credit_holds WHERE ${CHOSEN}`, [leaseIds]);
  // Its report comes too late: the verdict is another one now.
  const unreported = await sql.query(
    takenRow,
    `UPDATE leases SET state = 'rejected', why = $2 FROM jobs
     WHERE jobs.job_id = leases.job_id AND leases.state = 'accepted' AND report_hash IS NULL AND leases.${CHOSEN}
     RETURNING lease_id, leases.job_id, owner, consumer, pay::text AS amount, price::text AS held, '0' AS pending,
       COALESCE((SELECT by_checks FROM accruals WHERE accruals.lease_id = leases.lease_id), FALSE) AS by_checks`,
    [leaseIds, reason],
  );
  const taken = [...credited, ...unreported];
  if (taken.length === 0) return [];
  const records: ClawBack[] = [];
  const transfers: Transfer[] = [];
  for (const [owner, own] of groupBy(taken, (one) => one.owner)) {
    const items: readonly ClawedItem[] = own.map((one) => ({ leaseId: one.lease_id, amount: one.amount }));
    const value: Struct<'ClawBack'> = {
      ...{
        owner,
        itemsHash: clawedHash(items),
        itemCount: items.length,
        total: sum(items.map(({ amount }) => amount)),
      },
      ...{ why: reason, issuedAt: at },
    };
    const hash = clawBackHash(value);
    const signature = await signer.sign('ClawBack', value);
    await sql.exec(
      'INSERT INTO clawbacks (clawback_hash, owner, value, signature, items, at, total) VALUES ($1, $2, $3, $4, $5, $6, $7)',
      [hash, owner, encodeWire(value), signature, encodeWire(items), at, value.total.toString()],
    );
    records.push({ value, signature, items: [...items] });
    transfers.push({ kind: 'clawback', key: `clawback:${hash}`, at, entries: refund(owner, own) });
  }
  await postAll(sql, transfers);
  await uncharge(sql, taken);
  await sql.exec(
    `WITH gone AS (DELETE FROM accruals WHERE ${CHOSEN} RETURNING device, lane, amount)
     INSERT INTO lane_cuts (device, lane, counted, released)
     SELECT device, lane, 0, SUM(amount) FROM gone GROUP BY device, lane
     ON CONFLICT (device, lane) DO UPDATE SET released = lane_cuts.released + EXCLUDED.released`,
    [taken.map(({ lease_id }) => lease_id)],
  );
  return records;
}

function refund(owner: Address, taken: readonly Taken[]): readonly Entry[] {
  const totals = new Map<string, Amount>();
  const add = (name: string, amount: Amount) => totals.set(name, (totals.get(name) ?? 0n) + amount);
  for (const one of taken) {
    add(account.pending(owner), -one.pending);
    add(account.hold(one.job_id), -one.held);
    add(one.by_checks ? account.checks : account.deposit(one.consumer), one.pending + one.held);
  }
  return [...totals].map(([name, amount]) => ({ account: name, amount }));
}

async function uncharge(sql: Sql, taken: readonly Taken[]): Promise<void> {
  const own = taken.filter(({ by_checks }) => !by_checks);
  const rows = [...groupBy(own, (one) => one.job_id)].map(([jobId, copies]) => ({
    job_id: jobId,
    back: sum(copies.map(({ pending, held }) => pending + held)).toString(),
  }));
  await sql.exec(
    `UPDATE jobs SET charged = charged - given.back, rev = rev + 1
     FROM jsonb_to_recordset($1::text::jsonb) AS given (job_id TEXT, back NUMERIC) WHERE jobs.job_id = given.job_id`,
    [JSON.stringify(rows)],
  );
}

const parsed = <T extends z.ZodType>(schema: T) =>
  z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(schema);
const recordRow = z.object({
  value: parsed(clawBackValue),
  signature: signatureSchema,
  items: parsed(clawBackItems),
});

const totalRow = z.object({ total: amountColumn });

export async function clawedBackOf(sql: Sql, owner: Address): Promise<Amount> {
  const row = await one(
    sql,
    totalRow,
    'SELECT COALESCE(SUM(total), 0)::text AS total FROM clawbacks WHERE owner = $1',
    [owner],
  );
  return row?.total ?? 0n;
}

/** What was taken back from an owner and why, newest first. */
export const clawBacksOf = (sql: Sql, owner: Address, most: number): Promise<readonly ClawBack[]> =>
  sql.query(
    recordRow,
    'SELECT value, signature, items FROM clawbacks WHERE owner = $1 ORDER BY at DESC, clawback_hash LIMIT $2',
    [owner, most],
  );
