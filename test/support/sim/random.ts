import type { Address, Hex32 } from '../../../core/primitives.ts';

const HALVES: readonly string[] = Array.from({ length: 65_536 }, (_, half) => half.toString(16).padStart(4, '0'));

/** A stream of numbers that follows from its seed alone: sfc32 (Chris Doty-Humphrey, PractRand, public domain). */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  constructor(seed: number, stream: string) {
    let hash = 0x811c9dc5 ^ seed;
    for (const letter of stream) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193);
    [this.#a, this.#b, this.#c] = [hash | 0, Math.imul(seed, 0x9e3779b9) | 0, (seed / 0x1_0000_0000) | 0];
    for (let warm = 0; warm < 15; warm++) this.#word();
  }

  #word(): number {
    const sum = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** From 0 to below 1. */
  next(): number {
    return this.#word() / 0x1_0000_0000;
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  #hex(words: number): string {
    let text = '';
    for (let count = 0; count < words; count++) {
      const word = this.#word();
      text += `${HALVES[word >>> 16] ?? ''}${HALVES[word & 0xffff] ?? ''}`;
    }
    return text;
  }

  /** As unlikely to come twice as a real one, and half as long: there are millions of them. */
  id(): Hex32 {
    return `0x${this.#hex(4)}`;
  }

  address(): Address {
    return `0x${this.#hex(5)}`;
  }
}
