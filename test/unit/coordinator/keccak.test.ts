import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fastKeccak, resultsHashBy } from '../../../coordinator/keccak.ts';
import { toHex } from '../../../core/keccak.ts';
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
