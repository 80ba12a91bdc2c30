import { StandardMerkleTree } from '@openzeppelin/merkle-tree';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keccakMany } from '../../../coordinator/keccak.ts';
import { fromHex, type Keccak, keccak, toHex } from '../../../core/keccak.ts';
import { type Entitlement, type KeccakMany, merkleTree } from '../../../core/merkle.ts';
import type { Address } from '../../../core/primitives.ts';

const owner = fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => toHex(bytes));
const amount = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), fc.bigInt({ min: 0n, max: 300n }));
const list = (maxLength: number): fc.Arbitrary<readonly Entitlement[]> =>
  fc.uniqueArray(fc.record({ owner, cumulative: amount }), { minLength: 1, maxLength, selector: (one) => one.owner });

test('is OpenZeppelin’s tree to the byte, with either Keccak', async () => {
  const fast = await keccakMany();
  fc.assert(
    fc.property(list(60), (entitlements) => {
      const plain = entitlements.map((one) => [one.owner, one.cumulative.toString()]);
      const theirs = StandardMerkleTree.of(plain, ['address', 'uint256']);
      for (const tree of [merkleTree(entitlements), merkleTree(entitlements, fast)]) {
        expect(tree.root).toBe(theirs.root);
        for (const [index, leaf] of theirs.entries()) {
          expect(tree.proofOf(leaf[0] as Address)).toEqual(theirs.getProof(index));
          expect(tree.leafOf(leaf[0] as Address)).toBe(theirs.leafHash(leaf));
        }
      }
    }),
    { numRuns: 60 },
  );
});

test.each([511, 512, 513, 1024, 1025, 1539])(
  'is OpenZeppelin’s tree of %i owners, which are not hashed in one go',
  async (count) => {
    const entitlements = Array.from({ length: count }, (_, at) => ({
      owner: `0x${(at * 7919).toString(16).padStart(40, 'a')}` as const,
      cumulative: BigInt(at) ** 9n,
    }));
    const theirs = StandardMerkleTree.of(
      entitlements.map((one) => [one.owner, one.cumulative.toString()]),
      ['address', 'uint256'],
    );
    const tree = merkleTree(entitlements, await keccakMany());
    expect(tree.root).toBe(theirs.root);
    for (const at of [0, 1, 2, count >> 1, count - 1]) {
      expect(tree.proofOf(entitlements[at]?.owner ?? '0x')).toEqual(theirs.getProof(at));
    }
  },
);

test('leaves whose leading bytes agree are in order all the same', () => {
  /** A hash that nearly always agrees with another for a while. */
  const weak: Keccak = (data) => keccak(data).fill(7, 0, 9);
  const manyWeak: KeccakMany = (pieces, size, into) => {
    for (let at = 0; at * size < pieces.length; at++) {
      into.set(weak(pieces.slice(at * size, (at + 1) * size)), at * 32);
    }
  };
  fc.assert(
    fc.property(list(40), (entitlements) => {
      const leaf = ({ owner: name, cumulative }: Entitlement): string =>
        toHex(weak(weak(fromHex(`0x${name.slice(2).padStart(64, '0')}${cumulative.toString(16).padStart(64, '0')}`))));
      const expected = [...entitlements].sort((a, b) => (leaf(a) < leaf(b) ? -1 : 1));
      expect(merkleTree(entitlements, manyWeak).entitlements).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

test('an amount beyond 256 bits is refused', () => {
  const one = { owner: `0x${'11'.repeat(20)}`, cumulative: 2n ** 256n } as const;
  expect(() => merkleTree([one])).toThrow('256 bits');
});

const A = `0x${'ab'.repeat(20)}` as const;
const B = `0x${'cd'.repeat(20)}` as const;
const ofA = { owner: A, cumulative: 1n };

test('an owner twice is refused, in capitals or not and with another amount', () => {
  const again = { owner: A.toUpperCase().replace('X', 'x') as Address, cumulative: 2n };
  expect(() => merkleTree([ofA, { owner: B, cumulative: 1n }, again])).toThrow(`${A} appears twice`);
});

test('an owner is found in capitals, and who is no owner has no proof', () => {
  const tree = merkleTree([ofA, { owner: B, cumulative: 1n }]);
  expect(tree.proofOf(A.toUpperCase().replace('X', 'x') as Address)).toEqual(tree.proofOf(A));
  expect(tree.proofOf(A)).toHaveLength(1);
  expect(tree.proofOf(`0x${'00'.repeat(20)}`)).toBeNull();
  expect(tree.leafOf(`0x${'00'.repeat(20)}`)).toBeNull();
});

test.each([['0x12'], [`0x${'ab'.repeat(19)}ag`], [`0x${'ab'.repeat(19)}é1`], [`11${'ab'.repeat(20)}`]])(
  '%s is refused: it is no address',
  (owner) => {
    expect(() => merkleTree([{ owner: owner as Address, cumulative: 1n }])).toThrow('no account address');
  },
);
