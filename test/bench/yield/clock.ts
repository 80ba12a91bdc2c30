import { systemClock } from '../../../agent/adapters/clock.ts';
import type { Clock, IdleSource } from '../../../agent/ports.ts';

/** Shorter waits guard something that is under way, and end in their own time. */
const GUARD_MS = 5_000;

/** The system's clock, which can be told that time has passed: what the agent waits for in minutes need not be waited for. */
export type LeapingClock = Clock & {
  /** Milliseconds. What waits for longer than `GUARD_MS` and would have come meanwhile comes now. */
  readonly leap: (ms: number) => void;
  /** The same source of idle time, its owner away during the leaps since the last input too. */
  readonly away: (source: IdleSource) => IdleSource;
};

export function leapingClock(): LeapingClock {
  type Timer = { due: number; readonly run: () => void; stop: () => void };
  const timers = new Set<Timer>();
  let leapt = 0;
  let leaps: readonly { readonly at: number; readonly ms: number }[] = [];
  const now = (): number => systemClock.now() + leapt;

  function arm(timer: Timer): void {
    timer.stop = systemClock.after(Math.max(0, timer.due - now()), () => {
      timers.delete(timer);
      timer.run();
    });
  }

  return {
    ...systemClock,
    now,
    after(ms, run) {
      const timer: Timer = { due: now() + ms, run, stop: () => undefined };
      timers.add(timer);
      arm(timer);
      return () => {
        timer.stop();
        timers.delete(timer);
      };
    },
    leap(ms) {
      const before = now();
      leapt += ms;
      leaps = [...leaps, { at: systemClock.now(), ms }];
      for (const timer of timers) {
        if (timer.due - before <= GUARD_MS) timer.due += ms;
        timer.stop();
        arm(timer);
      }
    },
    away: (source) => ({
      ...source,
      async idleMs() {
        const idle = await source.idleMs();
        if (typeof idle === 'string') return idle;
        const since = systemClock.now() - idle;
        leaps = leaps.filter(({ at }) => at > since);
        return leaps.reduce((sum, { ms }) => sum + ms, idle);
      },
    }),
  };
}
