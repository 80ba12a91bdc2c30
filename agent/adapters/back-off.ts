import type { Unsubscribe } from '../ports.ts';

const FIRST_MS = 1_000;
const LAST_MS = 60_000;

/** A connection that is made when first asked for, and again with growing pauses after it went. */
export type Kept<T> = {
  /** Waits for an attempt under way; null: there is none, the next attempt comes by itself. */
  readonly get: () => Promise<T | null>;
  /** Tells of each connection made, and null of each lost. Makes the first attempt. */
  readonly watch: (listener: (value: T | null) => void) => Unsubscribe;
  readonly close: () => void;
};

/**
 * `open` resolves once the connection is usable, rejects when it cannot be made, and calls `lost` when it goes. `shut` ends
 * it; `lost` may be called after that.
 */
export function keepOpen<T>(options: {
  readonly open: (lost: () => void) => Promise<T>;
  readonly shut: (value: T) => void;
  readonly firstMs?: number;
}): Kept<T> {
  const first = options.firstMs ?? FIRST_MS;
  const listeners = new Set<(value: T | null) => void>();
  let current: T | null = null;
  let attempt: Promise<T | null> | null = null;
  let pause: NodeJS.Timeout | null = null;
  let pauseMs = first;
  let closed = false;

  const tell = (value: T | null): void => {
    for (const listener of [...listeners]) listener(value);
  };
  function wait(): void {
    if (closed || pause !== null) return;
    pause = setTimeout(() => {
      pause = null;
      void connect();
    }, pauseMs);
    pause.unref();
    pauseMs = Math.min(LAST_MS, pauseMs * 2);
  }
  function connect(): Promise<T | null> {
    attempt ??= (async () => {
      // A connection may go before it was handed over: then it was never there.
      let gone = false;
      let made: T | null = null;
      try {
        made = await options.open(() => {
          gone = true;
          if (made === null || current !== made) return;
          current = null;
          wait();
          tell(null);
        });
      } catch {}
      attempt = null;
      if (made !== null && (gone || closed)) {
        options.shut(made);
        made = null;
      }
      if (made === null) {
        wait();
        return null;
      }
      current = made;
      pauseMs = first;
      tell(made);
      return made;
    })();
    return attempt;
  }
  const get = async (): Promise<T | null> => {
    if (current !== null || closed) return current;
    return pause === null ? connect() : null;
  };

  return {
    get,
    watch(listener) {
      listeners.add(listener);
      void get();
      return () => listeners.delete(listener);
    },
    close() {
      closed = true;
      listeners.clear();
      if (pause !== null) clearTimeout(pause);
      pause = null;
      if (current !== null) options.shut(current);
      current = null;
    },
  };
}
