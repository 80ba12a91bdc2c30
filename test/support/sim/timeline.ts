import type { UnixMs } from '../../../core/primitives.ts';

type Event = { readonly at: UnixMs; readonly order: number; readonly run: () => void };

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** Virtual time: a heap of what happens next. Of two events at one moment the one that was planned first comes first. */
export class Timeline {
  readonly #heap: Event[] = [];
  #now: UnixMs;
  #planned = 0;

  constructor(start: UnixMs) {
    this.#now = start;
  }

  get now(): UnixMs {
    return this.#now;
  }

  after(ms: number, run: () => void): void {
    const event = { at: this.#now + Math.max(0, ms), order: this.#planned++, run };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, event)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  /** Every `ms` from now on, the first time after a part of it. */
  every(ms: number, first: number, run: () => void): void {
    this.after(first, () => {
      run();
      this.every(ms, ms, run);
    });
  }

  #take(): Event | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      let smaller = left;
      if (right !== undefined && isBefore(right, left)) {
        smaller = right;
        child += 1;
      }
      if (isBefore(last, smaller)) break;
      heap[at] = smaller;
      at = child;
    }
    heap[at] = last;
    return first;
  }

  runUntil(end: UnixMs): void {
    for (let next = this.#heap[0]; next !== undefined && next.at <= end; next = this.#heap[0]) {
      this.#take();
      this.#now = next.at;
      next.run();
    }
    this.#now = end;
  }
}
