import type { UnixMs } from '../core/primitives.ts';
import type { Clock } from './ports.ts';

/** The next moment at which time alone asks for something. */
export type Tick = {
  /** A tick that comes sooner stays: what is due must not be put off by what is told in between. */
  readonly by: (at: UnixMs) => void;
  readonly clear: () => void;
};

export function createTick(clock: Clock, run: () => void): Tick {
  let due = Number.POSITIVE_INFINITY;
  let cancel = (): void => undefined;
  return {
    by(at) {
      if (at >= due) return;
      cancel();
      due = at;
      cancel = clock.after(Math.max(1, at - clock.now()), run);
    },
    clear() {
      cancel();
      due = Number.POSITIVE_INFINITY;
    },
  };
}
