import type { Amount } from '../core/money.ts';
import type { Hex32 } from '../core/primitives.ts';

/** A copy of a job that waits for a device, as far as its place in the queue is concerned. */
export type Waiting = {
  readonly jobId: Hex32;
  readonly consumer: string;
  /** Which devices can do it: workload, image and lane. */
  readonly kind: string;
  /** Among the jobs of one consumer, the higher goes first; 0..9. It takes nothing from other consumers. */
  readonly priority: number;
  /** What a consumer's turn is measured in. */
  readonly price: Amount;
};

const PRIORITIES = 10;
/** How many that do not suit one device are passed over, in each rank, before the next rank is asked. */
const LOOK_AHEAD = 32;
/** A rank forgets what was taken once that is so much and more than half of it. */
const COMPACT = 1_024;

/** First in, first out, with what is taken from the middle left out. */
class Rank<T> {
  #items: (T | null)[] = [];
  #head = 0;

  push(item: T): void {
    this.#items.push(item);
  }

  /** The oldest that suits, taken out; null: none of the first few does. */
  take(suits: (item: T) => boolean): T | null {
    let seen = 0;
    for (let at = this.#head; at < this.#items.length && seen < LOOK_AHEAD; at++) {
      const item = this.#items[at];
      if (item === undefined || item === null) {
        if (at === this.#head) this.#head += 1;
        continue;
      }
      if (suits(item)) {
        this.#items[at] = null;
        if (at === this.#head) this.#head += 1;
        this.#compact();
        return item;
      }
      seen += 1;
    }
    return null;
  }

  drop(gone: (item: T) => boolean): readonly T[] {
    const all = this.#items.slice(this.#head).filter((item) => item !== null && item !== undefined);
    this.#items = all.filter((item) => !gone(item));
    this.#head = 0;
    return all.filter(gone);
  }

  #compact(): void {
    if (this.#head < COMPACT || this.#head * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}

type Kind<T> = {
  readonly lines: Map<string, Line<T>>;
  /** Virtual time: at which the job that was taken last began. */
  now: bigint;
};
type Line<T> = {
  readonly ranks: (Rank<T> | undefined)[];
  size: number;
  /** Virtual time at which its next job begins. */
  begins: bigint;
};

/**
 * Work that waits for a device, in memory. Consumers take turns by what their work costs (start-time fair queueing: Goyal, Vin,
 * Cheng 1996, with equal weights): who has just begun to order does not wait behind another's long queue, and who ordered
 * nothing for long has saved up no turns. The same for each kind of work apart. Taking is linear in the consumers that wait.
 */
export class ReadyWork<T extends Waiting> {
  readonly #kinds = new Map<string, Kind<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  sizeOf(kind: string): number {
    let size = 0;
    for (const line of this.#kinds.get(kind)?.lines.values() ?? []) size += line.size;
    return size;
  }

  add(item: T): void {
    const kind = this.#kinds.get(item.kind) ?? { lines: new Map(), now: 0n };
    this.#kinds.set(item.kind, kind);
    const line = kind.lines.get(item.consumer) ?? { ranks: [], size: 0, begins: kind.now };
    kind.lines.set(item.consumer, line);
    if (line.begins < kind.now) line.begins = kind.now;
    const place = Math.min(PRIORITIES - 1, Math.max(0, Math.trunc(item.priority)));
    const rank = line.ranks[place] ?? new Rank<T>();
    line.ranks[place] = rank;
    rank.push(item);
    line.size += 1;
    this.#size += 1;
  }

  /** Takes out all that `gone` says. Linear in what waits. */
  drop(gone: (item: T) => boolean): readonly T[] {
    const dropped: T[] = [];
    for (const [name, { lines }] of this.#kinds) {
      for (const line of lines.values()) {
        const own = line.ranks.flatMap((rank) => rank?.drop(gone) ?? []);
        line.size -= own.length;
        dropped.push(...own);
      }
      if (![...lines.values()].some(({ size }) => size > 0)) this.#kinds.delete(name);
    }
    this.#size -= dropped.length;
    return dropped;
  }

  /** Takes the work of these kinds whose turn it is and that suits; null: there is none. */
  take(kinds: Iterable<string>, suits: (item: T) => boolean): T | null {
    for (const name of kinds) {
      const kind = this.#kinds.get(name);
      if (kind === undefined) continue;
      const item = takeInTurn(kind, suits);
      if (item === null) continue;
      this.#size -= 1;
      if (![...kind.lines.values()].some(({ size }) => size > 0)) this.#kinds.delete(name);
      return item;
    }
    return null;
  }
}

function takeInTurn<T extends Waiting>(kind: Kind<T>, suits: (item: T) => boolean): T | null {
  const { lines } = kind;
  const waiting = [...lines].filter(([, { size }]) => size > 0);
  for (const [, line] of waiting.sort(
    ([a, one], [b, other]) => compare(one.begins, other.begins) || (a < b ? -1 : 1),
  )) {
    const item = takeFrom(line, suits);
    if (item === null) continue;
    if (line.begins > kind.now) kind.now = line.begins;
    line.begins += item.price > 0n ? item.price : 1n;
    line.size -= 1;
    // Whose turns are used up is remembered, or one who orders job by job would always be next.
    for (const [consumer, { size, begins }] of lines) if (size === 0 && begins <= kind.now) lines.delete(consumer);
    return item;
  }
  return null;
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

function takeFrom<T>(line: Line<T>, suits: (item: T) => boolean): T | null {
  for (let place = PRIORITIES - 1; place >= 0; place--) {
    const item = line.ranks[place]?.take(suits) ?? null;
    if (item !== null) return item;
  }
  return null;
}
