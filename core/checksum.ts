import { utf8ToBytes } from '@noble/hashes/utils.js';
import { keccak, toHex } from './keccak.ts';
import type { Address } from './primitives.ts';

/** The EIP-55 form of an account address: its capitals are a check against typing errors. */
export function checksumAddress(address: string): Address {
  const digits = address.slice(2).toLowerCase();
  const hash = toHex(keccak(utf8ToBytes(digits))).slice(2);
  const mixed = [...digits].map((digit, at) =>
    Number.parseInt(hash[at] ?? '0', 16) >= 8 ? digit.toUpperCase() : digit,
  );
  return `0x${mixed.join('')}`;
}

/** False only when an address has mixed capitals that do not fit EIP-55; one without capitals carries no check. */
export function checksumHolds(address: string): boolean {
  const digits = address.slice(2);
  if (digits === digits.toLowerCase() || digits === digits.toUpperCase()) return true;
  return checksumAddress(address).slice(2) === digits;
}
