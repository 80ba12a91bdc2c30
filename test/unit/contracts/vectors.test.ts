import { TypedDataEncoder } from 'ethers';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../../core/keccak.ts';
import { leafHash, merkleTree, verifyProof } from '../../../core/merkle.ts';
import { fieldsOf, TYPES } from '../../../core/typed-data.ts';
import { vectors } from '../../vectors/index.ts';

describe('golden vectors', () => {
  it('cover every struct that is ever signed', () => {
    expect(vectors.typedData.map((vector) => vector.name).sort()).toEqual(Object.keys(TYPES).sort());
  });

  it.each(vectors.typedData)('$name hashes to what it always did', ({ name, value, structHash, digest }) => {
    expect(TypedDataEncoder.hashStruct(name, fieldsOf(name), value)).toBe(structHash);
    expect(TypedDataEncoder.hash(vectors.domain, fieldsOf(name), value)).toBe(digest);
  });

  it.each(vectors.trees.map((tree) => ({ size: tree.leaves.length, ...tree })))(
    'our tree of $size leaves is OpenZeppelin’s',
    ({ root, leaves }) => {
      const tree = merkleTree(leaves);
      expect(tree.root).toBe(root);
      for (const leaf of leaves) {
        expect(toHex(leafHash(leaf))).toBe(leaf.leaf);
        expect(tree.proofOf(leaf.owner)).toEqual(leaf.proof);
        expect(verifyProof(root, leaf, leaf.proof)).toBe(true);
        expect(verifyProof(root, { ...leaf, cumulative: leaf.cumulative + 1n }, leaf.proof)).toBe(false);
      }
    },
  );
});
