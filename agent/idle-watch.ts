import { asFailure } from '../core/errors.ts';
import type { Sensed } from '../core/signals.ts';
import { combine } from './combine.ts';
import type { Attention, Clock, IdleSource, Log } from './ports.ts';
import { quietly } from './watched.ts';

/** Where input is not told of by the system: while work runs its return must be noticed in time to freeze within 150 ms. */
const POLL_MS = 50;
const READY_POLL_MS = 1_000;
const RETRY_MS = 2_000;
/** A source that this machine lacks may come, as remote sessions do. */
const ABSENT_MS = 60_000;
/** While the machine is in use the owner sees when sharing would begin: that is at most this much out of date. */
const IN_USE_MS = 5_000;
/** A source that promised to tell of input is asked all the same: its promise may be lost with a connection. */
const VERIFY_MS = { ready: 60_000, watch: 10_000 } as const;
/**
 * A source that answers this or less so many times in a row does not measure: nobody's last key press lies within a second of
 * every question. Sooner where another one has long seen nobody.
 */
const STUCK_BELOW_MS = 1_000;
const STUCK_AFTER = { alone: 240, contradicted: 60 } as const;
const LONG_MS = 30 * 60_000;
/** A source that saw nothing this long before somebody surely did something has missed it; so often, and it is blind. */
const MISSED_MS = 20_000;
const BLIND_AFTER = 3;

type Watch = {
  readonly source: IdleSource;
  /** Time of the last input it knows of; null: it does not answer. */
  inputAt: number | null;
  unavailable: boolean;
  askedAt: number;
  /** The question under way; resolves when it is answered. */
  asked: Promise<void> | null;
  /** The era of its last answer. */
  era: number;
  /** How often in a row it has said "just now". */
  small: number;
  missed: number;
  disarm: (() => void) | null;
  cancel: () => void;
};

/** Time since the last input, over all sources. */
export type IdleWatch = {
  /** Milliseconds; never more than what was verified when the next threshold is reached. */
  readonly idleMs: () => Sensed<number>;
  /** `thresholds`: the idle times that matter, ms, ascending. */
  readonly attend: (attention: Attention, thresholds: readonly number[]) => Promise<void>;
  /** Somebody surely used the machine just now (a game began, the screen was unlocked). */
  readonly evidence: () => void;
  readonly views: () => readonly { readonly name: string; readonly value: Sensed<number> }[];
  readonly close: () => void;
};

type Options = {
  readonly clock: Clock;
  readonly log: Log;
  readonly sources: readonly IdleSource[];
  /** Somebody is back, or a threshold was passed, or a source failed. */
  readonly changed: () => void;
};

export function createIdleWatch({ clock, log, sources, changed }: Options): IdleWatch {
  const watches = sources.map(
    (source): Watch => ({
      ...{ source, inputAt: null, unavailable: false, askedAt: 0, asked: null, era: 0, small: 0, missed: 0 },
      ...{ disarm: null, cancel: () => undefined },
    }),
  );
  let attention: Attention = 'rest';
  let thresholds: readonly number[] = [];
  let closed = false;
  /** Grows with the end of each rest: nobody looked meanwhile, so what was asked before counts no more. */
  let era = 0;

  const blind = (watch: Watch): boolean => watch.missed >= BLIND_AFTER;
  const away = ({ inputAt }: Watch): boolean => inputAt !== null && clock.now() - inputAt >= LONG_MS;
  const stuck = (watch: Watch): boolean =>
    watch.small >= STUCK_AFTER.alone ||
    (watch.small >= STUCK_AFTER.contradicted && watches.some((other) => other !== watch && away(other)));

  function idleOf(watch: Watch): Sensed<number> {
    if (watch.unavailable) return 'unavailable';
    const { inputAt } = watch;
    if (inputAt === null || blind(watch) || stuck(watch)) return 'unknown';
    const now = clock.now();
    const idle = Math.max(0, now - inputAt);
    // It has not been idle longer than it was seen to be, as far as any threshold is concerned.
    const seen = Math.max(0, watch.askedAt - inputAt);
    const next = thresholds.find((threshold) => threshold > seen);
    return next === undefined ? idle : Math.min(idle, next - 1);
  }

  function disarm(watch: Watch): void {
    watch.disarm?.();
    watch.disarm = null;
  }

  function arm(watch: Watch): void {
    if (watch.disarm !== null || watch.source.onReturn === undefined) return;
    let over = false;
    const returned = (): void => {
      if (over || closed) return;
      over = true;
      watch.disarm = null;
      const now = clock.now();
      watch.inputAt = now;
      watch.askedAt = now;
      watch.missed = 0;
      changed();
      plan(watch);
    };
    try {
      const end = watch.source.onReturn(returned);
      if (over) return;
      watch.disarm = () => {
        over = true;
        end();
      };
    } catch (error) {
      // It is polled instead.
      log('warn', 'idle-source-deaf', { source: watch.source.name, detail: asFailure(error).message });
    }
  }

  function ask(watch: Watch): Promise<void> {
    watch.asked ??= question(watch).finally(() => {
      watch.asked = null;
      plan(watch);
    });
    return watch.asked;
  }

  async function question(watch: Watch): Promise<void> {
    for (let mine = -1; mine !== era && !closed; ) {
      mine = era;
      const idle = await answer(watch);
      if (closed || mine !== era || idle === 'late') continue;
      watch.era = era;
      heard(watch, typeof idle === 'number' && !(Number.isFinite(idle) && idle >= 0) ? 'unknown' : idle);
    }
  }

  /** `late`: it is long unknown by then, and nobody can say of when the answer is. */
  async function answer(watch: Watch): Promise<Sensed<number> | 'late'> {
    let late = false;
    const cancelLate = clock.after(watch.source.timeoutMs, () => {
      late = true;
      watch.inputAt = null;
      changed();
    });
    try {
      const idle = await watch.source.idleMs();
      return late ? 'late' : idle;
    } catch {
      return late ? 'late' : 'unknown';
    } finally {
      cancelLate();
    }
  }

  /** Resolves when it has answered a question of this era, or is overdue and thereby unknown. */
  async function afresh(watch: Watch): Promise<void> {
    await bounded(ask(watch), watch.source.timeoutMs);
    if (watch.era !== era) watch.inputAt = null;
  }

  function heard(watch: Watch, idle: Sensed<number>): void {
    const before = idleOf(watch);
    const now = clock.now();
    watch.askedAt = now;
    watch.unavailable = idle === 'unavailable';
    if (typeof idle !== 'number') {
      if (watch.inputAt !== null) log('warn', 'idle-source-silent', { source: watch.source.name });
      watch.inputAt = null;
    } else {
      const inputAt = now - idle;
      if (watch.inputAt !== null && inputAt > watch.inputAt + MISSED_MS) watch.missed = 0;
      watch.inputAt = inputAt;
      watch.small = idle > STUCK_BELOW_MS ? 0 : watch.small + 1;
    }
    const after = idleOf(watch);
    if (tells(before, after)) changed();
  }

  /** Whether anything but the passing of time lies between two values. */
  function tells(before: Sensed<number>, after: Sensed<number>): boolean {
    if (typeof before === 'string' || typeof after === 'string') return before !== after;
    return after < before || thresholds.some((threshold) => before < threshold !== after < threshold);
  }

  function plan(watch: Watch): void {
    watch.cancel();
    watch.cancel = () => undefined;
    if (closed || attention === 'rest') {
      disarm(watch);
      return;
    }
    const wait = waitOf(watch);
    // A source that tells while it is asked to tell has been planned for already.
    watch.cancel();
    watch.cancel = clock.after(wait, () => void ask(watch));
  }

  /** Milliseconds to the next question. */
  function waitOf(watch: Watch): number {
    if (watch.unavailable || watch.inputAt === null) {
      disarm(watch);
      return watch.unavailable ? ABSENT_MS : RETRY_MS;
    }
    const idle = Math.max(0, clock.now() - watch.inputAt);
    const next = thresholds.find((threshold) => threshold > idle);
    // Below the first threshold the machine is in use: nobody's return has to be noticed.
    if (idle >= (thresholds[0] ?? 0)) {
      arm(watch);
      if (watch.disarm === null) return attention === 'watch' ? POLL_MS : READY_POLL_MS;
    } else {
      disarm(watch);
      return Math.min(IN_USE_MS, Math.max(READY_POLL_MS / 4, (next ?? IN_USE_MS) - idle));
    }
    const verify = watch.disarm === null || attention === 'rest' ? Number.POSITIVE_INFINITY : VERIFY_MS[attention];
    return Math.min(verify, Math.max(READY_POLL_MS / 4, (next ?? Number.POSITIVE_INFINITY) - idle));
  }

  return {
    idleMs: () => {
      // One that does not measure is not left out: the others may look at other screens.
      return combine.least(watches.map(idleOf));
    },
    async attend(next, limits) {
      const risen = attention === 'rest' && next !== 'rest';
      const same = attention === next && limits.join() === thresholds.join();
      attention = next;
      thresholds = limits;
      if (risen) {
        era += 1;
        await Promise.all(watches.map(afresh));
      } else if (!same) for (const watch of watches) if (watch.asked === null) plan(watch);
    },
    evidence() {
      const now = clock.now();
      for (const watch of watches) {
        if (watch.inputAt === null || now - watch.inputAt < MISSED_MS) continue;
        watch.missed += 1;
        if (watch.missed === BLIND_AFTER) log('warn', 'idle-source-blind', { source: watch.source.name });
      }
    },
    views: () => watches.map((watch) => ({ name: watch.source.name, value: idleOf(watch) })),
    close() {
      closed = true;
      for (const watch of watches) {
        watch.cancel();
        quietly(() => disarm(watch));
        quietly(() => watch.source.close?.());
      }
    },
  };

  function bounded(work: Promise<void>, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = clock.after(ms, resolve);
      const done = (): void => {
        cancel();
        resolve();
      };
      work.then(done, done);
    });
  }
}
