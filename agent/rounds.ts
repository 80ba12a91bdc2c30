import type { UnixMs } from '../core/primitives.ts';
import type { Clock } from './ports.ts';

/** Rounds that never overlap: one follows when something asks for it, or when its time has come. */
export type Rounds = {
  /** The first round begins. */
  readonly start: () => void;
  /** No further one begins; one that is under way goes on. */
  readonly stop: () => void;
  readonly alive: () => boolean;
  /** Another round is wanted: now, or as soon as the one under way is over. */
  readonly wake: () => void;
  /** Between rounds: when the next is due may have changed. */
  readonly reconsider: () => void;
  /** The one under way; null: none is. */
  readonly current: () => Promise<void> | null;
};

type RoundsOptions = {
  readonly clock: Clock;
  readonly round: () => Promise<void>;
  /** A round that fails is followed by the next. */
  readonly failed: (error: unknown) => void;
  /** When time alone asks for the next one. */
  readonly next: () => UnixMs;
};

export function createRounds({ clock, round, failed, next }: RoundsOptions): Rounds {
  let alive = false;
  let wanted = false;
  let current: Promise<void> | null = null;
  let cancelTick = (): void => undefined;
  let due = Number.POSITIVE_INFINITY;

  function wake(): void {
    wanted = true;
    if (!alive || current !== null) return;
    current = loop().finally(() => {
      current = null;
      if (wanted) wake();
    });
  }

  async function loop(): Promise<void> {
    cancelTick();
    due = Number.POSITIVE_INFINITY;
    while (alive && wanted) {
      wanted = false;
      await round().catch(failed);
    }
    if (alive) tickAt(next());
  }

  /** A tick that comes sooner stays: what is due must not be put off by what is told in between. */
  function tickAt(at: UnixMs): void {
    if (at >= due) return;
    cancelTick();
    due = at;
    cancelTick = clock.after(Math.max(1, at - clock.now()), wake);
  }

  return {
    start() {
      alive = true;
      wake();
    },
    stop() {
      alive = false;
      cancelTick();
    },
    alive: () => alive,
    wake,
    reconsider() {
      if (current === null) tickAt(next());
    },
    current: () => current,
  };
}
