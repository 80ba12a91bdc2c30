import type { UnixMs } from '../core/primitives.ts';
import { maturesAt } from './shares.ts';
import type { VerificationPolicy } from './verification/policy.ts';

/**
 * When a credit matures, fixed with its receipt, so that a policy that changes later changes no promise: at `maturesAt`, or before it
 * once it is `earlyAt` and the lane has come to the ordinal `needs`.
 */
export type Terms = {
  readonly maturesAt: UnixMs;
  readonly earlyAt: UnixMs | null;
  readonly needs: number | null;
};

/** Of a bond: not by age. */
const NEVER = Number.MAX_SAFE_INTEGER;

/** The terms of `isMature` (verification/maturity.ts). Nothing matures at or before `maturedTo`: what comes later is of a later time. */
export function termsOf(
  { ordinal, acceptedAt }: { readonly ordinal: number; readonly acceptedAt: UnixMs },
  maturedTo: UnixMs,
  { maturity }: VerificationPolicy,
): Terms {
  return {
    maturesAt: ordinal <= maturity.bond ? NEVER : maturesAt(acceptedAt, maturity.mostMs, maturedTo),
    earlyAt: maturesAt(acceptedAt, maturity.leastMs, maturedTo),
    needs: ordinal + maturity.jobs,
  };
}
