import type { Amount } from '../../core/money.ts';
import type { Address, Hex32, UnixMs } from '../../core/primitives.ts';
import { draw, type Secret } from './draw.ts';
import type { VerificationPolicy } from './policy.ts';

/** Who stands behind a device, for whatever counts once. `network` null: not known, or of a private mesh, and only the owner counts. */
export type Party = { readonly owner: Address; readonly network: string | null };

/** Whether two count as one: the same owner, or the same network. */
export const countAsOne = (a: Party, b: Party): boolean =>
  a.owner === b.owner || (a.network !== null && a.network === b.network);

/** What a device has shown with one workload. */
export type Trust = {
  /** Replicated valid results since the last bad one, each with a partner that was not among the last. */
  readonly valid: number;
  /** The partners of the last of them, newest first: fewer than make a device trusted. */
  readonly partners: readonly Party[];
};

export const NO_TRUST: Trust = { valid: 0, partners: [] };

/**
 * After a result that agreed with those of `partners`. One owner and one network counts once: a group that is drawn together
 * does not lift itself.
 */
export function afterValid(trust: Trust, partners: readonly Party[], policy: VerificationPolicy): Trust {
  const fresh = partners.find((partner) => !trust.partners.some((known) => countAsOne(partner, known)));
  if (fresh === undefined) return trust;
  return { valid: trust.valid + 1, partners: [fresh, ...trust.partners].slice(0, policy.trustedAfter - 1) };
}

/** One bad result, and all is to be shown anew. */
export const afterBad = (): Trust => NO_TRUST;

export const isTrusted = (trust: Trust, policy: VerificationPolicy): boolean => trust.valid >= policy.trustedAfter;

/** Parts in a million: prices are integers of any size, chances are not. */
const MILLION = 1_000_000n;

function stakeChance(price: Amount, stake: Amount, policy: VerificationPolicy): number {
  const total = stake + price;
  return total <= 0n ? 1 : policy.stakeFactor * (Number((price * MILLION) / total) / Number(MILLION));
}

/**
 * The chance that a job is replicated that this device gets for `price`. `stake` is what it would lose in the lane: its credit
 * that is not mature. With little at stake, or for a dear job, a single fake would pay at the chance that the record alone asks for.
 */
export function replicationChance(trust: Trust, price: Amount, stake: Amount, policy: VerificationPolicy): number {
  if (!isTrusted(trust, policy)) return 1;
  return Math.min(1, Math.max(policy.leastReplicated, 1 / trust.valid, stakeChance(price, stake, policy)));
}

/**
 * Whether the job of this lease is replicated; settled when the lease is handed out. A lease of a trusted device gets its replica only
 * after its result has come: until then no second device exists that could tell the first one of it.
 */
export const isReplicated = (secret: Secret, leaseId: Hex32, chance: number): boolean =>
  draw(secret, 'replicate', leaseId) < chance;

/** What of a device, of an owner or of a network is remembered: results that were compared, and those of them that were bad. */
export type Conduct = { readonly checked: number; readonly bad: number };

/** The same on one day, counted in whole days since 1970: what is kept of it. */
export type ConductDay = Conduct & { readonly day: number };

const DAY_MS = 86_400_000;

export const dayOf = (at: UnixMs): number => Math.floor(at / DAY_MS);

/** The days that are remembered, as one. */
export function conductOf(days: Iterable<ConductDay>, now: UnixMs, { faults }: VerificationPolicy): Conduct {
  let [checked, bad] = [0, 0];
  for (const day of days) {
    if (now - day.day * DAY_MS > faults.memoryMs) continue;
    checked += day.checked;
    bad += day.bad;
  }
  return { checked, bad };
}

export const allowedFaults = ({ checked }: Conduct, { faults }: VerificationPolicy): number =>
  faults.free + Math.floor(checked / faults.perChecked);

/**
 * Whether the bad results, the newest included, may be faults of a machine. Asked of the device, its owner and its network:
 * a new identity on the same line does not start afresh.
 */
export const mayBeFaults = (conducts: readonly Conduct[], policy: VerificationPolicy): boolean =>
  conducts.every((conduct) => conduct.bad <= allowedFaults(conduct, policy));

/** Until when a device is given nothing more; `at`: its last bad result. */
export function restsUntil(conduct: Conduct, at: UnixMs, policy: VerificationPolicy): UnixMs {
  const beyond = conduct.bad - allowedFaults(conduct, policy);
  if (beyond <= 0) return at;
  return at + Math.min(policy.rest.mostMs, policy.rest.firstMs * 2 ** Math.min(beyond - 1, 30));
}
