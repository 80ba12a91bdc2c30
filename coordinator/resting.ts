import type { Hex32, UnixMs } from '../core/primitives.ts';

const REST_MS = 10_000;

/** What failed and is left alone for a while, so that there is a turn for what comes after it. */
export class Resting {
  readonly #until = new Map<Hex32, UnixMs>();

  add(id: Hex32, now: UnixMs): void {
    this.#until.set(id, now + REST_MS);
  }

  /** How many rest now: whoever looks for some others must look at so many more. */
  count(now: UnixMs): number {
    // A clock that was set back would let them rest for long.
    for (const [id, until] of this.#until) if (until <= now || until > now + REST_MS) this.#until.delete(id);
    return this.#until.size;
  }

  others(ids: readonly Hex32[]): readonly Hex32[] {
    return ids.filter((id) => !this.has(id));
  }

  has(id: Hex32): boolean {
    return this.#until.has(id);
  }
}
