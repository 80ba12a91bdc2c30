import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

/** What the network does to messages, each one by itself: one that takes longer is overtaken. */
export type LinkFaults = {
  readonly lost: number;
  readonly doubled: number;
  readonly leastMs: number;
  readonly mostMs: number;
  /** Of ten thousand messages so many are held up for as long as an hour. */
  readonly stuckPer10k: number;
};

export const CALM: LinkFaults = { lost: 0.001, doubled: 0.001, leastMs: 20, mostMs: 800, stuckPer10k: 1 };
export const STORM: LinkFaults = { lost: 0.08, doubled: 0.08, leastMs: 5, mostMs: 90_000, stuckPer10k: 100 };

const HOUR_MS = 3_600_000;

/** One device's connection, both ways. While it is cut nothing passes; what was on its way is lost when it would arrive. */
export class Link {
  cut = false;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #faults: LinkFaults;

  constructor(timeline: Timeline, random: Random, faults: LinkFaults) {
    this.#timeline = timeline;
    this.#random = random;
    this.#faults = faults;
  }

  pass(deliver: () => void): void {
    if (this.cut) return;
    const { lost, doubled, leastMs, mostMs, stuckPer10k } = this.#faults;
    const copies = this.#random.chance(lost) ? 0 : this.#random.chance(doubled) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const stuck = this.#random.below(10_000) < stuckPer10k ? this.#random.between(0, HOUR_MS) : 0;
      this.#timeline.after(this.#random.between(leastMs, mostMs) + stuck, () => {
        if (!this.cut) deliver();
      });
    }
  }
}
