import { parseAddress } from '../core/addresses.ts';
import type { UnixMs } from '../core/primitives.ts';

/** Whose request it is: an IPv4 address, or the /64 of an IPv6 one: nobody is given less, so all of it is one. */
export function lineOf(ip: string): string {
  const value = parseAddress(ip.split('%')[0] ?? '');
  if (value === null) return ip;
  return value >> 32n === 0xffffn ? `${value}` : `${value >> 64n}/64`;
}

type Bucket = { tokens: number; at: UnixMs };

const MAX_BUCKETS = 10_000;

/** Whether a request passes, how many more would now, and seconds until the next does. */
export type Passage = { readonly allowed: boolean; readonly remaining: number; readonly retryAfter: number };

/** A token bucket per key: `burst` at once, then `perSecond`. */
export class RateLimit {
  readonly burst: number;
  readonly perSecond: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(burst: number, perSecond: number) {
    this.burst = burst;
    this.perSecond = perSecond;
  }

  take(key: string, now: UnixMs): Passage {
    const bucket = this.#buckets.get(key) ?? { tokens: this.burst, at: now };
    const refilled = bucket.tokens + (Math.max(0, now - bucket.at) / 1_000) * this.perSecond;
    bucket.tokens = Math.min(this.burst, refilled);
    bucket.at = now;
    // Memory is bounded whatever the number of keys: the longest known are forgotten first.
    if (!this.#buckets.has(key) && this.#buckets.size >= MAX_BUCKETS) {
      const oldest = this.#buckets.keys().next();
      if (!oldest.done) this.#buckets.delete(oldest.value);
    }
    this.#buckets.set(key, bucket);
    const allowed = bucket.tokens >= 1;
    if (allowed) bucket.tokens -= 1;
    const missing = Math.max(0, 1 - bucket.tokens);
    return {
      allowed,
      remaining: Math.floor(bucket.tokens),
      retryAfter: Math.max(1, Math.ceil(missing / this.perSecond)),
    };
  }

  allows(key: string, now: UnixMs): boolean {
    return this.take(key, now).allowed;
  }
}
