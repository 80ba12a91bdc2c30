import type { Clock } from './ports.ts';

/** What is told for a while and then goes by itself; the newest replaces the last. */
export type Notice<T> = {
  readonly tell: (what: T) => void;
  readonly now: () => T | null;
  readonly close: () => void;
};

export function createNotice<T>(options: {
  readonly clock: Clock;
  readonly forMs: number;
  readonly changed: () => void;
}): Notice<T> {
  const { clock, forMs, changed } = options;
  let told: T | null = null;
  let cancel = (): void => undefined;
  return {
    tell(what) {
      cancel();
      told = what;
      cancel = clock.after(forMs, () => {
        told = null;
        changed();
      });
    },
    now: () => told,
    close: () => cancel(),
  };
}
