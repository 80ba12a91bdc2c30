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

/** Keccak-256. What it answers may be used again for the next answer. */
export type Keccak = (data: Uint8Array) => Uint8Array;

const HASH = 32;
/** Two words: an address and an amount, or two hashes. */
const PAIR = 2 * HASH;
const ADDRESS = 20;
const BITS = 64n;
const LOW = (1n << BITS) - 1n;
/** What the first six bytes of a hash may come to. */
const LEADING = 2 ** 48;

/** `abi.encode(address, uint256)` into `into`. */
function writeLeaf({ owner, cumulative }: Entitlement, into: Uint8Array, words: DataView): void {
  into.fill(0);
  into.set(fromHex(owner), HASH - ADDRESS);
  let rest = cumulative;
  for (let at = PAIR - 8; rest > 0n; at -= 8) {
    if (at < HASH) fail('BAD_INPUT', 'an amount has at most 256 bits');
    words.setBigUint64(at, rest & LOW);
    rest >>= BITS;
  }
}

/**
 * Leaf of OpenZeppelin's `standard-v1` tree over [address, uint256]: keccak(keccak(abi.encode(address, uint256))).
 * Hashing twice keeps a 64-byte inner node from being read as a leaf.
 */
export function leafHash(entitlement: Entitlement): Uint8Array {
  const data = new Uint8Array(PAIR);
  writeLeaf(entitlement, data, new DataView(data.buffer));
  return keccak(keccak(data));
}

function compareAt(all: Uint8Array, a: number, b: number): number {
  for (let i = 0; i < HASH; i++) {
    const difference = (all[a + i] ?? 0) - (all[b + i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const hashPair = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const both = concat(a, b);
  return keccak(compareAt(both, 0, HASH) <= 0 ? both : concat(b, a));
};

/** All leaf hashes, one after the other. */
function leafHashes(entitlements: readonly Entitlement[], hash: Keccak): Uint8Array {
  const all = new Uint8Array(entitlements.length * HASH);
  const data = new Uint8Array(PAIR);
  const words = new DataView(data.buffer);
  const once = new Uint8Array(HASH);
  for (const [index, entitlement] of entitlements.entries()) {
    writeLeaf(entitlement, data, words);
    once.set(hash(data));
    all.set(hash(once), index * HASH);
  }
  return all;
}

/**
 * The numbers of the hashes, by size. Leading bits and number share one double, which typed arrays sort without asking back; the
 * few whose leading bits agree are put in order afterwards.
 */
function sorted(hashes: Uint8Array): Uint32Array {
  const count = hashes.length / HASH;
  const numbers = 2 ** Math.ceil(Math.log2(count + 1));
  const cut = (numbers * LEADING) / (Number.MAX_SAFE_INTEGER + 1);
  const words = new DataView(hashes.buffer, hashes.byteOffset);
  const keys = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    const leading = words.getUint32(index * HASH) * 2 ** 16 + words.getUint16(index * HASH + 4);
    keys[index] = Math.floor(leading / Math.max(1, cut)) * numbers + index;
  }
  keys.sort();
  const order = Uint32Array.from(keys, (key) => key % numbers);
  for (let from = 0; from < count; ) {
    const leading = Math.floor((keys[from] ?? 0) / numbers);
    let to = from + 1;
    while (to < count && Math.floor((keys[to] ?? 0) / numbers) === leading) to += 1;
    if (to - from > 1) order.subarray(from, to).sort((a, b) => compareAt(hashes, a * HASH, b * HASH));
    from = to;
  }
  return order;
}

/**
 * Builds the tree in `standard-v1` layout: leaves sorted by hash fill the end of an array heap in reverse, all in one buffer.
 * Source: @openzeppelin/merkle-tree. `hash` replaces the slower Keccak of this folder. Throws BAD_INPUT on no leaves or an
 * owner twice.
 */
export function merkleTree(entitlements: readonly Entitlement[], hash: Keccak = keccak): MerkleTree {
  const count = entitlements.length;
  if (count === 0) fail('BAD_INPUT', 'a tree needs at least one owner: an empty root is never published');
  const hashes = leafHashes(entitlements, hash);
  const order = sorted(hashes);
  const size = 2 * count - 1;
  const heap = new Uint8Array(size * HASH);
  const position = new Map<string, number>();
  const inOrder: Entitlement[] = [];
  for (const [place, index] of order.entries()) {
    const at = size - 1 - place;
    heap.set(hashes.subarray(index * HASH, (index + 1) * HASH), at * HASH);
    const entitlement = entitlements[index] ?? fail('INTERNAL', `leaf ${index} missing`);
    const owner = entitlement.owner.toLowerCase();
    if (position.has(owner)) fail('BAD_INPUT', `owner ${owner} appears twice`);
    position.set(owner, at);
    inOrder.push(entitlement);
  }
  const pair = new Uint8Array(PAIR);
  for (let at = size - 1 - count; at >= 0; at--) {
    const [left, right] = [(2 * at + 1) * HASH, (2 * at + 2) * HASH];
    const [low, high] = compareAt(heap, left, right) <= 0 ? [left, right] : [right, left];
    pair.set(heap.subarray(low, low + HASH));
    pair.set(heap.subarray(high, high + HASH), HASH);
    heap.set(hash(pair), at * HASH);
  }
  const node = (at: number): Hex32 => toHex(heap.subarray(at * HASH, (at + 1) * HASH));
  return {
    root: node(0),
    entitlements: inOrder,
    proofOf(owner) {
      let at = position.get(owner.toLowerCase());
      if (at === undefined) return null;
      const proof: Hex32[] = [];
      while (at > 0) {
        proof.push(node(at % 2 === 1 ? at + 1 : at - 1));
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
