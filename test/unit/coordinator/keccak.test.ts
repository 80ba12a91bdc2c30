import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fastKeccak, keccakMany, resultsHashBy } from '../../../coordinator/keccak.ts';
import { keccak as reference, toHex } from '../../../core/keccak.ts';
import { resultsHash } from '../../../core/typed-data.ts';

test('the hash of many results is that of the protocol', async () => {
  const keccak = await fastKeccak();
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex);
  const number = fc.maxSafeNat();
  const item = fc.record({
    leaseId: hash,
    outputHash: hash,
    outputBytes: number,
    startedAt: number,
    finishedAt: number,
  });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 30 }), (results) => {
      expect(resultsHashBy(keccak, results)).toBe(resultsHash(results));
    }),
  );
});

test.each([32, 64] as const)('hashes of many inputs of %i bytes are those of each alone', async (size) => {
  const many = await keccakMany();
  const input = fc
    .integer({ min: 0, max: 1_300 })
    .chain((count) => fc.uint8Array({ minLength: count * size, maxLength: count * size }));
  fc.assert(
    fc.property(input, (pieces) => {
      const count = pieces.length / size;
      // What lies behind the hashes is not touched.
      const into = new Uint8Array(count * 32 + 1).fill(9);
      many(pieces, size, into);
      for (let at = 0; at < count; at++) {
        expect(into.subarray(at * 32, (at + 1) * 32)).toEqual(reference(pieces.slice(at * size, (at + 1) * size)));
      }
      expect(into.at(-1)).toBe(9);
    }),
    { numRuns: 12 },
  );
});
