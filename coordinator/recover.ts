import secp256k1 from 'secp256k1';
import { fromHex, type Keccak, keccak, toHex } from '../core/keccak.ts';
import type { Address, Hex32, Signature } from '../core/primitives.ts';

/** Places in r ‖ s ‖ v. */
const S = 32;
const V = 64;
/** An s with it is not canonical (EIP-2098). */
const HIGH_BIT = 0x80;
const ADDRESS_FROM = 12;
const EIP_155 = 35;

/**
 * v as ethers reads it: 0 and 1, 27 and 28, and of those that hold a chain (EIP-155) the odd are 27 and the even 28; null: no v.
 * Source: ethers 6, `Signature.getNormalizedV`.
 */
function parity(v: number): 0 | 1 | null {
  if (v === 0 || v === 27) return 0;
  if (v === 1 || v === 28) return 1;
  if (v < EIP_155) return null;
  return v % 2 === 1 ? 0 : 1;
}

/** r ‖ s and which of the two keys; null: no signature. Of 64 bytes the first bit of s says which (EIP-2098). */
function partsOf(bytes: Uint8Array): { readonly rs: Uint8Array; readonly odd: 0 | 1 } | null {
  const rs = bytes.slice(0, V);
  const high = (rs[S] ?? 0) & HIGH_BIT;
  if (bytes.length === V) {
    rs[S] = (rs[S] ?? 0) ^ high;
    return { rs, odd: high === 0 ? 0 : 1 };
  }
  const odd = parity(bytes[V] ?? 2);
  return bytes.length !== V + 1 || odd === null || high !== 0 ? null : { rs, odd };
}

/** Whose key signed the digest, by the native libsecp256k1; null: nobody's. Gives ethers' verdict some fifty times as fast. */
export function signerOf(digest: Hex32, signature: Signature, hash: Keccak = keccak): Address | null {
  try {
    const parts = partsOf(fromHex(signature));
    if (parts === null) return null;
    const key = secp256k1.ecdsaRecover(parts.rs, parts.odd, fromHex(digest), false);
    return toHex(hash(key.subarray(1)).subarray(ADDRESS_FROM));
  } catch {
    return null;
  }
}

/** Signs as ethers does (RFC 6979, the lower s), some forty times as fast. */
export function signDigest(digest: Hex32, key: Uint8Array): Signature {
  const { signature, recid } = secp256k1.ecdsaSign(fromHex(digest), key);
  return toHex(Uint8Array.of(...signature, 27 + recid));
}
