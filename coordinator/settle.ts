import type { ErrorCode } from '../core/errors.ts';
import { canonicalJson } from '../core/keccak.ts';
import type { Address, Hex32, UnixMs } from '../core/primitives.ts';
import type { ResultItem } from '../core/typed-data.ts';
import type { CoordinatorMessage } from '../core/wire.ts';
import { billOf, decideBy, missingFor, type Verification } from './checks.ts';
import type { Sql } from './db.ts';
import { type Effects, noEffects } from './effects.ts';
import { seenParties } from './extra-jobs.ts';
import { fundCopies, type Want } from './funding.ts';
import { groupBy } from './group-by.ts';
import { type Happening, Moved, solesOf } from './happenings.ts';
import { type DecidedJob, endJobs, isOver, type JobEnd, jobsNamed, lockJobs } from './jobs.ts';
import {
  copyOf,
  type LeaseChange,
  type LeaseResult,
  type LeaseRow,
  leasesOf,
  verdictOf,
  writeLeases,
  writeResults,
} from './leases.ts';
import { postAll, type Transfer } from './ledger.ts';
import { type ComparisonOf, forgetUndecided, likenessesOf, noteUndecided } from './likenesses.ts';
import { release } from './queue.ts';
import { type Concluded, record } from './record.ts';
import { exactly, type Likenesses } from './verification/comparison.ts';
import { decideCancel, type JobDecision } from './verify.ts';

export type SettleRules = {
  readonly maxAttempts: number;
  /** The largest output that this workload may have, bytes. */
  readonly outputLimit: (workload: string) => number;
  readonly comparison: ComparisonOf;
  /** null or absent: as ordered. */
  readonly verification?: Verification | null;
};

const REOPENED_MS = 10_000;
const UNCONFIRMED = 'no other device confirmed the result in time';

/**
 * Whether a lease no longer keeps its job open: one under way until its own deadline, which another look ends long before, and a finished one
 * for as long again.
 */
const isStale = ({ state, deadline }: LeaseRow, before: UnixMs): boolean =>
  (state !== 'held' && state !== 'finished') || deadline < before;

type Open = { readonly job: DecidedJob; leases: readonly LeaseRow[]; over: boolean; touched: boolean };

/** The jobs of one transaction as they become, and what is to be written and told of them. */
class Settlement {
  readonly effects = noEffects();
  readonly #jobs: ReadonlyMap<Hex32, Open>;
  readonly #jobOf: ReadonlyMap<Hex32, Open>;
  readonly #changes = new Map<Hex32, LeaseChange>();
  readonly #results = new Map<Hex32, LeaseResult>();
  readonly #wanted = new Map<Hex32, number>();
  readonly #ends: JobEnd[] = [];
  readonly #concluded: Concluded[] = [];
  readonly #transfers: Transfer[] = [];
  readonly #rules: SettleRules;
  readonly #at: UnixMs;

  constructor(jobs: readonly DecidedJob[], leases: readonly LeaseRow[], rules: SettleRules, at: UnixMs) {
    this.#rules = rules;
    this.#at = at;
    const byJob = groupBy(leases, ({ job_id }) => job_id);
    this.#jobs = new Map(
      jobs.map((job) => [job.job_id, { job, leases: byJob.get(job.job_id) ?? [], over: isOver(job), touched: false }]),
    );
    this.#jobOf = new Map(
      [...this.#jobs.values()].flatMap((open) => open.leases.map(({ lease_id }) => [lease_id, open] as const)),
    );
  }

  /** Sent again it changes nothing and is acknowledged again. */
  result(happening: Extract<Happening, { kind: 'result' }>): void {
    const { device, value } = happening;
    const { leaseId } = value;
    const open = this.#jobOf.get(leaseId);
    const lease = open?.leases.find(({ lease_id }) => lease_id === leaseId);
    if (open === undefined || lease === undefined || lease.device !== device) {
      this.#refuse(device, 'NOT_FOUND', 'the device has no such lease', leaseId);
    } else if (lease.state === 'gone') {
      this.#tooLate(device, leaseId, lease.why ?? 'unknown');
    } else if (lease.state !== 'held') {
      this.#known(open.job, lease, value);
    } else if (open.over) {
      this.#change(open, { ...lease, state: 'gone', why: 'the job is over' });
      this.#tooLate(device, leaseId, 'the job is over');
    } else {
      const fault = this.#fault(open.job, happening);
      if (fault === null) this.#take(open, lease, happening);
      else this.#refuse(device, ...fault, leaseId);
    }
  }

  #tooLate(device: Address, leaseId: Hex32, why: string): void {
    const reason = `the lease had ended before the result came: ${why}`.slice(0, 200);
    this.#tell(device, { type: 'verdict', verdict: { leaseId, kind: 'rejected', reason } });
  }

  #known(job: DecidedJob, lease: LeaseRow, { leaseId, outputHash }: ResultItem): void {
    const { device } = lease;
    if (lease.output_hash !== outputHash) {
      this.#refuse(device, 'CONFLICT', 'another result of this lease is stored', leaseId);
      return;
    }
    this.#tell(device, { type: 'result-stored', leaseId });
    const verdict = verdictOf(lease, job.pay);
    if (verdict !== null) this.#tell(device, { type: 'verdict', verdict });
  }

  #fault(
    job: DecidedJob,
    { value, stored }: Extract<Happening, { kind: 'result' }>,
  ): readonly [ErrorCode, string] | null {
    if (value.finishedAt < value.startedAt) return ['BAD_INPUT', 'the result ends before it starts'];
    const limit = this.#rules.outputLimit(job.workload);
    if (value.outputBytes > limit) return ['REFUSED', `the output may have at most ${limit} bytes`];
    if (stored === null) return ['REFUSED', 'upload the output before its result'];
    return stored === value.outputBytes ? null : ['REFUSED', `the uploaded output has ${stored} bytes`];
  }

  #take(open: Open, lease: LeaseRow, { device, value, evidence }: Extract<Happening, { kind: 'result' }>): void {
    const { leaseId } = value;
    const output = { output_hash: value.outputHash, output_bytes: value.outputBytes };
    const proof =
      'batch' in evidence
        ? { result: null, result_signature: null, batch_hash: evidence.batch }
        : { result: canonicalJson({ ...value, device }), result_signature: evidence.signature, batch_hash: null };
    this.#results.set(leaseId, { lease_id: leaseId, device, state: 'finished', why: null, ...output, ...proof });
    this.#change(open, { ...lease, state: 'finished', progress: 1, ...output });
    open.touched = true;
    this.#tell(device, { type: 'result-stored', leaseId });
  }

  loss({ leaseId, why, loss }: Extract<Happening, { kind: 'loss' }>): void {
    const open = this.#jobOf.get(leaseId);
    const lease = open?.leases.find(({ lease_id }) => lease_id === leaseId);
    if (open === undefined || lease?.state !== 'held') return;
    const ended = { why: why.slice(0, 500), counts_as_attempt: loss === 'attempt', unable: loss === 'unable' };
    this.#change(open, { ...lease, state: 'gone', ...ended });
    open.touched = true;
  }

  /**
   * A copy under way is never thrown away. One that waits for another device to agree is, in the end: it is not paid, for nobody
   * has checked it, and it is not called wrong, for nobody has shown that.
   */
  age({ jobId, before }: Extract<Happening, { kind: 'age' }>): void {
    const open = this.#jobs.get(jobId);
    if (open === undefined || open.over || open.leases.some((lease) => !isStale(lease, before))) return;
    const unconfirmed = open.leases.filter(({ state }) => state === 'finished');
    const why = unconfirmed.length > 0 ? UNCONFIRMED : 'no device could do it for too long';
    for (const lease of unconfirmed) {
      const { lease_id: leaseId, device } = lease;
      this.#change(open, { ...lease, state: 'gone', why });
      this.#tell(device, { type: 'verdict', verdict: { leaseId, kind: 'rejected', reason: why } });
    }
    const cancelled = open.leases.flatMap(({ state, lease_id }) => (state === 'held' ? [lease_id] : []));
    this.#conclude(open, { kind: 'failed', why, rejected: [], cancelled });
  }

  cancel({ jobId }: Extract<Happening, { kind: 'cancel' }>): void {
    const open = this.#jobs.get(jobId);
    if (open !== undefined && !open.over) this.#conclude(open, decideCancel(open.leases.map(copyOf)));
  }

  look({ jobId }: Extract<Happening, { kind: 'look' }>): void {
    const open = this.#jobs.get(jobId);
    if (open !== undefined) open.touched = true;
  }

  /** Takes the decisions that the jobs' leases now call for, and writes everything. */
  async write(sql: Sql): Promise<Effects> {
    await this.#decideAll(sql);
    // Jobs before leases, as who reads them locks them.
    const ended = await endJobs(sql, this.#ends, this.#at);
    const written = await writeResults(sql, [...this.#results.values()]);
    if (ended < this.#ends.length || written < this.#results.size) throw new Moved();
    await writeLeases(sql, [...this.#changes.values()]);
    const { verification = null } = this.#rules;
    const judged = await record(sql, this.#concluded, verification?.policy ?? null, this.#at);
    for (const device of judged) this.effects.judged.add(device);
    await this.#fund(sql);
    await postAll(sql, this.#transfers);
    if (this.#wanted.size === 0) return this.effects;
    // They are in this replica's hands now; should it die, others may claim them before long.
    await release(sql, [...this.#wanted.keys()], this.#at + REOPENED_MS);
    const jobs = await jobsNamed(sql, [...this.#wanted.keys()]);
    const seen = await seenParties(sql, jobs);
    for (const job of jobs) {
      const leases = this.#jobs.get(job.job_id)?.leases ?? [];
      const wanted = this.#wanted.get(job.job_id) ?? 0;
      this.effects.reopened.push({ job, leases, wanted, seen: seen.get(job.job_id) ?? [] });
    }
    return this.effects;
  }

  /** What cannot be paid now is not given out. */
  async #fund(sql: Sql): Promise<void> {
    const wants = [...this.#wanted].flatMap(([jobId, wanted]): readonly Want[] => {
      const open = this.#jobs.get(jobId);
      const missing = open === undefined ? 0n : missingFor(open.job, open.leases, wanted);
      return open === undefined || missing === 0n ? [] : [{ jobId, missing, checksHold: open.job.checks_hold }];
    });
    const funded = await fundCopies(sql, wants, this.#at);
    for (const { jobId } of wants) if (!funded.has(jobId)) this.#wanted.delete(jobId);
  }

  async #decideAll(sql: Sql): Promise<void> {
    const touched = [...this.#jobs.values()].filter((open) => open.touched && !open.over);
    const likenesses = await likenessesOf(sql, touched, this.#rules.comparison);
    const compared: Hex32[] = [];
    for (const open of touched) {
      const { job_id: jobId } = open.job;
      const known = likenesses(jobId);
      if (known === null) this.effects.undecided.push(jobId);
      else if (known !== exactly) compared.push(jobId);
      this.#decide(open, known);
    }
    await noteUndecided(sql, this.effects.undecided, this.#at);
    await forgetUndecided(sql, compared);
  }

  #decide(open: Open, likenesses: Likenesses | null): void {
    const { job } = open;
    this.effects.jobs.add(job.job_id);
    if (likenesses === null) return;
    const { maxAttempts, verification = null } = this.#rules;
    const decision = decideBy(job, open.leases, maxAttempts, verification, likenesses);
    if (decision.kind !== 'open') this.#conclude(open, decision);
    else if (decision.wanted > 0) this.#wanted.set(job.job_id, decision.wanted);
  }

  /** Judges every copy, books what the job cost, and shows its end. */
  #conclude(open: Open, decision: Exclude<JobDecision, { kind: 'open' }>): void {
    const { job } = open;
    open.over = true;
    this.effects.jobs.add(job.job_id);
    const rejection =
      decision.kind === 'settled' ? 'the output differs from what two other devices computed' : decision.why;
    const ending = decision.kind === 'cancelled' ? decision.why : 'the job is settled';
    const accepted: readonly Hex32[] = decision.kind === 'failed' ? [] : decision.accepted;
    for (const lease of open.leases) {
      const { lease_id: leaseId, device } = lease;
      if (accepted.includes(leaseId)) {
        this.#change(open, { ...lease, state: 'accepted', why: null });
        this.#tell(device, { type: 'verdict', verdict: { leaseId, kind: 'accepted', amount: job.pay } });
      } else if (decision.rejected.includes(leaseId)) {
        this.#change(open, { ...lease, state: 'rejected', why: rejection });
        this.#tell(device, { type: 'verdict', verdict: { leaseId, kind: 'rejected', reason: rejection } });
      } else if (decision.kind === 'settled' && decision.unclear.includes(leaseId)) {
        const reason = 'nobody can say whether the output is right';
        this.#change(open, { ...lease, state: 'rejected', why: reason });
        this.#tell(device, { type: 'verdict', verdict: { leaseId, kind: 'rejected', reason } });
      } else if (decision.cancelled.includes(leaseId)) {
        this.#change(open, { ...lease, state: 'gone', why: ending });
        this.#tell(device, { type: 'cancel', leaseId, reason: ending });
      }
    }
    const own = open.leases.filter(({ lease_id }) => accepted.includes(lease_id));
    const { consumers, charged, entries } = billOf(job, own.length);
    this.#transfers.push({ kind: 'refund', key: `refund:${job.job_id}`, at: this.#at, entries });
    this.#concluded.push({ job, decision, leases: open.leases, consumers });
    const [output] = own;
    this.#ends.push(
      decision.kind === 'settled'
        ? {
            ...{
              job_id: job.job_id,
              consumer: job.consumer,
              state: 'done',
              charged,
              failure: null,
              cancelled_at: null,
            },
            ...{ output_hash: decision.outputHash, output_bytes: output?.output_bytes ?? null },
          }
        : {
            ...{ job_id: job.job_id, consumer: job.consumer, state: 'failed', charged, failure: decision.why },
            ...{ output_hash: null, output_bytes: null },
            cancelled_at: decision.kind === 'cancelled' ? this.#at : null,
          },
    );
  }

  #change(open: Open, next: LeaseRow): void {
    if (next.state === 'accepted' || next.state === 'rejected') this.effects.verdicts[next.state] += 1;
    open.leases = open.leases.map((lease) => (lease.lease_id === next.lease_id ? next : lease));
    const { lease_id, state, why, counts_as_attempt, unable } = next;
    const fresh = this.#results.get(lease_id);
    // One that has its result in this very transaction is written once.
    if (fresh === undefined) this.#changes.set(lease_id, { lease_id, state, why, counts_as_attempt, unable });
    else if (state !== 'held' && state !== 'gone') this.#results.set(lease_id, { ...fresh, state, why });
  }

  #refuse(device: Address, code: ErrorCode, message: string, about: Hex32): void {
    this.#tell(device, { type: 'error', code, message, about });
  }

  #tell(device: Address, message: CoordinatorMessage): void {
    this.effects.messages.push({ device, message });
  }
}

/**
 * Lets everything happen, in order, in one transaction: each job that it touches is locked, decided anew by its leases alone,
 * and booked. What finds its lease or its job over changes nothing. What is known of a job that is wanted once is taken for true and
 * checked as it is written; throws `Moved` where it is not.
 */
export async function settle(
  sql: Sql,
  happenings: readonly Happening[],
  rules: SettleRules,
  at: UnixMs,
): Promise<Effects> {
  const leaseIds = happenings.flatMap((one) =>
    'jobId' in one ? [] : one.kind === 'loss' ? [one.leaseId] : one.sole ? [] : [one.value.leaseId],
  );
  const named = happenings.flatMap((one) => ('jobId' in one ? [one.jobId] : []));
  const read = leaseIds.length + named.length === 0 ? [] : await lockJobs(sql, { jobIds: named, leaseIds });
  const jobIds = read.map(({ job_id }) => job_id);
  const soles = solesOf(happenings, new Set(jobIds));
  // Read behind the lock: what was read before it may have changed since.
  const leases = jobIds.length === 0 ? [] : await leasesOf(sql, jobIds);
  const settlement = new Settlement(
    [...read, ...soles.map(({ job }) => job)],
    [...leases, ...soles.map(({ lease }) => lease)],
    rules,
    at,
  );
  for (const one of happenings) {
    if (one.kind === 'result') settlement.result(one);
    else if (one.kind === 'loss') settlement.loss(one);
    else if (one.kind === 'age') settlement.age(one);
    else if (one.kind === 'look') settlement.look(one);
    else settlement.cancel(one);
  }
  return await settlement.write(sql);
}
