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
  /** The hash of the owner's leaf; null: it has none. */
  readonly leafOf: (owner: Address) => Hex32 | null;
};

/** Keccak-256 of each `size` bytes of `pieces`, into `into`, which is another place. */
export type KeccakMany = (pieces: Uint8Array, size: 32 | 64, into: Uint8Array) => void;

const HASH = 32;
/** Two words: an address and an amount, or two hashes. */
const PAIR = 64;
const ADDRESS = 20;
/** In 32 bits each. */
const OWNER_WORDS = ADDRESS / 4;
const HASH_WORDS = HASH / 4;
/** Hashed in one go: what this needs stays in the processor's cache. */
const TOGETHER = 512;
/** Odd and without pattern: the fraction of the golden ratio (Knuth's multiplicative hashing). */
const MIX = 0x9e3779b1;
const BITS = 64n;
/** What the first six bytes of a hash may come to. */
const LEADING = 2 ** 48;

const NO_DIGIT = 255;
/** The value of a hex digit by its character code. */
const DIGITS = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(value) ? NO_DIGIT : value;
});

/** Throws BAD_INPUT for what is no address. */
function writeAddress(owner: Address, into: Uint8Array, from: number): void {
  let all = owner.length === 2 + 2 * ADDRESS && owner.startsWith('0x') ? 0 : NO_DIGIT;
  for (let at = 0; at < ADDRESS && all <= 15; at++) {
    const high = DIGITS[owner.charCodeAt(2 + 2 * at)] ?? NO_DIGIT;
    const low = DIGITS[owner.charCodeAt(3 + 2 * at)] ?? NO_DIGIT;
    all = high | low;
    into[from + at] = (high << 4) | low;
  }
  if (all > 15) fail('BAD_INPUT', `${owner} is no account address`);
}

/** A uint256 at `from`, where nothing is yet. */
function writeAmount(amount: Amount, words: DataView, from: number): void {
  let rest = amount;
  for (let at = from + HASH - 8; rest > 0n; at -= 8) {
    if (at < from) fail('BAD_INPUT', 'an amount has at most 256 bits');
    words.setBigUint64(at, BigInt.asUintN(64, rest));
    rest >>= BITS;
  }
}

/**
 * Leaf of OpenZeppelin's `standard-v1` tree over [address, uint256]: keccak(keccak(abi.encode(address, uint256))).
 * Hashing twice keeps a 64-byte inner node from being read as a leaf.
 */
export const leafHash = (entitlement: Entitlement): Uint8Array => leavesOf([entitlement], oneByOne).hashes;

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

/** As fast as the Keccak of this folder. */
const oneByOne: KeccakMany = (pieces, size, into) => {
  for (let at = 0; at * size < pieces.length; at++) {
    into.set(keccak(pieces.subarray(at * size, (at + 1) * size)), at * HASH);
  }
};

/** All leaf hashes and all addresses, one after the other. */
function leavesOf(entitlements: readonly Entitlement[], hash: KeccakMany): { hashes: Uint8Array; owners: Uint8Array } {
  const hashes = new Uint8Array(entitlements.length * HASH);
  const owners = new Uint8Array(entitlements.length * ADDRESS);
  // One leaf alone is asked for often, and needs no more than its own.
  const most = Math.min(TOGETHER, entitlements.length);
  const data = new Uint8Array(most * PAIR);
  const words = new DataView(data.buffer);
  const once = new Uint8Array(most * HASH);
  for (let from = 0; from < entitlements.length; from += TOGETHER) {
    const many = Math.min(TOGETHER, entitlements.length - from);
    data.fill(0);
    for (let at = 0; at < many; at++) {
      const { owner, cumulative } = entitlements[from + at] ?? fail('INTERNAL', `leaf ${from + at} missing`);
      const own = (from + at) * ADDRESS;
      writeAddress(owner, owners, own);
      for (let byte = 0; byte < ADDRESS; byte++) data[at * PAIR + HASH - ADDRESS + byte] = owners[own + byte] ?? 0;
      writeAmount(cumulative, words, at * PAIR + HASH);
    }
    hash(data.subarray(0, many * PAIR), PAIR, once);
    hash(once.subarray(0, many * HASH), HASH, hashes.subarray(from * HASH));
  }
  return { hashes, owners };
}

/** Which of many addresses is where: a table of numbers, a tenth of the time of a map of texts. */
class Owners {
  readonly #words: Uint32Array;
  readonly #slots: Int32Array;
  readonly #seed: number;

  /** Nobody can choose addresses that meet in the table: `seed` follows from all that is in it. Throws BAD_INPUT on one twice. */
  constructor(addresses: Uint8Array, seed: number) {
    const count = addresses.length / ADDRESS;
    this.#words = new Uint32Array(addresses.buffer);
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * count))).fill(-1);
    this.#seed = seed;
    for (let index = 0; index < count; index++) {
      const slot = this.#find(this.#words, index * OWNER_WORDS);
      if (this.#slots[slot] !== -1) {
        const owner = toHex(addresses.subarray(index * ADDRESS, (index + 1) * ADDRESS));
        fail('BAD_INPUT', `owner ${owner} appears twice`);
      }
      this.#slots[slot] = index;
    }
  }

  /** -1: it is not among them. */
  indexOf(owner: Address): number {
    const bytes = new Uint8Array(ADDRESS);
    writeAddress(owner, bytes, 0);
    return this.#slots[this.#find(new Uint32Array(bytes.buffer), 0)] ?? -1;
  }

  /** The slot that has the address, or the empty one where it belongs. */
  #find(words: Uint32Array, from: number): number {
    let mixed = this.#seed;
    for (let at = 0; at < OWNER_WORDS; at++) {
      mixed = Math.imul(mixed ^ (words[from + at] ?? 0), MIX);
      mixed ^= mixed >>> 15;
    }
    const last = this.#slots.length - 1;
    for (let slot = mixed & last; ; slot = (slot + 1) & last) {
      const index = this.#slots[slot] ?? -1;
      if (index === -1 || this.#same(index * OWNER_WORDS, words, from)) return slot;
    }
  }

  #same(own: number, words: Uint32Array, from: number): boolean {
    for (let at = 0; at < OWNER_WORDS; at++) if (this.#words[own + at] !== words[from + at]) return false;
    return true;
  }
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
export function merkleTree(entitlements: readonly Entitlement[], hash: KeccakMany = oneByOne): MerkleTree {
  const count = entitlements.length;
  if (count === 0) fail('BAD_INPUT', 'a tree needs at least one owner: an empty root is never published');
  const { hashes, owners } = leavesOf(entitlements, hash);
  const order = sorted(hashes);
  const heap = heapOf(hashes, order, hash);
  const byOwner = new Owners(owners, new DataView(heap.buffer).getInt32(0));
  const places = new Uint32Array(count);
  order.forEach((index, place) => {
    places[index] = place;
  });
  const node = (at: number): Hex32 => toHex(heap.subarray(at * HASH, (at + 1) * HASH));
  const leafAt = (index: number): number => 2 * (count - 1) - (places[index] ?? 0);
  return {
    root: node(0),
    entitlements: Array.from(order, (index) => entitlements[index] ?? fail('INTERNAL', `leaf ${index} missing`)),
    leafOf(owner) {
      const index = byOwner.indexOf(owner);
      return index < 0 ? null : node(leafAt(index));
    },
    proofOf(owner) {
      const index = byOwner.indexOf(owner);
      if (index < 0) return null;
      const proof: Hex32[] = [];
      for (let at = leafAt(index); at > 0; at = (at - 1) >> 1) {
        proof.push(node(at % 2 === 1 ? at + 1 : at - 1));
      }
      return proof;
    },
  };
}

/** All nodes: the leaves in `order` from the end, before them what they hash to, two by two. */
function heapOf(hashes: Uint8Array, order: Uint32Array, hash: KeccakMany): Uint8Array {
  const count = order.length;
  const last = 2 * (count - 1);
  const heap = new Uint8Array((last + 1) * HASH);
  const words = new Uint32Array(heap.buffer);
  const leaves = new Uint32Array(hashes.buffer);
  for (let place = 0; place < count; place++) {
    const [from, to] = [(order[place] ?? 0) * HASH_WORDS, (last - place) * HASH_WORDS];
    for (let at = 0; at < HASH_WORDS; at++) words[to + at] = leaves[from + at] ?? 0;
  }
  const pairs = new Uint8Array(TOGETHER * PAIR);
  const both = new Uint32Array(pairs.buffer);
  // Of those that go together none is the parent of another.
  for (let to = count - 1; to > 0; ) {
    const from = Math.max(to - TOGETHER, to >> 1);
    for (let parent = from; parent < to; parent++) {
      const left = 2 * parent + 1;
      const swapped = compareAt(heap, left * HASH, (left + 1) * HASH) > 0;
      const [first, second] = [(swapped ? left + 1 : left) * HASH_WORDS, (swapped ? left : left + 1) * HASH_WORDS];
      const into = (parent - from) * 2 * HASH_WORDS;
      for (let at = 0; at < HASH_WORDS; at++) {
        both[into + at] = words[first + at] ?? 0;
        both[into + HASH_WORDS + at] = words[second + at] ?? 0;
      }
    }
    hash(pairs.subarray(0, (to - from) * PAIR), PAIR, heap.subarray(from * HASH));
    to = from;
  }
  return heap;
}

/** Whether `proof` leads from the entitlement's leaf to `root`. */
export function verifyProof(root: Hex32, entitlement: Entitlement, proof: readonly Hex32[]): boolean {
  let hash = leafHash(entitlement);
  for (const sibling of proof) hash = hashPair(hash, fromHex(sibling));
  return toHex(hash) === root;
}
