import { sha256 as sha256Bytes } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Hex32 } from './primitives.ts';

export const toHex = (bytes: Uint8Array): `0x${string}` => `0x${bytesToHex(bytes)}`;
export const fromHex = (hex: string): Uint8Array => hexToBytes(hex.slice(2));
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
