import { createHash } from 'node:crypto';

const PRIME = 2n ** 31n - 1n;
const WORD = 2n ** 64n - 1n;

/** SplitMix64 (Vigna, public domain), its 31 highest bits modulo 2^31 - 1. */
function element(key: bigint, index: number): bigint {
  let z = (key + BigInt(index + 1) * 0x9e3779b97f4a7c15n) & WORD;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & WORD;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & WORD;
  return ((z ^ (z >> 31n)) >> 33n) % PRIME;
}

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** What workloads/modmatrix answers, from its description and with other means: big integers, one element after the other. */
export function rowDigests(input: Uint8Array, size: number, rounds: number): Buffer {
  const seed = sha256(input);
  const digests: Buffer[] = [];
  for (let round = 0; round < rounds; round++) {
    const [left, right] = [0, 1].map((which) => {
      const words = Buffer.alloc(8);
      words.writeUInt32LE(round, 0);
      words.writeUInt32LE(which, 4);
      const key = sha256(Buffer.concat([seed, words])).readBigUInt64LE();
      return Array.from({ length: size * size }, (_, index) => element(key, index));
    }) as [bigint[], bigint[]];
    for (let row = 0; row < size; row++) {
      const line = Buffer.alloc(4 * size);
      for (let column = 0; column < size; column++) {
        let sum = 0n;
        for (let k = 0; k < size; k++) sum += (left[row * size + k] ?? 0n) * (right[k * size + column] ?? 0n);
        line.writeUInt32LE(Number(sum % PRIME), 4 * column);
      }
      digests.push(sha256(line));
    }
  }
  return Buffer.concat(digests);
}
