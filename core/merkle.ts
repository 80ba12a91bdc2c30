import { fail } from './errors.ts';
import { concat, fromHex, keccak, toHex } from './keccak.ts';
import type { Amount } from './money.ts';
import type { Address, Hex32 } from './primitives.ts';

/** One owner's cumulative amount: a leaf of the epoch tree. */
export type Entitlement = { readonly owner: Address; readonly cumulative: Amount };

/** The published data set of an epoch, sufficient to rebuild the tree. */
export type MerkleTree = {
  readonly root: Hex32;
  /** Sorted by leaf hash, as the tree has them. */
  readonly entitlements: readonly Entitlement[];
  readonly proofOf: (owner: Address) => readonly Hex32[] | null;
};

/**
 * Leaf of OpenZeppelin's `standard-v1` tree over [address, uint256]: keccak(keccak(abi.encode(address, uint256))).
 * Hashing twice keeps a 64-byte inner node from being read as a leaf.
 */
export function leafHash({ owner, cumulative }: Entitlement): Uint8Array {
  const word = (hex: string) => fromHex(`0x${hex.padStart(64, '0')}`);
  return keccak(keccak(concat(word(owner.slice(2).toLowerCase()), word(cumulative.toString(16)))));
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const hashPair = (a: Uint8Array, b: Uint8Array): Uint8Array => keccak(compare(a, b) <= 0 ? concat(a, b) : concat(b, a));

/**
 * Builds the tree in `standard-v1` layout: leaves sorted by hash fill the end of an array heap in reverse.
 * Source: @openzeppelin/merkle-tree. Throws BAD_INPUT on no leaves or an owner twice.
 */
export function merkleTree(entitlements: readonly Entitlement[]): MerkleTree {
  if (entitlements.length === 0) fail('BAD_INPUT', 'a tree needs at least one owner: an empty root is never published');
  const leaves = entitlements.map((entitlement) => ({ entitlement, hash: leafHash(entitlement) }));
  leaves.sort((a, b) => compare(a.hash, b.hash));
  const size = 2 * leaves.length - 1;
  const heap = new Array<Uint8Array>(size);
  const position = new Map<string, number>();
  leaves.forEach(({ entitlement, hash }, index) => {
    const at = size - 1 - index;
    heap[at] = hash;
    const owner = entitlement.owner.toLowerCase();
    if (position.has(owner)) fail('BAD_INPUT', `owner ${owner} appears twice`);
    position.set(owner, at);
  });
  const node = (at: number): Uint8Array => heap[at] ?? fail('INTERNAL', `merkle node ${at} missing`);
  for (let at = size - 1 - leaves.length; at >= 0; at--) heap[at] = hashPair(node(2 * at + 1), node(2 * at + 2));
  return {
    root: toHex(node(0)),
    entitlements: leaves.map((leaf) => leaf.entitlement),
    proofOf(owner) {
      let at = position.get(owner.toLowerCase());
      if (at === undefined) return null;
      const proof: Hex32[] = [];
      while (at > 0) {
        proof.push(toHex(node(at % 2 === 1 ? at + 1 : at - 1)));
        at = (at - 1) >> 1;
      }
      return proof;
    },
  };
}

/** Whether `proof` leads from the entitlement's leaf to `root`. */
export function verifyProof(root: Hex32, entitlement: Entitlement, proof: readonly Hex32[]): boolean {
  let hash = leafHash(entitlement);
  for (const sibling of proof) hash = hashPair(hash, fromHex(sibling));
  return toHex(hash) === root;
}
