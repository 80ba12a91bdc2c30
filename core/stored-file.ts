import { z } from 'zod';
import { AUDIT } from './audit.ts';
import { fail } from './errors.ts';
import { byteCount, hex32, unixMs } from './primitives.ts';

/**
 * How a file lies on many devices (docs/decisions/0030):
 *
 *   file ─ segments of 64 KiB, each encrypted ─► sealed bytes ─ stripes of k shards ─► + (n − k) parity shards
 *
 *              place 0   place 1   …   place n−1        a place: one device, one agreement
 *   group 0     shard     shard          shard
 *   group 1     shard     shard          shard          any k shards of a group give the group
 *   last        short     short          short
 */
export const SEGMENT_BYTES = 64 * 1024;
export const TAG_BYTES = 16;

const MIB = 1024 * 1024;
/** What is cut how. Shards grow with the file, so that neither their number nor the memory for a group gets out of hand. */
export type ShapeRule = {
  readonly k: number;
  readonly n: number;
  /** Bytes, ascending; each a multiple of an audit's block. */
  readonly shardSizes: readonly number[];
  readonly mostGroups: number;
};
export const SHAPE_RULE: ShapeRule = {
  k: 10,
  n: 16,
  shardSizes: [1, 2, 4, 8].map((mib) => mib * MIB),
  mostGroups: 2048,
};

/** Below so many places more than are needed, a file is repaired. */
export const REPAIR_MARGIN = 3;

const MOST_SHARDS = 255;
export const fileShape = z
  .strictObject({
    k: z.number().int().min(1).max(MOST_SHARDS),
    n: z.number().int().min(2).max(MOST_SHARDS),
    groups: z.number().int().min(1).max(SHAPE_RULE.mostGroups),
    /** Of every group but the last. */
    shardBytes: z
      .number()
      .int()
      .min(AUDIT.blockBytes)
      .max(8 * MIB),
    lastShardBytes: z
      .number()
      .int()
      .min(AUDIT.blockBytes)
      .max(8 * MIB),
  })
  .refine(({ k, n }) => k < n, 'expected parity')
  .refine(({ shardBytes, lastShardBytes }) => lastShardBytes <= shardBytes, 'expected the last shards to be no longer');
export type FileShape = z.output<typeof fileShape>;

/** An empty file has one segment, which says so. */
export const segmentsOf = (bytes: number): number => Math.max(1, Math.ceil(bytes / SEGMENT_BYTES));
export const sealedBytesOf = (bytes: number): number => bytes + segmentsOf(bytes) * TAG_BYTES;

/** The shape of a file of so many bytes. Shards are whole blocks of an audit: none begins in one and ends in the next. Throws BAD_INPUT. */
export function shapeOf(bytes: number, rule: ShapeRule = SHAPE_RULE): FileShape {
  const { k, n, mostGroups } = rule;
  const sealed = sealedBytesOf(bytes);
  const shardBytes = rule.shardSizes.find((size) => sealed <= size * k * mostGroups);
  if (shardBytes === undefined) return fail('BAD_INPUT', 'the file is too large; cut it into several', { bytes });
  const groups = Math.ceil(sealed / (shardBytes * k));
  const rest = sealed - (groups - 1) * shardBytes * k;
  const lastShardBytes = Math.ceil(rest / k / AUDIT.blockBytes) * AUDIT.blockBytes;
  return { k, n, groups, shardBytes: groups === 1 ? lastShardBytes : shardBytes, lastShardBytes };
}

export const shardBytesAt = ({ groups, shardBytes, lastShardBytes }: FileShape, group: number): number =>
  group === groups - 1 ? lastShardBytes : shardBytes;

/** Of all shards of one place. */
export const placeBytesOf = ({ groups, shardBytes, lastShardBytes }: FileShape): number =>
  (groups - 1) * shardBytes + lastShardBytes;

/** Whether so many healthy places are too few to wait for those that are away. */
export const needsRepair = ({ k, n }: FileShape, healthy: number): boolean => healthy < Math.min(n, k + REPAIR_MARGIN);

/** Base64. */
const HASH_BYTES = 32;

/**
 * What a file is and how it is put together again. Only its owner reads it: it leaves their machine encrypted. Where the places
 * are is not in it, so that a repair changes nothing here: a shard that is made anew is the same shard.
 */
export const fileManifest = z
  .strictObject({
    format: z.literal(1),
    name: z.string().min(1).max(1024),
    bytes: byteCount,
    /** SHA-256 of the file. */
    hash: hex32,
    storedAt: unixMs,
    /** The key of the file, under a key that follows from the owner's. */
    wrappedKey: z.base64().max(256),
    shape: fileShape,
    /** For each place the SHA-256 of its shards, one behind the other in the order of the groups. */
    shards: z.array(z.base64()),
  })
  .refine(({ shape, shards }) => shards.length === shape.n, 'expected the shards of every place')
  .refine(
    ({ shape, shards }) => shards.every((hashes) => hashes.length === Math.ceil((shape.groups * HASH_BYTES) / 3) * 4),
    'expected a hash for every group',
  )
  .refine(({ bytes, shape }) => {
    const room = placeBytesOf(shape) * shape.k;
    return sealedBytesOf(bytes) <= room && sealedBytesOf(bytes) > room - shape.lastShardBytes * shape.k;
  }, 'expected a shape that fits the size');
export type FileManifest = z.output<typeof fileManifest>;
