import type { Sensed } from '../core/signals.ts';
import type { Attention, Clock, Source } from './ports.ts';

/** A source that cries without end is heard this often. */
const GAP_MS = 20;
const RETRY_MS = { first: 1_000, last: 30_000 } as const;

/** What a source does wrong must stop nothing else. */
export function quietly(run: () => void): void {
  try {
    run();
  } catch {}
}

/** One source under supervision: its newest answer can be had at any time, whatever the source does. */
export type Watched<T> = {
  readonly name: string;
  readonly value: () => Sensed<T>;
  /** Resolves when everything that is due at this attention has been read, or is overdue. */
  readonly attend: (attention: Attention) => Promise<void>;
  readonly close: () => void;
};

type WatchedOptions<T> = {
  readonly clock: Clock;
  /** Whether an answer can be one. */
  readonly sane: (value: T) => boolean;
  /** After every read, with what was known before. */
  readonly told: (before: Sensed<T>) => void;
};

/**
 * Reads a source at the pace of the attention and whenever it says that something changed; never twice at once. A read that
 * throws, answers nonsense or is overdue makes the value unknown, until one succeeds.
 */
export function watchSource<T>(source: Source<T>, { clock, sane, told }: WatchedOptions<T>): Watched<T> {
  let value: Sensed<T> = 'unknown';
  let attention: Attention = 'rest';
  let failures = 0;
  let busy = false;
  let overdue = false;
  let again = false;
  let closed = false;
  let readAt = clock.now();
  let unsubscribe: (() => void) | null = null;
  let cancelNext = (): void => undefined;
  const waiting: (() => void)[] = [];
  /** Those who want the answer to a question that is not yet asked. */
  const waitingAnew: (() => void)[] = [];

  function learn(next: Sensed<T>): void {
    if (closed) return;
    const before = value;
    value = next;
    failures = next === 'unknown' ? failures + 1 : 0;
    told(before);
  }
  function release(who = waiting): void {
    for (const resolve of who.splice(0)) resolve();
  }

  async function once(): Promise<void> {
    cancelNext();
    overdue = false;
    const cancelLate = clock.after(source.timeoutMs, () => {
      overdue = true;
      learn('unknown');
      release();
      release(waitingAnew);
    });
    let answer: Sensed<T>;
    try {
      const got = await source.read();
      answer = got === 'unknown' || got === 'unavailable' || got === value || sane(got) ? got : 'unknown';
    } catch {
      answer = 'unknown';
    }
    cancelLate();
    learn(answer);
    release();
  }

  /** `anew`: the answer to an earlier question will not do. */
  function read(anew = false): Promise<void> {
    if (closed) return Promise.resolve();
    if (busy) {
      again = true;
      return overdue ? Promise.resolve() : new Promise((resolve) => (anew ? waitingAnew : waiting).push(resolve));
    }
    waiting.push(...waitingAnew.splice(0));
    // Set before the source is asked: it may tell of a change while it is.
    busy = true;
    void once().finally(() => {
      busy = false;
      readAt = clock.now();
      if (again) cancelNext = clock.after(GAP_MS, () => void read());
      else schedule();
      again = false;
    });
    return new Promise((resolve) => waiting.push(resolve));
  }

  function schedule(): void {
    cancelNext();
    if (closed || attention === 'rest') return;
    const retry = Math.min(RETRY_MS.last, RETRY_MS.first * 2 ** Math.min(failures, 6));
    const pace = source.every[attention];
    const wait = failures > 0 ? Math.max(pace ?? 0, retry) : pace;
    if (wait === null) return;
    // Counted from the last read: who looks closer and less close in turn would put it off for ever.
    const left = Math.min(wait, Math.max(0, readAt + wait - clock.now()));
    cancelNext = clock.after(left, () => void read());
  }

  return {
    name: source.name,
    value: () => value,
    attend(next) {
      const before = attention;
      const risen = before === 'rest' && next !== 'rest';
      attention = next;
      if (next === 'rest') {
        cancelNext();
        quietly(() => unsubscribe?.());
        unsubscribe = null;
        return Promise.resolve();
      }
      // One that cannot tell is read at its pace.
      quietly(() => {
        unsubscribe ??= source.onChange?.(() => void read()) ?? null;
      });
      if (risen) return read(true);
      if (!busy && next !== before) schedule();
      return Promise.resolve();
    },
    close() {
      closed = true;
      cancelNext();
      quietly(() => unsubscribe?.());
      release();
      release(waitingAnew);
      quietly(() => source.close?.());
    },
  };
}
