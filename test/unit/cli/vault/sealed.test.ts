import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OwnerKey } from '../../../../cli/vault/keys.ts';
import { ahead, Pieces } from '../../../../cli/vault/pieces.ts';
import { seal, unseal } from '../../../../cli/vault/sealed.ts';
import { sha256, TokenMaker } from '../../../../cli/vault/tokens.ts';
import { auditAnswer } from '../../../../core/audit.ts';
import { toHex } from '../../../../core/keccak.ts';
import { type FileManifest, SEGMENT_BYTES, sealedBytesOf, shapeOf } from '../../../../core/stored-file.ts';
import { randomHex32 } from '../../../support/random.ts';

const fileId = randomHex32();
const owner = new OwnerKey(randomHex32());
const keys = owner.fileKeys(fileId, owner.newFileKey(fileId));
const code = (name: string) => expect.objectContaining({ code: name });

async function* inPieces(bytes: Uint8Array, size = 10_007): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
async function all(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}
const sealed = (plain: Uint8Array): Promise<Buffer> => all(seal(inPieces(plain), plain.length, keys));

test('what is sealed is unsealed, in pieces of any size', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.nat(300_000), fc.constantFrom(0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, 2 * SEGMENT_BYTES)),
      fc.integer({ min: 500, max: 200_000 }),
      async (bytes, size) => {
        const plain = randomBytes(bytes);
        const text = await sealed(plain);
        expect(text.length).toBe(sealedBytesOf(bytes));
        expect(plain.equals(await all(unseal(inPieces(text, size), bytes, keys)))).toBe(true);
      },
    ),
    { numRuns: 40 },
  );
});

const SEALED_SEGMENT = SEGMENT_BYTES + 16;
const plain = randomBytes(3 * SEGMENT_BYTES);
const segment = (text: Buffer, at: number): Buffer => text.subarray(at * SEALED_SEGMENT, (at + 1) * SEALED_SEGMENT);
test.each<[string, number, (text: Buffer) => Buffer]>([
  ['a bit is another', plain.length, (text) => Buffer.from(text.map((byte, at) => (at === 70_000 ? byte ^ 1 : byte)))],
  [
    'two segments changed places',
    plain.length,
    (text) => Buffer.concat([segment(text, 1), segment(text, 0), segment(text, 2)]),
  ],
  ['it ends with a segment before', plain.length, (text) => text.subarray(0, 2 * SEALED_SEGMENT)],
  ['it is said to end with a segment before', 2 * SEGMENT_BYTES, (text) => text],
  ['the last byte is gone', plain.length, (text) => text.subarray(0, -1)],
  ['it is said to go on', plain.length + 5, (text) => Buffer.concat([text, randomBytes(21)])],
  ['there is nothing', plain.length, () => Buffer.alloc(0)],
])('it is not unsealed when %s', async (_what, bytes, change) => {
  const text = change(await sealed(plain));
  await expect(all(unseal(inPieces(text), bytes, keys))).rejects.toThrow(code('VAULT_UNREADABLE'));
});

test('another number of bytes than was said is a change of the file', async () => {
  for (const bytes of [plain.length - 1, plain.length + 1, 0]) {
    await expect(all(seal(inPieces(plain), bytes, keys))).rejects.toThrow(code('CONFLICT'));
  }
});

test('two files never have a segment or a filling in common', async () => {
  const others = owner.fileKeys(fileId, owner.newFileKey(fileId));
  expect(others.sealSegment(0, true, plain).equals(keys.sealSegment(0, true, plain))).toBe(false);
  expect(others.padding(64).equals(keys.padding(64))).toBe(false);
  expect(keys.padding(64).equals(keys.padding(64))).toBe(true);
  expect(toHex(keys.seeds(fileId, 1)[0] ?? plain)).not.toBe(toHex(keys.seeds(randomHex32(), 1)[0] ?? plain));
});

const manifest: FileManifest = {
  ...{ format: 1, name: 'notes.txt', bytes: 0, hash: randomHex32(), storedAt: 5 },
  ...{ wrappedKey: owner.newFileKey(fileId), shape: shapeOf(0) },
  shards: Array.from({ length: 16 }, () => randomBytes(32).toString('base64')),
};
test('only its owner reads a manifest, and only as that of its file', () => {
  const enclosed = owner.sealManifest(fileId, manifest);
  expect(owner.openManifest(fileId, enclosed)).toEqual(manifest);
  const other = new OwnerKey(randomHex32());
  expect(() => owner.openManifest(randomHex32(), enclosed)).toThrow(code('VAULT_UNREADABLE'));
  expect(() => other.openManifest(fileId, enclosed)).toThrow(code('VAULT_UNREADABLE'));
  expect(() => owner.openManifest(fileId, enclosed.subarray(0, 20))).toThrow(code('VAULT_UNREADABLE'));
  expect(() => other.fileKeys(fileId, manifest.wrappedKey)).toThrow(code('VAULT_UNREADABLE'));
});

test('a manifest of a newer format says so', () => {
  const enclosed = owner.sealManifest(fileId, { ...manifest, format: 2 as never });
  expect(() => owner.openManifest(fileId, enclosed)).toThrow(/newer/);
});

test.each(['', '0x12', 'secret', `0x${'g'.repeat(64)}`])('"%s" is no private key', (text) => {
  expect(() => new OwnerKey(text)).toThrow(code('BAD_INPUT'));
});

test('a key is not shown', () => {
  const secret = `0x${'5e'.repeat(32)}`;
  const shown = JSON.stringify(new OwnerKey(secret)) + String(Object.values(new OwnerKey(secret)));
  expect(shown).not.toContain('5e5e');
  expect(shown).not.toContain('94,94');
});

test('tokens made on the way are those of the whole, however it is cut', () => {
  const seeds = [randomBytes(32), randomBytes(32), randomBytes(32)];
  const shards = fc.array(fc.integer({ min: 1, max: 400_000 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(shards, (sizes) => {
      const data = randomBytes(sizes.reduce((sum, size) => sum + size, 0));
      const maker = new TokenMaker(seeds, data.length);
      let at = 0;
      for (const size of sizes) {
        maker.add(data.subarray(at, at + size));
        at += size;
      }
      const commitments = seeds.map((seed) => toHex(sha256(auditAnswer(seed, data, sha256))));
      expect(maker.finish().map(({ commitment }) => commitment)).toEqual(commitments);
      expect(maker.finish.bind(new TokenMaker(seeds, data.length))).toThrow(RangeError);
    }),
    { numRuns: 60 },
  );
});

test('pieces are taken in any size', async () => {
  const bytes = randomBytes(1000);
  const pieces = new Pieces(inPieces(bytes, 77));
  const into = new Uint8Array(600);
  expect([await pieces.fill(into), await pieces.fill(into), await pieces.fill(into)]).toEqual([600, 400, 0]);
});

test('one is made while one is used, and no more', async () => {
  let made = 0;
  let ended = false;
  async function* numbers() {
    try {
      for (;;) yield made++;
    } finally {
      ended = true;
    }
  }
  for await (const number of ahead(numbers())) {
    await Promise.resolve();
    expect(made).toBeLessThanOrEqual(number + 2);
    if (number === 5) break;
  }
  expect(ended).toBe(true);
});
