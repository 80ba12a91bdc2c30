import type { Clock } from './ports.ts';

/** Calls `expired` after `ms` of running time: frozen time does not count. */
export type Stopwatch = { readonly run: () => void; readonly hold: () => void; readonly end: () => void };

export function createStopwatch(clock: Clock, ms: number, expired: () => void): Stopwatch {
  let left = ms;
  let since: number | null = null;
  let cancel = (): void => undefined;
  const hold = (): void => {
    if (since === null) return;
    left -= clock.now() - since;
    since = null;
    cancel();
  };
  return {
    run() {
      if (since !== null) return;
      since = clock.now();
      cancel = clock.after(Math.max(0, left), expired);
    },
    hold,
    end: hold,
  };
}
