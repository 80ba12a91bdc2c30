import type { Amount } from '../core/money.ts';
import type { Address, Hex32, Lane } from '../core/primitives.ts';
import type { ItemOutcome, ReportItem } from '../core/typed-data.ts';

/**
 * A lease's life.
 *
 *   held ──► finished ──► accepted
 *    └► gone     └──────► rejected
 */
export type LeaseState = 'held' | 'finished' | 'accepted' | 'rejected' | 'gone';

/** What a lease that ended without a result says: nothing, that the device or the work failed, or that the device cannot. */
export type Loss = 'excused' | 'attempt' | 'unable';

export type Copy = {
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
      readonly cancelled: readonly Hex32[];
    }
  | {
      readonly kind: 'failed';
      readonly why: string;
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

/** Most copies a job can come to: the pair, and a third that decides when they differ. */
export const maxCopies = (replicas: 0 | 1): number => (replicas === 0 ? 1 : 3);

/**
 * What becomes of a job, by its leases alone. Without replicas the first result stands. With one replica two equal outputs
 * are accepted; when the first two differ a third decides, and whoever stands alone is rejected.
 */
export function decideJob(copies: readonly Copy[], replicas: 0 | 1, maxAttempts: number): JobDecision {
  const idsOf = (list: readonly Copy[]) => list.map((copy) => copy.leaseId);
  const held = copies.filter((copy) => copy.state === 'held');
  const finished = copies.filter((copy) => copy.state === 'finished' && copy.outputHash !== null);
  const needed = replicas + 1;

  for (const { outputHash } of finished) {
    const agreeing = finished.filter((copy) => copy.outputHash === outputHash);
    if (outputHash === null || agreeing.length < needed) continue;
    const rejected = finished.filter((copy) => copy.outputHash !== outputHash);
    return {
      kind: 'settled',
      outputHash,
      accepted: idsOf(agreeing),
      rejected: idsOf(rejected),
      cancelled: idsOf(held),
    };
  }
  if (finished.length >= maxCopies(replicas)) {
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
  const target = finished.length < needed ? needed : finished.length + 1;
  return { kind: 'open', wanted: Math.max(0, target - finished.length - held.length) };
}

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
    why: 'cancelled by its consumer',
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

/** A job that wants leases. `owners` hold or finished a copy: the next goes to someone else. */
export type Need = {
  readonly jobId: Hex32;
  readonly workload: string;
  readonly image: string;
  readonly lane: Lane;
  readonly wanted: number;
  readonly owners: ReadonlySet<Address>;
  /** Devices whose lease of this job is gone: asked again only when nobody else is free. */
  readonly failedDevices: ReadonlySet<Address>;
  /** Devices never asked again. */
  readonly barred: ReadonlySet<Address>;
};

export type Offer = {
  readonly device: Address;
  readonly owner: Address;
  readonly workloads: ReadonlySet<string>;
  readonly slots: Readonly<Record<Lane, number>>;
};

export type Assignment = { readonly jobId: Hex32; readonly device: Address; readonly owner: Address };

export const workloadKey = (id: string, image: string): string => `${id} ${image}`;

/** Gives each need to different owners among the offers, oldest need first; each assignment takes a slot. */
export function match(needs: readonly Need[], offers: readonly Offer[]): readonly Assignment[] {
  const assignments: Assignment[] = [];
  const taken = new Map<string, number>();
  for (const need of needs) {
    const owners = new Set(need.owners);
    const slotOf = (device: Address) => `${device} ${need.lane}`;
    const free = (offer: Offer) => offer.slots[need.lane] - (taken.get(slotOf(offer.device)) ?? 0);
    const fit = offers
      .filter((offer) => offer.workloads.has(workloadKey(need.workload, need.image)) && free(offer) > 0)
      .sort(
        (a, b) =>
          Number(need.failedDevices.has(a.device)) - Number(need.failedDevices.has(b.device)) || free(b) - free(a),
      );
    let wanted = need.wanted;
    for (const offer of fit) {
      if (wanted === 0) break;
      if (owners.has(offer.owner) || need.barred.has(offer.device)) continue;
      owners.add(offer.owner);
      taken.set(slotOf(offer.device), (taken.get(slotOf(offer.device)) ?? 0) + 1);
      assignments.push({ jobId: need.jobId, device: offer.device, owner: offer.owner });
      wanted -= 1;
    }
  }
  return assignments;
}

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
