import type { Clock } from './ports.ts';

const LOOK_MS = 500;

/** Waits with a limit in unfrozen time, all looked at by one timer: a stream of many small waits costs no timer each. */
export type Patience = {
  /** `late` is called once when the answer takes longer than `ms` (to the half second). The answer is waited for all the same. */
  readonly wait: <T>(answer: Promise<T>, ms: number, late: () => void) => Promise<T>;
  readonly every: (ms: number, run: () => void) => void;
  readonly frozen: (yes: boolean) => void;
  readonly close: () => void;
};

type Wait = { readonly until: number; readonly late: () => void };

export function createPatience(clock: Clock): Patience {
  const waits = new Set<Wait>();
  const rounds = new Set<{ readonly ms: number; readonly run: () => void; next: number }>();
  const began = clock.now();
  let frozenAt: number | null = null;
  let frozenMs = 0;
  let closed = false;
  /** A clock that is set while it runs moves a limit, and does no other harm. */
  const active = (): number => (frozenAt ?? clock.now()) - began - frozenMs;

  function look(): void {
    if (closed) return;
    const now = active();
    for (const wait of [...waits]) {
      if (now < wait.until) continue;
      waits.delete(wait);
      wait.late();
    }
    for (const round of rounds) {
      if (now < round.next) continue;
      round.next = now + round.ms;
      round.run();
    }
    cancel = clock.after(LOOK_MS, look);
  }
  let cancel = clock.after(LOOK_MS, look);

  return {
    async wait(answer, ms, late) {
      const wait = { until: active() + ms, late };
      waits.add(wait);
      try {
        return await answer;
      } finally {
        waits.delete(wait);
      }
    },
    every(ms, run) {
      rounds.add({ ms, run, next: active() + ms });
    },
    frozen(yes) {
      if (yes) frozenAt ??= clock.now();
      else if (frozenAt !== null) {
        frozenMs += clock.now() - frozenAt;
        frozenAt = null;
      }
    },
    close() {
      closed = true;
      cancel();
      waits.clear();
      rounds.clear();
    },
  };
}
