import type { UnixMs } from '../core/primitives.ts';

type Bucket = { tokens: number; at: UnixMs };

const MAX_BUCKETS = 10_000;

/** A token bucket per key: `burst` at once, then `perSecond`. */
export class RateLimit {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
  }

  allows(key: string, now: UnixMs): boolean {
    const bucket = this.#buckets.get(key) ?? { tokens: this.#burst, at: now };
    const refilled = bucket.tokens + (Math.max(0, now - bucket.at) / 1_000) * this.#perSecond;
    bucket.tokens = Math.min(this.#burst, refilled);
    bucket.at = now;
    // Memory is bounded whatever the number of addresses: the longest known are forgotten first.
    if (!this.#buckets.has(key) && this.#buckets.size >= MAX_BUCKETS) {
      const oldest = this.#buckets.keys().next();
      if (!oldest.done) this.#buckets.delete(oldest.value);
    }
    this.#buckets.set(key, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}
