import type { UnixMs } from '../core/primitives.ts';

const SECOND_MS = 1_000;

/** How many of something there were in the last full second. */
export class Pace {
  #since: UnixMs = 0;
  #count = 0;
  #last = 0;

  add(count: number, now: UnixMs): void {
    this.#turn(now);
    this.#count += count;
  }

  perSecond(now: UnixMs): number {
    this.#turn(now);
    return Math.max(this.#last, this.#count);
  }

  #turn(now: UnixMs): void {
    if (now >= this.#since && now - this.#since < SECOND_MS) return;
    this.#last = now - this.#since < 2 * SECOND_MS ? this.#count : 0;
    this.#since = now;
    this.#count = 0;
  }
}
