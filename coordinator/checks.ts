import type { Amount } from '../core/money.ts';
import type { Hex32 } from '../core/primitives.ts';
import type { Job } from './jobs.ts';
import { copyOf, type LeaseRow } from './leases.ts';
import { account, type Entry } from './ledger.ts';
import { exactly, type Likenesses } from './verification/comparison.ts';
import type { Secret } from './verification/draw.ts';
import type { VerificationPolicy } from './verification/policy.ts';
import { type Copy, decideJob, type JobDecision } from './verify.ts';

/** What becomes of a job by the rules of verification, and who pays for its copies. Pure. */

/** The rules that a coordinator goes by beside what was ordered; null: none. */
export type Verification = { readonly policy: VerificationPolicy; readonly secret: Secret };

/** Of a job, what says which copies it wants. */
export type Checked = Pick<
  Job,
  'price' | 'hold' | 'replicas' | 'about' | 'checks_hold' | 'known_output' | 'known_copies' | 'suspect'
>;

const KNOWN_DEVICES = ['1', '2'] as const;

/** The copies that agreed before the job was made: no lease has their names. */
const knownCopies = ({ known_output: outputHash, known_copies: count }: Checked): readonly Copy[] =>
  KNOWN_DEVICES.slice(0, outputHash === null ? 0 : count).map((digit) => ({
    leaseId: knownLease(digit),
    ...{ device: `0x${digit.repeat(40)}`, owner: `0x${digit.repeat(40)}`, network: null },
    ...{ state: 'finished', outputHash, countsAsAttempt: false, unable: false },
  }));
const knownLease = (digit: string): Hex32 => `0x${digit.repeat(64)}`;

/**
 * What the job showed of the output that it was made to doubt. null: nothing, for it came to no answer, or to one of which nobody can say
 * whether it is the same.
 */
export function wordOnSuspect(decision: JobDecision): 'right' | 'wrong' | null {
  if (decision.kind !== 'settled') return null;
  const suspect = knownLease(KNOWN_DEVICES[0]);
  if (decision.rejected.includes(suspect)) return 'wrong';
  return decision.accepted.includes(suspect) ? 'right' : null;
}

/** Nobody but the draw knows before the result has come that it is compared. */
export const isCompared = (job: Checked, leases: readonly LeaseRow[]): boolean =>
  job.replicas === 1 ||
  job.known_copies > 0 ||
  leases.some(({ state, replicated }) => replicated && state !== 'held' && state !== 'gone');

export const decideBy = (
  job: Checked,
  leases: readonly LeaseRow[],
  maxAttempts: number,
  verification: Verification | null,
  likenesses: Likenesses = exactly,
): JobDecision =>
  decideJob([...knownCopies(job), ...leases.map(copyOf)], isCompared(job, leases) ? 1 : 0, maxAttempts, {
    ...verification?.policy.dispute,
    likenesses,
  });

const live = (leases: readonly LeaseRow[]): bigint =>
  BigInt(leases.filter(({ state }) => state === 'held' || state === 'finished').length);

const consumersHold = ({ about, hold }: Checked): Amount => (about === null ? hold : 0n);

/** What is missing in the job's hold for so many copies more; every one of them may be accepted. */
export function missingFor(job: Checked, leases: readonly LeaseRow[], wanted: number): Amount {
  const needed = job.price * (live(leases) + BigInt(wanted)) - consumersHold(job) - job.checks_hold;
  return needed > 0n ? needed : 0n;
}

/** Of the copies that the job wants, those that are paid for. */
export function paidCopies(job: Checked, leases: readonly LeaseRow[], wanted: number): number {
  if (job.price === 0n) return wanted;
  const more = (consumersHold(job) + job.checks_hold) / job.price - live(leases);
  return more >= BigInt(wanted) ? wanted : Math.max(0, Number(more));
}

export type Bill = {
  /** Copies that the consumer pays for; of those beyond them the network does. */
  readonly consumers: number;
  readonly charged: Amount;
  /** What goes back, and to whom. */
  readonly entries: readonly Entry[];
};

/** What so many accepted copies cost, and what goes back. A consumer never pays more than its hold. */
export function billOf(job: Checked & Pick<Job, 'job_id' | 'consumer'>, accepted: number): Bill {
  const hold = consumersHold(job);
  const most = job.about !== null ? 0n : job.price === 0n ? BigInt(accepted) : hold / job.price;
  const consumers = most < BigInt(accepted) ? Number(most) : accepted;
  const own = job.price * BigInt(consumers);
  const [toConsumer, toChecks] = [hold - own, job.checks_hold - job.price * BigInt(accepted - consumers)];
  return {
    consumers,
    // A job of the network's own looks like any other.
    charged: job.about === null ? own : job.price * BigInt(Math.min(1, accepted)),
    entries: [
      { account: account.hold(job.job_id), amount: -(toConsumer + toChecks) },
      { account: account.deposit(job.consumer), amount: toConsumer },
      { account: account.checks, amount: toChecks },
    ],
  };
}
