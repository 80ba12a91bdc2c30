import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AUDIT } from '../../../core/audit.ts';
import { ZERO_HASH } from '../../../core/primitives.ts';
import {
  fileManifest,
  fileShape,
  needsRepair,
  placeBytesOf,
  SEGMENT_BYTES,
  SHAPE_RULE,
  sealedBytesOf,
  shapeOf,
  shardBytesAt,
} from '../../../core/stored-file.ts';

const MIB = 2 ** 20;

test.each([
  ['an empty file', 0, { groups: 1, shardBytes: 1024, lastShardBytes: 1024 }],
  ['what just fits into the smallest shards', 10 * 1024 - 16, { groups: 1, shardBytes: 1024, lastShardBytes: 1024 }],
  ['a byte more', 10 * 1024 - 15, { groups: 1, shardBytes: 2048, lastShardBytes: 2048 }],
  ['one group', 10 * MIB - 160 * 16, { groups: 1, shardBytes: MIB, lastShardBytes: MIB }],
  ['one group and a byte', 10 * MIB - 160 * 16 + 1, { groups: 2, shardBytes: MIB, lastShardBytes: 1024 }],
  ['a gibibyte', 1024 * MIB, { groups: 103, shardBytes: MIB, lastShardBytes: 446_464 }],
  ['what needs larger shards', 21_000 * MIB, { groups: 1051, shardBytes: 2 * MIB, lastShardBytes: 537_600 }],
])('the shape of %s', (_what, bytes, shape) => {
  expect(shapeOf(bytes)).toEqual({ k: 10, n: 16, ...shape });
});

test('a shape has room for the file, wastes little, and cuts no block of an audit', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 160_000 * MIB }), (bytes) => {
      const shape = fileShape.parse(shapeOf(bytes));
      const room = placeBytesOf(shape) * shape.k;
      expect(room).toBeGreaterThanOrEqual(sealedBytesOf(bytes));
      expect(room - sealedBytesOf(bytes)).toBeLessThan(shape.k * AUDIT.blockBytes);
      expect(shape.shardBytes % AUDIT.blockBytes).toBe(0);
      expect(shape.lastShardBytes % AUDIT.blockBytes).toBe(0);
      const all = Array.from({ length: shape.groups }, (_, group) => shardBytesAt(shape, group));
      expect(all.reduce((sum, size) => sum + size, 0)).toBe(placeBytesOf(shape));
    }),
  );
});

test('a file too large for its rule is refused', () => {
  expect(() => shapeOf(200_000 * MIB)).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }));
  expect(() => shapeOf(20 * 2048, { ...SHAPE_RULE, k: 1, n: 2, shardSizes: [1024], mostGroups: 39 })).toThrow();
});

test('an empty file is sealed, too', () => {
  expect([0, 1, SEGMENT_BYTES, SEGMENT_BYTES + 1].map(sealedBytesOf)).toEqual([16, 17, 65_552, 65_569]);
});

test('a file is repaired before it hangs by its last shards', () => {
  const shape = shapeOf(0);
  expect([16, 13, 12, 10].map((healthy) => needsRepair(shape, healthy))).toEqual([false, false, true, true]);
  expect(needsRepair({ ...shape, k: 2, n: 3 }, 3)).toBe(false);
  expect(needsRepair({ ...shape, k: 2, n: 3 }, 2)).toBe(true);
});

const manifest = (bytes: number) => {
  const shape = shapeOf(bytes);
  const shards = Array.from({ length: shape.n }, () => Buffer.alloc(32 * shape.groups).toString('base64'));
  const what = { format: 1, name: 'a film.mkv', bytes, hash: ZERO_HASH, storedAt: 1 };
  return { ...what, wrappedKey: Buffer.alloc(60).toString('base64'), shape, shards };
};

test.each([0, 1, 10 * MIB, 25 * MIB])('a manifest of %d bytes is read', (bytes) => {
  expect(fileManifest.parse(manifest(bytes))).toEqual(manifest(bytes));
});

const good = manifest(25 * MIB);
test.each([
  ['a place too few', { shards: good.shards.slice(1) }],
  ['a hash too few', { shards: good.shards.map((hashes) => hashes.slice(44)) }],
  ['another size', { bytes: good.bytes + 8 * MIB }],
  ['a size of fewer groups', { bytes: 1 }],
  ['a shape without parity', { shape: { ...good.shape, n: 10 } }],
  ['last shards that are longer', { shape: { ...good.shape, lastShardBytes: good.shape.shardBytes + 1024 } }],
  ['no name', { name: '' }],
  ['something more', { more: 1 }],
])('a manifest with %s is none', (_what, change) => {
  expect(fileManifest.safeParse({ ...good, ...change }).success).toBe(false);
});
