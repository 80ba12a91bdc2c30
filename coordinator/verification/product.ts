import { createHash } from 'node:crypto';
import { throughAll } from '../../core/steps.ts';

/**
 * The matrices of workloads/modmatrix, exactly: elements modulo 2^31 - 1, made by SplitMix64 (Vigna, public domain) from a key that
 * SHA-256 gives for seed, round and side. All in doubles and 32-bit integers: big integers would take seconds for one row.
 */
const PRIME = 0x7fffffff;
const TWO_32 = 0x1_0000_0000;
const TWO_16 = 0x1_0000;

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

type Key = { readonly high: number; readonly low: number };

/** What the elements of one matrix are counted from; `side` 0: left, 1: right. */
function keyOf(input: Uint8Array, round: number, side: 0 | 1): Key {
  const words = Buffer.alloc(8);
  words.writeUInt32LE(round, 0);
  words.writeUInt32LE(side, 4);
  const digest = sha256(Buffer.concat([sha256(input), words]));
  return { low: digest.readUInt32LE(0), high: digest.readUInt32LE(4) };
}

/** High 32 bits of the product of two unsigned 32-bit integers. */
function highOf(a: number, b: number): number {
  const [aLow, aHigh, bLow, bHigh] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  return (aHigh * bHigh + Math.floor(middle / TWO_16) + Math.floor(((middle % TWO_16) + aLow * bHigh) / TWO_16)) >>> 0;
}

const GAMMA: Key = { high: 0x9e3779b9, low: 0x7f4a7c15 };

/** Fills `into` with elements `first`, `first + 1` … of the matrix with this key. */
function fill(into: Float64Array, key: Key, first: number): void {
  // key + (first + 1) * gamma modulo 2^64; an index stays far below 2^32.
  const count = first + 1;
  let low = (key.low + Math.imul(count, GAMMA.low)) >>> 0;
  const carry = key.low + (Math.imul(count, GAMMA.low) >>> 0) >= TWO_32 ? 1 : 0;
  let high = (key.high + highOf(count, GAMMA.low) + Math.imul(count, GAMMA.high) + carry) >>> 0;
  for (let index = 0; index < into.length; index++) {
    // z ^ z >> 30, times 0xbf58476d1ce4e5b9; z ^ z >> 27, times 0x94d049bb133111eb; z ^ z >> 31.
    const l1 = (low ^ ((low >>> 30) | (high << 2))) >>> 0;
    const h1 = (high ^ (high >>> 30)) >>> 0;
    const l2 = Math.imul(l1, 0x1ce4e5b9) >>> 0;
    const h2 = (highOf(l1, 0x1ce4e5b9) + Math.imul(l1, 0xbf58476d) + Math.imul(h1, 0x1ce4e5b9)) >>> 0;
    const l3 = (l2 ^ ((l2 >>> 27) | (h2 << 5))) >>> 0;
    const h3 = (h2 ^ (h2 >>> 27)) >>> 0;
    const h4 = (highOf(l3, 0x133111eb) + Math.imul(l3, 0x94d049bb) + Math.imul(h3, 0x133111eb)) >>> 0;
    // The 31 highest bits of z ^ z >> 31: the low half does not reach them.
    const value = ((h4 ^ (h4 >>> 31)) >>> 0) >>> 1;
    into[index] = value === PRIME ? 0 : value;
    const sum = low + GAMMA.low;
    low = sum >>> 0;
    high = (high + GAMMA.high + (sum >= TWO_32 ? 1 : 0)) >>> 0;
  }
}

/**
 * One row of a product as it grows. A factor is taken in two parts of 16 and 15 bits: each part's product with an element stays below 2^47, so
 * that 32 of them, and what was left of those before, still fit into the 53 bits of a double.
 */
class Row {
  readonly #left: Float64Array;
  readonly #high: Float64Array;
  readonly #low: Float64Array;

  constructor(left: Float64Array) {
    this.#left = left;
    this.#high = new Float64Array(left.length);
    this.#low = new Float64Array(left.length);
  }

  /** Takes in row `k` of the right matrix. */
  add(k: number, right: Float64Array): void {
    const factor = this.#left[k] ?? 0;
    const [upper, lower] = [Math.floor(factor / TWO_16), factor % TWO_16];
    const [high, low] = [this.#high, this.#low];
    for (let at = 0; at < right.length; at++) {
      const element = right[at] ?? 0;
      high[at] = (high[at] ?? 0) + upper * element;
      low[at] = (low[at] ?? 0) + lower * element;
    }
    if (k % 32 === 31) this.#reduce();
  }

  #reduce(): void {
    for (const part of [this.#high, this.#low])
      for (let at = 0; at < part.length; at++) part[at] = (part[at] ?? 0) % PRIME;
  }

  digest(): Buffer {
    this.#reduce();
    const line = Buffer.alloc(4 * this.#left.length);
    for (const [at, high] of this.#high.entries())
      line.writeUInt32LE((high * TWO_16 + (this.#low[at] ?? 0)) % PRIME, 4 * at);
    return sha256(line);
  }
}

/**
 * SHA-256 of the asked rows of the product of one round, in the asked order, computed here from the seed alone. The right matrix is made
 * once, row by row, for all of them: memory is a few rows. It yields after each of them.
 */
export function* productSteps(
  input: Uint8Array,
  size: number,
  round: number,
  rows: readonly number[],
): Generator<void, readonly Buffer[]> {
  const [leftKey, rightKey] = [keyOf(input, round, 0), keyOf(input, round, 1)];
  const products = rows.map((row) => {
    const left = new Float64Array(size);
    fill(left, leftKey, row * size);
    return new Row(left);
  });
  const right = new Float64Array(size);
  for (let k = 0; k < size; k++) {
    fill(right, rightKey, k * size);
    for (const product of products) product.add(k, right);
    yield;
  }
  return products.map((product) => product.digest());
}

/** The same at one go. */
export const rowDigestsOf = (...asked: Parameters<typeof productSteps>): readonly Buffer[] =>
  throughAll(productSteps(...asked));
