import { sha256 as sha256Bytes } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Hex32 } from './primitives.ts';

export const toHex = (bytes: Uint8Array): `0x${string}` => `0x${bytesToHex(bytes)}`;

/** Values of the hex digits by their character. */
const DIGITS = new Int8Array(128).fill(-1);
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  DIGITS[digit.charCodeAt(0)] = value;
  DIGITS[digit.toUpperCase().charCodeAt(0)] = value;
}

/** Of `0x` and pairs of hex digits; throws a RangeError otherwise. On the way of every signature, which is why it is not the library's. */
export function fromHex(hex: string): Uint8Array {
  const bytes = new Uint8Array((hex.length - 2) >> 1);
  // Negative, once a digit is none.
  let bad = hex.length % 2 === 0 && hex.startsWith('0x') ? 0 : -1;
  for (let at = 0, place = 2; at < bytes.length; at++, place += 2) {
    const value = ((DIGITS[hex.charCodeAt(place)] ?? -1) << 4) | (DIGITS[hex.charCodeAt(place + 1)] ?? -1);
    bad |= value;
    bytes[at] = value;
  }
  if (bad < 0) throw new RangeError('expected 0x and pairs of hex digits');
  return bytes;
}
export const concat = (...parts: readonly Uint8Array[]): Uint8Array => concatBytes(...parts);

/** Keccak-256. What it answers may be used again for the next answer. */
export type Keccak = (data: Uint8Array) => Uint8Array;
export const keccak: Keccak = (data) => keccak_256(data);
export const keccakHex = (data: Uint8Array): Hex32 => toHex(keccak_256(data));
export const utf8 = (text: string): Uint8Array => utf8ToBytes(text);
export const keccakText = (text: string): Hex32 => keccakHex(utf8ToBytes(text));
export const sha256 = (data: Uint8Array): Uint8Array => sha256Bytes(data);
export const sha256Hex = (data: Uint8Array): Hex32 => toHex(sha256Bytes(data));

/** JSON with sorted keys, so that equal values have equal text and hash. Plain data only. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
