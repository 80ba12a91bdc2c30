import type { Amount } from '../core/money.ts';
import type { UnixMs } from '../core/primitives.ts';
import type { CoordinatorOptions } from './options.ts';

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
const DEFAULT_CHECKS_BPS = 500;

/** What pays for checks, and all that is taken of a price, in ten-thousandths. */
export const checksBpsOf = ({ verification, checksBps = DEFAULT_CHECKS_BPS }: Rates): number =>
  verification === undefined || verification === null ? 0 : checksBps;
export const takenBpsOf = (rates: Rates): number => Math.min(Number(WHOLE), (rates.feeBps ?? 0) + checksBpsOf(rates));
type Rates = Pick<CoordinatorOptions, 'feeBps' | 'checksBps' | 'verification'>;

/** `feeBps`: ten-thousandths of the price, 0 to 10,000. The fee is rounded down, and the pay is too. */
export function sharesOf(price: Amount, feeBps: number): Shares {
  const exact = price * BigInt(feeBps);
  const fee = exact / WHOLE;
  const dust = exact % WHOLE === 0n ? 0n : 1n;
  return { pay: price - fee - dust, fee, dust };
}

/** The part of a fee that pays for checks: so many ten-thousandths of the price, and never more than the fee. */
export function checksOf(price: Amount, fee: Amount, checksBps: number): Amount {
  const part = (price * BigInt(checksBps)) / WHOLE;
  return part < fee ? part : fee;
}

/**
 * When a credit matures. Never at or before `maturedTo`, up to which all that was due has matured: what comes later belongs to
 * a later time, also where clocks differ.
 */
export const maturesAt = (creditedAt: UnixMs, delayMs: number, maturedTo: UnixMs): UnixMs =>
  Math.max(creditedAt + delayMs, maturedTo + 1);
