import { type Amount, sum } from '../../core/money.ts';
import type { Hex32, UnixMs } from '../../core/primitives.ts';
import { draw, type Secret } from './draw.ts';
import type { VerificationPolicy } from './policy.ts';
import { type Conduct, mayBeFaults } from './trust.ts';

/** An accepted lease whose pay is not mature. */
export type Credit = {
  readonly leaseId: Hex32;
  readonly amount: Amount;
  /** The account that paid, and gets it back. */
  readonly payer: string;
  readonly acceptedAt: UnixMs;
  /** Its number among the accepted leases of this device and lane, from 1, rising. */
  readonly ordinal: number;
  /** Another party gave the same output. */
  readonly checked: boolean;
  /** A copy for its check is out. */
  readonly checking: boolean;
};

/** What the device would lose with one bad result more. */
export const stakeOf = (credits: readonly Credit[]): Amount => sum(credits.map((credit) => credit.amount));

const isBond = (credit: Credit, { bond }: VerificationPolicy['maturity']): boolean => credit.ordinal <= bond;

/** Whether the credit is a bond that was left behind: it goes back to who paid it, as if it had been forfeited. */
export const hasLapsed = (credit: Credit, latest: number, now: UnixMs, policy: VerificationPolicy): boolean =>
  isBond(credit, policy.maturity) &&
  now - credit.acceptedAt > policy.faults.memoryMs &&
  !isMature(credit, latest, now, policy);

/**
 * Whether the credit may be paid out. `latest` is the newest ordinal of the device and lane. Nothing of a lane matures while it is held.
 * A clock that was set back delays and never hastens.
 */
export function isMature(credit: Credit, latest: number, now: UnixMs, { maturity }: VerificationPolicy): boolean {
  if (credit.checking) return false;
  const age = now - credit.acceptedAt;
  if (age >= maturity.mostMs && !isBond(credit, maturity)) return true;
  return age >= maturity.leastMs && latest - credit.ordinal >= maturity.jobs;
}

/** What becomes of a lane in which a result was bad. */
export type LaneVerdict =
  /** Nothing matures until these leases, and what then follows, are verified again by others. */
  | { readonly kind: 'recheck'; readonly leases: readonly Hex32[] }
  /** One fault, and all the rest was right: it matures as if nothing had been, from the same dates. */
  | { readonly kind: 'release' }
  /** All credit of the lane that is not mature goes back to who paid it, checked or not: that is the penalty. */
  | { readonly kind: 'forfeit'; readonly credits: readonly Credit[] };

/**
 * Judges a held lane by what is known now; asked again after each result that could change it. The same question gets the same answer,
 * so a crash or a repeated message changes nothing.
 */
export function judgeLane(
  secret: Secret,
  suspicion: string,
  credits: readonly Credit[],
  conducts: readonly Conduct[],
  policy: VerificationPolicy,
): LaneVerdict {
  if (!mayBeFaults(conducts, policy)) return { kind: 'forfeit', credits };
  const open = credits.filter((credit) => !credit.checked);
  if (open.length === 0) return { kind: 'release' };
  // Drawn one by one, so that what is settled meanwhile does not change the order of the rest.
  const inOrder = open
    .map(({ leaseId }) => ({ leaseId, at: draw(secret, 'recheck', suspicion, leaseId) }))
    .sort((a, b) => a.at - b.at);
  return { kind: 'recheck', leases: inOrder.slice(0, policy.recheckAtOnce).map(({ leaseId }) => leaseId) };
}

/** What goes back, per payer: one balanced transfer each. */
export function refundsOf(credits: readonly Credit[]): ReadonlyMap<string, Amount> {
  const refunds = new Map<string, Amount>();
  for (const { payer, amount } of credits) refunds.set(payer, (refunds.get(payer) ?? 0n) + amount);
  return refunds;
}
