import type { Amount } from '../core/money.ts';
import type { Address, Hex32 } from '../core/primitives.ts';
import type { ItemOutcome, ReportItem } from '../core/typed-data.ts';
import { exactly, type Likenesses } from './verification/comparison.ts';
import { countAsOne, type Party } from './verification/trust.ts';

/**
 * A lease's life.
 *
 *   held ──► finished ──► accepted
 *    └► gone     └──────► rejected
 */
export type LeaseState = 'held' | 'finished' | 'accepted' | 'rejected' | 'gone';

/** What a lease that ended without a result says: nothing, that the device or the work failed, or that the device cannot. */
export type Loss = 'excused' | 'attempt' | 'unable';

export type Copy = Party & {
  readonly leaseId: Hex32;
  readonly device: Address;
  readonly state: LeaseState;
  readonly outputHash: Hex32 | null;
  /** A lease that is gone by the device's or the work's fault, or by time. */
  readonly countsAsAttempt: boolean;
  /** Declined by a device that cannot do this job at all. */
  readonly unable: boolean;
};

export type JobDecision =
  /** So many more leases should be given out; 0: wait for those that are. */
  | { readonly kind: 'open'; readonly wanted: number }
  | {
      readonly kind: 'settled';
      readonly outputHash: Hex32;
      readonly accepted: readonly Hex32[];
      readonly rejected: readonly Hex32[];
      /** Neither right nor wrong as far as can be said: not paid, and nobody's fault. */
      readonly unclear: readonly Hex32[];
      readonly cancelled: readonly Hex32[];
    }
  | {
      readonly kind: 'failed';
      readonly why: string;
      /** Not paid; who of them was wrong nobody knows. */
      readonly rejected: readonly Hex32[];
      readonly cancelled: readonly Hex32[];
    }
  | Cancellation;

export type Cancellation = {
  readonly kind: 'cancelled';
  readonly why: string;
  readonly accepted: readonly Hex32[];
  readonly rejected: readonly Hex32[];
  readonly cancelled: readonly Hex32[];
};

/** What decides a dispute; the defaults are the rule of jobs that are always done twice. */
export type DisputeRules = {
  readonly likenesses?: Likenesses;
  /** The best answer leads the next best by so many parties. */
  readonly lead?: number;
  /** After so many results without such a lead the job has failed. */
  readonly mostResults?: number;
};

/** Most copies a job can come to: the pair, and a third that decides when they differ. */
export const maxCopies = (replicas: 0 | 1): number => (replicas === 0 ? 1 : 3);

type Finished = Copy & { readonly outputHash: Hex32 };

/**
 * How many parties speak in these copies, in their order: whoever counts as one with somebody before adds nothing. Two coordinators that
 * know different things of a job can hand it twice to one party, and it must not confirm itself.
 */
export function voicesOf(copies: readonly Party[]): number {
  const heard: Party[] = [];
  for (const copy of copies) if (!heard.some((other) => countAsOne(other, copy))) heard.push(copy);
  return heard.length;
}

/**
 * The copies that agree with each one. Where likeness is not exact "the same" does not carry over from one pair to the next, so each copy
 * has its own group; the one of more parties counts, and of equals the earlier.
 */
function bestGroup(finished: readonly Finished[], likenesses: Likenesses) {
  const like = (a: Finished, b: Finished) => likenesses(a.outputHash, b.outputHash);
  const groups = finished.map((centre) => finished.filter((copy) => like(centre, copy) === 'same'));
  const [best = []] = [...groups].sort((a, b) => voicesOf(b) - voicesOf(a));
  // Who is in the best group is no rival of it, however many agree with that one copy.
  const rivals = finished.flatMap((centre, index) => (best.includes(centre) ? [] : [groups[index] ?? []]));
  const against = Math.max(0, ...rivals.map((group) => voicesOf(group.filter((copy) => !best.includes(copy)))));
  const rest = finished.filter((copy) => !best.includes(copy));
  const isWrong = (copy: Finished) => best.every((right) => like(copy, right) === 'different');
  return { best, against, wrong: rest.filter(isWrong), unclear: rest.filter((copy) => !isWrong(copy)) };
}

/**
 * What becomes of a job, by its leases alone. Without replicas the first result stands. With one replica two equal outputs
 * of different parties are accepted; when the first two differ more are asked for until one answer leads by `lead`, and whoever differs
 * from it is rejected.
 */
export function decideJob(
  copies: readonly Copy[],
  replicas: 0 | 1,
  maxAttempts: number,
  { likenesses = exactly, lead = 1, mostResults = maxCopies(replicas) }: DisputeRules = {},
): JobDecision {
  const idsOf = (list: readonly Copy[]) => list.map((copy) => copy.leaseId);
  const held = copies.filter((copy) => copy.state === 'held');
  const finished = copies.filter((copy): copy is Finished => copy.state === 'finished' && copy.outputHash !== null);
  const needed = replicas + 1;

  const { best, against, wrong, unclear } = bestGroup(finished, likenesses);
  const right = best[0];
  const voices = voicesOf(best);
  const leads = replicas === 0 || voices - against >= lead;
  if (right !== undefined && voices >= needed && leads) {
    return {
      kind: 'settled',
      outputHash: right.outputHash,
      accepted: idsOf(best),
      rejected: idsOf(wrong),
      unclear: idsOf(unclear),
      cancelled: idsOf(held),
    };
  }
  if (finished.length >= mostResults) {
    return {
      kind: 'failed',
      why: 'no two devices agree on the output',
      rejected: idsOf(finished),
      cancelled: idsOf(held),
    };
  }
  // A device counts once: no single one can make a job fail.
  if (new Set(copies.filter((copy) => copy.countsAsAttempt).map((copy) => copy.device)).size >= maxAttempts) {
    const why = `given up after ${maxAttempts} devices failed`;
    return { kind: 'failed', why, rejected: idsOf(finished), cancelled: idsOf(held) };
  }
  const missing = Math.max(needed - voices, replicas === 0 ? 0 : lead - (voices - against));
  const target = Math.min(mostResults, finished.length + missing);
  return { kind: 'open', wanted: Math.max(0, target - finished.length - held.length) };
}

export const CANCELLED_BY_CONSUMER = 'cancelled by its consumer';

/**
 * What becomes of a job that its consumer does not want any more. What is computed is paid: else devices could be made to work for
 * nothing. Where outputs differ nobody will know which was right, so that none is paid and none is held against its device.
 */
export function decideCancel(copies: readonly Copy[]): Cancellation {
  const idsOf = (list: readonly Copy[]) => list.map((copy) => copy.leaseId);
  const finished = copies.filter((copy) => copy.state === 'finished');
  const agree = new Set(finished.map((copy) => copy.outputHash)).size === 1;
  const held = copies.filter((copy) => copy.state === 'held');
  return {
    kind: 'cancelled',
    why: CANCELLED_BY_CONSUMER,
    accepted: agree ? idsOf(finished) : [],
    rejected: [],
    cancelled: idsOf(agree ? held : [...held, ...finished]),
  };
}

/** Devices that are not asked for this job again: those that cannot do it, and those that failed it `maxAttempts` times. */
export function barredFrom(copies: readonly Copy[], maxAttempts: number): ReadonlySet<Address> {
  const failures = new Map<Address, number>();
  const barred = new Set<Address>();
  for (const { device, countsAsAttempt, unable } of copies) {
    const failed = (failures.get(device) ?? 0) + Number(countsAsAttempt);
    failures.set(device, failed);
    if (unable || failed >= maxAttempts) barred.add(device);
  }
  return barred;
}

export const workloadKey = (id: string, image: string): string => `${id} ${image}`;

/** What the books know of a lease that a report names. */
export type ReportedLease = {
  readonly leaseId: Hex32;
  readonly device: Address;
  readonly state: LeaseState;
  readonly outputHash: Hex32 | null;
  readonly price: Amount;
  readonly credited: boolean;
};

/** One outcome per item, in order: credited in full, or refused with the first reason that applies. */
export function judgeItems(
  device: Address,
  items: readonly ReportItem[],
  leases: ReadonlyMap<Hex32, ReportedLease>,
): readonly ItemOutcome[] {
  const seen = new Set<Hex32>();
  return items.map((item): ItemOutcome => {
    const { leaseId } = item;
    const lease = leases.get(leaseId);
    if (lease === undefined) return { leaseId, kind: 'refused', reason: 'unknown-lease' };
    if (lease.device !== device) return { leaseId, kind: 'refused', reason: 'other-device' };
    if (lease.credited || seen.has(leaseId)) return { leaseId, kind: 'refused', reason: 'already-credited' };
    if (lease.state !== 'accepted' || lease.outputHash !== item.outputHash) {
      return { leaseId, kind: 'refused', reason: 'not-verified' };
    }
    if (lease.price !== item.amount) return { leaseId, kind: 'refused', reason: 'amount-differs' };
    seen.add(leaseId);
    return { leaseId, kind: 'credited', amount: item.amount };
  });
}
