import type { Address, Hex32, Signature, UnixMs } from '../core/primitives.ts';
import type { Struct } from '../core/typed-data.ts';
import type { CoordinatorMessage, Verdict } from '../core/wire.ts';
import type { Sql } from './db.ts';
import {
  copiesOf,
  finishLease,
  type Job,
  judgeLease,
  type LeaseRow,
  leasesOf,
  lockJob,
  loseLease,
  raiseProgress,
  showJob,
} from './jobs.ts';
import { account, move, post } from './ledger.ts';
import { decideJob, type JobDecision, type Loss } from './verify.ts';

/** What a transaction leaves to be told after it is committed; told before, a crash would make it a lie. */
export type Effects = {
  readonly messages: { readonly device: Address; readonly message: CoordinatorMessage }[];
  readonly jobs: Set<Hex32>;
};

export const noEffects = (): Effects => ({ messages: [], jobs: new Set() });

export type SettleRules = { readonly maxAttempts: number };

export const verdictOf = (lease: Pick<LeaseRow, 'lease_id' | 'state' | 'why'>, price: bigint): Verdict | null => {
  if (lease.state === 'accepted') return { leaseId: lease.lease_id, kind: 'accepted', amount: price };
  if (lease.state === 'rejected') return { leaseId: lease.lease_id, kind: 'rejected', reason: lease.why ?? 'rejected' };
  return null;
};

/** Stores a checked result of a held lease and decides its job anew. */
export async function settleResult(
  sql: Sql,
  jobId: Hex32,
  value: Struct<'Result'>,
  signature: Signature,
  rules: SettleRules,
  at: UnixMs,
): Promise<Effects> {
  const effects = noEffects();
  const job = await lockJob(sql, jobId);
  await finishLease(sql, value, signature);
  effects.messages.push({ device: value.device, message: { type: 'result-stored', leaseId: value.leaseId } });
  await decide(sql, job, rules, at, effects);
  return effects;
}

/** Ends a held lease that will bring no result and decides its job anew. */
export async function settleLoss(
  sql: Sql,
  lease: LeaseRow,
  why: string,
  loss: Loss,
  rules: SettleRules,
  at: UnixMs,
): Promise<Effects> {
  const effects = noEffects();
  const job = await lockJob(sql, lease.job_id);
  if (await loseLease(sql, lease.lease_id, why, loss)) await decide(sql, job, rules, at, effects);
  return effects;
}

/** Progress of one lease, shown as the mean over the copies the job needs. */
export async function settleProgress(
  sql: Sql,
  lease: LeaseRow,
  progress: number,
  rules: SettleRules,
  at: UnixMs,
): Promise<Effects> {
  const effects = noEffects();
  const job = await lockJob(sql, lease.job_id);
  if (await raiseProgress(sql, lease.lease_id, lease.device, progress)) await decide(sql, job, rules, at, effects);
  return effects;
}

/** Takes the decision that the job's leases call for, books it, and shows it. The job must be locked. */
export async function decide(sql: Sql, job: Job, rules: SettleRules, at: UnixMs, effects: Effects): Promise<void> {
  if (job.state === 'done' || job.state === 'failed') return;
  const leases = await leasesOf(sql, job.job_id);
  const decision = decideJob(copiesOf(leases), job.replicas, rules.maxAttempts);
  effects.jobs.add(job.job_id);

  if (decision.kind === 'open') {
    const live = leases.filter((lease) => lease.state === 'held' || lease.state === 'finished');
    const state = live.some((lease) => lease.state === 'finished')
      ? 'verifying'
      : live.length > 0
        ? 'running'
        : 'queued';
    const progress = live.reduce((total, lease) => total + lease.progress, 0) / Math.max(live.length, job.replicas + 1);
    await showJob(sql, job.job_id, { ...job, state, progress });
    return;
  }
  await conclude(sql, job, leases, decision, at, effects);
}

/** Ends a job that nobody did: its hold goes back. Changes nothing while a copy is under way or waits for another to agree. */
export async function settleAge(sql: Sql, jobId: Hex32, at: UnixMs): Promise<Effects> {
  const effects = noEffects();
  const job = await lockJob(sql, jobId);
  const leases = await leasesOf(sql, jobId);
  const over = job.state === 'done' || job.state === 'failed';
  if (over || leases.some(({ state }) => state === 'held' || state === 'finished')) return effects;
  const failed = { kind: 'failed', why: 'no device could do it for too long', rejected: [], cancelled: [] } as const;
  effects.jobs.add(jobId);
  await conclude(sql, job, leases, failed, at, effects);
  return effects;
}

/** Judges every copy, books what the job cost, and shows its end. */
async function conclude(
  sql: Sql,
  job: Job,
  leases: readonly LeaseRow[],
  decision: Exclude<JobDecision, { kind: 'open' }>,
  at: UnixMs,
  effects: Effects,
): Promise<void> {
  const rejection =
    decision.kind === 'failed' ? decision.why : 'the output differs from what two other devices computed';
  const accepted: readonly Hex32[] = decision.kind === 'settled' ? decision.accepted : [];
  for (const lease of leases) {
    const { lease_id: leaseId, device } = lease;
    if (accepted.includes(leaseId)) {
      await judgeLease(sql, leaseId, 'accepted', null);
      const verdict: Verdict = { leaseId, kind: 'accepted', amount: job.price };
      effects.messages.push({ device, message: { type: 'verdict', verdict } });
    } else if (decision.rejected.includes(leaseId)) {
      await judgeLease(sql, leaseId, 'rejected', rejection);
      const verdict: Verdict = { leaseId, kind: 'rejected', reason: rejection };
      effects.messages.push({ device, message: { type: 'verdict', verdict } });
    } else if (decision.kind === 'settled' && decision.unclear.includes(leaseId)) {
      const reason = 'nobody can say whether the output is right';
      await judgeLease(sql, leaseId, 'rejected', reason);
      effects.messages.push({ device, message: { type: 'verdict', verdict: { leaseId, kind: 'rejected', reason } } });
    } else if (decision.cancelled.includes(leaseId)) {
      await loseLease(sql, leaseId, 'the job is settled', 'excused');
      effects.messages.push({ device, message: { type: 'cancel', leaseId, reason: 'the job is settled' } });
    }
  }

  const charged = job.price * BigInt(accepted.length);
  await post(sql, {
    kind: 'refund',
    key: `refund:${job.job_id}`,
    at,
    entries: move(account.hold(job.job_id), account.deposit(job.consumer), job.hold - charged),
  });
  if (decision.kind === 'settled') {
    const output = leases.find((lease) => lease.lease_id === accepted[0]);
    await showJob(sql, job.job_id, {
      state: 'done',
      progress: 1,
      charged,
      output_hash: decision.outputHash,
      output_bytes: output?.output_bytes ?? null,
      failure: null,
    });
  } else {
    await showJob(sql, job.job_id, { ...job, state: 'failed', charged: 0n, failure: decision.why });
  }
}
