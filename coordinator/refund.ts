import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { type Amount, sum } from '../core/money.ts';
import { type Hex32, hex32, type UnixMs } from '../core/primitives.ts';
import { clawBack } from './clawback.ts';
import { lockCredits } from './credits.ts';
import type { Sql } from './db.ts';
import { findJob, isOver } from './jobs.ts';
import { account, balanceOf, move, post } from './ledger.ts';
import type { Signer } from './signing.ts';

const leaseRow = z.object({ lease_id: hex32 });

/**
 * Gives a job's price back to its consumer: what is not mature is clawed back from the providers, and the rest, which is theirs for
 * good, comes out of the network's fees. A job that has had it back gets nothing again. Throws NOT_FOUND, CONFLICT for a job that
 * is open, and INSUFFICIENT_FUNDS when the fees do not hold as much; the caller's transaction then rolls all of it back.
 */
export async function refundJob(
  sql: Sql,
  signer: Signer,
  jobId: Hex32,
  why: string,
  at: UnixMs,
): Promise<{ readonly clawedBack: Amount; readonly fromFees: Amount }> {
  // Before the job and its accounts, as whoever moves credits does: nothing matures meanwhile.
  await lockCredits(sql);
  const before = (await findJob(sql, jobId)) ?? fail('NOT_FOUND', 'there is no such job', { jobId });
  if (!isOver(before)) fail('CONFLICT', 'the job is open: its consumer can cancel it', { jobId });
  const leases = await sql.query(leaseRow, `SELECT lease_id FROM leases WHERE job_id = $1 AND state = 'accepted'`, [
    jobId,
  ]);
  const records = await clawBack(
    sql,
    signer,
    leases.map(({ lease_id }) => lease_id),
    why,
    at,
  );
  const job = (await findJob(sql, jobId)) ?? fail('INTERNAL', 'a job that was there is gone');
  const rest = job.charged ?? 0n;
  const clawedBack = (before.charged ?? 0n) - rest;
  if (rest > 0n) {
    const fees = await balanceOf(sql, account.fees);
    if (fees < rest) {
      const mature = records.length === 0 ? 'its credits are' : 'some of its credits are';
      fail(
        'INSUFFICIENT_FUNDS',
        `${mature} mature, so ${rest} would have to come out of the network's fees, which hold ${fees}; nothing was changed`,
        { needed: rest.toString(), available: fees.toString(), unclaimed: sum([clawedBack]).toString() },
      );
    }
    await post(sql, {
      ...{ kind: 'refund', key: `refund-from-fees:${jobId}`, at },
      entries: move(account.fees, account.deposit(job.consumer), rest),
    });
    await sql.exec('UPDATE jobs SET charged = 0, rev = rev + 1 WHERE job_id = $1', [jobId]);
  }
  return { clawedBack, fromFees: rest };
}
