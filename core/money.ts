import { fail } from './errors.ts';

/** Base units of the token (10^-18 of one token). Never a float. */
export type Amount = bigint;

export const DECIMALS = 18;
const UNIT = 10n ** BigInt(DECIMALS);
const MAX_UINT256 = 2n ** 256n - 1n;

/** What a gasless withdrawal pays its relayer. The claim is signed with it and the review shows it. */
export const RELAY_FEE: Amount = 0n;

const DECIMAL_TEXT = /^(0|[1-9]\d*)(?:\.(\d+))?$/;

/**
 * Parses what a person types ("1.25") into base units.
 * Throws BAD_INPUT on anything else: signs, exponents, blanks, more than 18 decimals, above 2^256-1.
 */
export function parseTokens(text: string): Amount {
  const match = DECIMAL_TEXT.exec(text.trim());
  if (!match) fail('BAD_INPUT', `"${text}" is not an amount; write digits with at most one dot, such as 12.5`);
  const fraction = match[2] ?? '';
  if (fraction.length > DECIMALS) fail('BAD_INPUT', `"${text}" has more than ${DECIMALS} decimals`);
  const amount = BigInt(match[1] ?? '0') * UNIT + BigInt(fraction.padEnd(DECIMALS, '0') || '0');
  if (amount > MAX_UINT256) fail('BAD_INPUT', `"${text}" is larger than any token amount can be`);
  return amount;
}

/**
 * Renders base units as tokens, truncated (never rounded up: nobody is shown money they do not have).
 * `maxDecimals` bounds the fraction; trailing zeros go, `minDecimals` keeps some.
 */
export function formatTokens(amount: Amount, maxDecimals = DECIMALS, minDecimals = 0): string {
  const negative = amount < 0n;
  const size = negative ? -amount : amount;
  const whole = (size / UNIT).toString();
  const fraction = (size % UNIT).toString().padStart(DECIMALS, '0').slice(0, maxDecimals);
  const trimmed = fraction.replace(/0+$/, '').padEnd(Math.min(minDecimals, maxDecimals), '0');
  return `${negative ? '-' : ''}${whole}${trimmed === '' ? '' : `.${trimmed}`}`;
}

const BASE_UNIT_TEXT = /^(0|[1-9]\d{0,77})$/;

/** Decodes a decimal string of base units, the form amounts have on the wire. Throws BAD_INPUT. */
export function decodeAmount(text: string): Amount {
  if (!BASE_UNIT_TEXT.test(text)) fail('BAD_INPUT', 'an amount on the wire is a decimal string of base units');
  const amount = BigInt(text);
  if (amount > MAX_UINT256) fail('BAD_INPUT', 'an amount on the wire is at most 2^256-1');
  return amount;
}

export const encodeAmount = (amount: Amount): string => amount.toString();

export const sum = (amounts: Iterable<Amount>): Amount => {
  let total = 0n;
  for (const amount of amounts) total += amount;
  return total;
};
