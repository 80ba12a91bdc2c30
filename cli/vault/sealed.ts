import { fail } from '../../core/errors.ts';
import {
  type FileShape,
  SEGMENT_BYTES,
  sealedBytesOf,
  segmentsOf,
  shardBytesAt,
  TAG_BYTES,
} from '../../core/stored-file.ts';
import type { Erasure } from './erasure.ts';
import type { FileKeys } from './keys.ts';
import { Pieces } from './pieces.ts';

/** `info` says which CONFLICT it is: what was sent of the file is worth nothing. */
export const changed = (): never =>
  fail('CONFLICT', 'the file changed while it was being stored; store it again', { changed: true });

/**
 * Encrypts a file of `bytes` bytes in segments: the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, "Online
 * Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance" (2015). No segment can be left out, moved or put at the end.
 * Throws CONFLICT when there are more or fewer bytes than that.
 */
export async function* seal(
  plain: AsyncIterable<Uint8Array>,
  bytes: number,
  keys: FileKeys,
): AsyncGenerator<Buffer, void, void> {
  const pieces = new Pieces(plain);
  try {
    const segments = segmentsOf(bytes);
    for (let segment = 0; segment < segments; segment++) {
      const last = segment === segments - 1;
      const into = new Uint8Array(last ? bytes - segment * SEGMENT_BYTES : SEGMENT_BYTES);
      if ((await pieces.fill(into)) < into.length) changed();
      if (last && (await pieces.fill(new Uint8Array(1))) > 0) changed();
      yield keys.sealSegment(segment, last, into);
    }
  } finally {
    await pieces.close();
  }
}

/** The reverse. Throws VAULT_UNREADABLE at the first segment that is not the one that was stored; what came before it is good. */
export async function* unseal(
  sealed: AsyncIterable<Uint8Array>,
  bytes: number,
  keys: FileKeys,
): AsyncGenerator<Buffer, void, void> {
  const pieces = new Pieces(sealed);
  try {
    const segments = segmentsOf(bytes);
    for (let segment = 0; segment < segments; segment++) {
      const last = segment === segments - 1;
      const size = (last ? bytes - segment * SEGMENT_BYTES : SEGMENT_BYTES) + TAG_BYTES;
      const into = new Uint8Array(size);
      const filled = await pieces.fill(into);
      yield keys.openSegment(segment, last, into.subarray(0, filled));
    }
  } finally {
    await pieces.close();
  }
}

/** A group: its `n` shards, one behind the other, and as views of their own. */
export type Stripe = { readonly group: number; readonly bytes: Uint8Array; readonly shards: readonly Uint8Array[] };

export function stripeOf(shape: FileShape, group: number): Stripe {
  const size = shardBytesAt(shape, group);
  const bytes = Buffer.allocUnsafeSlow(size * shape.n);
  const shards = Array.from({ length: shape.n }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
  return { group, bytes, shards };
}

/** Cuts sealed bytes into groups with their parity. Holds one group in memory. */
export async function* stripesOf(
  sealed: AsyncIterable<Uint8Array>,
  shape: FileShape,
  code: Erasure,
  keys: FileKeys,
): AsyncGenerator<Stripe, void, void> {
  const pieces = new Pieces(sealed);
  try {
    for (let group = 0; group < shape.groups; group++) {
      const stripe = stripeOf(shape, group);
      const data = stripe.bytes.subarray(0, shardBytesAt(shape, group) * shape.k);
      const filled = await pieces.fill(data);
      if (filled < data.length) data.set(keys.padding(data.length - filled), filled);
      code.encode(stripe.bytes);
      yield stripe;
    }
  } finally {
    await pieces.close();
  }
}

/** The sealed bytes of groups that are whole again, without what fills the last one up. */
export async function* unstriped(
  stripes: AsyncIterable<Stripe>,
  shape: FileShape,
  bytes: number,
): AsyncGenerator<Uint8Array, void, void> {
  let left = sealedBytesOf(bytes);
  for await (const stripe of stripes) {
    const data = stripe.bytes.subarray(0, Math.min(left, shardBytesAt(shape, stripe.group) * shape.k));
    left -= data.length;
    yield data;
  }
}
