import type { Amount } from '../core/money.ts';
import type { UnixMs } from '../core/primitives.ts';

/** What becomes of the price of one accepted copy; the three add up to it. */
export type Shares = {
  /** The provider's. */
  readonly pay: Amount;
  /** The network's, whole units. */
  readonly fee: Amount;
  /** One unit where the fee is no whole number of them, else none: kept apart, for it is neither's alone. */
  readonly dust: Amount;
};

const WHOLE = 10_000n;

/** `feeBps`: ten-thousandths of the price, 0 to 10,000. The fee is rounded down, and the pay is too. */
export function sharesOf(price: Amount, feeBps: number): Shares {
  const exact = price * BigInt(feeBps);
  const fee = exact / WHOLE;
  const dust = exact % WHOLE === 0n ? 0n : 1n;
  return { pay: price - fee - dust, fee, dust };
}

/**
 * When a credit matures. Never at or before `maturedTo`, up to which all that was due has matured: what comes later belongs to
 * a later time, also where clocks differ.
 */
export const maturesAt = (creditedAt: UnixMs, delayMs: number, maturedTo: UnixMs): UnixMs =>
  Math.max(creditedAt + delayMs, maturedTo + 1);
