import { z } from 'zod';
import type { Amount } from '../core/money.ts';
import type { Address, Hex32, UnixMs } from '../core/primitives.ts';
import { amountColumn, one, type Sql } from './db.ts';
import { account, balanceOf, move, post, postAll, type Transfer } from './ledger.ts';

/** Copies that the network wants for itself are paid out of `checks`, into the hold of their job, before they go out. */

export type Want = { readonly jobId: Hex32; readonly missing: Amount; readonly checksHold: Amount };

const balanceRow = z.object({ balance: amountColumn });

/**
 * Puts into each job's hold what is missing there, as far as `checks` has it; who comes too late is written down and asks again
 * (`underfunded`). Answers the jobs that got it. Nothing of a job is paid in part.
 */
export async function fundCopies(sql: Sql, wants: readonly Want[], at: UnixMs): Promise<ReadonlySet<Hex32>> {
  if (wants.length === 0) return new Set();
  const row = await one(sql, balanceRow, 'SELECT balance::text FROM accounts WHERE account = $1 FOR UPDATE', [
    account.checks,
  ]);
  let left = row?.balance ?? 0n;
  const funded = wants.filter(({ missing }) => {
    if (missing > left) return false;
    left -= missing;
    return true;
  });
  await postAll(
    sql,
    funded.map(
      ({ jobId, missing, checksHold }): Transfer => ({
        ...{ kind: 'hold', key: `checks:${jobId}:${checksHold + missing}`, at },
        entries: move(account.checks, account.hold(jobId), missing),
      }),
    ),
  );
  const ids = funded.map(({ jobId }) => jobId);
  await sql.exec(
    `UPDATE jobs SET checks_hold = jobs.checks_hold + given.amount
     FROM unnest($1::text[], $2::numeric[]) AS given (job_id, amount) WHERE jobs.job_id = given.job_id`,
    [ids, funded.map(({ missing }) => missing.toString())],
  );
  await sql.exec('DELETE FROM underfunded WHERE job_id = ANY ($1::text[])', [ids]);
  const got = new Set(ids);
  const late = wants.filter(({ jobId }) => !got.has(jobId)).map(({ jobId }) => jobId);
  await sql.exec('INSERT INTO underfunded (job_id) SELECT unnest($1::text[]) ORDER BY 1 ON CONFLICT DO NOTHING', [
    late,
  ]);
  return got;
}

/** What the network has funded for its own address is for checks, all of it. */
export async function topUp(sql: Sql, network: Address, at: UnixMs): Promise<void> {
  const deposit = account.deposit(network);
  const there = await one(sql, balanceRow, 'SELECT balance::text FROM accounts WHERE account = $1 FOR UPDATE', [
    deposit,
  ]);
  const amount = there?.balance ?? 0n;
  if (amount === 0n) return;
  await post(sql, {
    kind: 'checks',
    key: `checks:${at}:${amount}`,
    at,
    entries: move(deposit, account.checks, amount),
  });
}

/** Whether jobs wait that cannot be paid. */
export const isShort = async (sql: Sql): Promise<boolean> =>
  (await one(sql, waitingRow, 'SELECT job_id FROM underfunded LIMIT 1')) !== null;

const waitingRow = z.object({ job_id: z.string().transform((text) => text as Hex32) });
const MOST = 200;

/** Jobs whose copies can be paid now, perhaps; those that are over meanwhile are forgotten. */
export async function fundableJobs(sql: Sql): Promise<readonly Hex32[]> {
  await sql.exec(
    `DELETE FROM underfunded USING jobs WHERE jobs.job_id = underfunded.job_id AND jobs.state IN ('done', 'failed')`,
  );
  if ((await balanceOf(sql, account.checks)) === 0n) return [];
  const rows = await sql.query(waitingRow, 'SELECT job_id FROM underfunded ORDER BY job_id LIMIT $1', [MOST]);
  return rows.map((row) => row.job_id);
}
