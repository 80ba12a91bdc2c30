import { StandardMerkleTree } from '@openzeppelin/merkle-tree';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fastKeccak } from '../../../coordinator/keccak.ts';
import { fromHex, keccak, toHex } from '../../../core/keccak.ts';
import { type Entitlement, type Keccak, merkleTree } from '../../../core/merkle.ts';
import type { Address } from '../../../core/primitives.ts';

const owner = fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => toHex(bytes));
const amount = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), fc.bigInt({ min: 0n, max: 300n }));
const list = (maxLength: number): fc.Arbitrary<readonly Entitlement[]> =>
  fc.uniqueArray(fc.record({ owner, cumulative: amount }), { minLength: 1, maxLength, selector: (one) => one.owner });

test('is OpenZeppelin’s tree to the byte, with either Keccak', async () => {
  const fast = await fastKeccak();
  fc.assert(
    fc.property(list(60), (entitlements) => {
      const plain = entitlements.map((one) => [one.owner, one.cumulative.toString()]);
      const theirs = StandardMerkleTree.of(plain, ['address', 'uint256']);
      for (const tree of [merkleTree(entitlements), merkleTree(entitlements, fast)]) {
        expect(tree.root).toBe(theirs.root);
        for (const [index, [name]] of theirs.entries()) {
          expect(tree.proofOf(name as Address)).toEqual(theirs.getProof(index));
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('leaves whose leading bytes agree are in order all the same', () => {
  /** A hash that nearly always agrees with another for a while. */
  const weak: Keccak = (data) => keccak(data).fill(7, 0, 9);
  fc.assert(
    fc.property(list(40), (entitlements) => {
      const leaf = ({ owner: name, cumulative }: Entitlement): string =>
        toHex(weak(weak(fromHex(`0x${name.slice(2).padStart(64, '0')}${cumulative.toString(16).padStart(64, '0')}`))));
      const expected = [...entitlements].sort((a, b) => (leaf(a) < leaf(b) ? -1 : 1));
      expect(merkleTree(entitlements, weak).entitlements).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

test('an amount beyond 256 bits is refused', () => {
  const one = { owner: `0x${'11'.repeat(20)}`, cumulative: 2n ** 256n } as const;
  expect(() => merkleTree([one])).toThrow('256 bits');
});
