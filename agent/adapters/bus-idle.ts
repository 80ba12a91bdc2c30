import type { IdleSource } from '../ports.ts';
import { type Bus, type BusSession, isAbsent } from './bus.ts';
import { onceReturned } from './returning.ts';

const MUTTER = {
  to: 'org.gnome.Mutter.IdleMonitor',
  path: '/org/gnome/Mutter/IdleMonitor/Core',
  interface: 'org.gnome.Mutter.IdleMonitor',
} as const;

/** A count of milliseconds, or nothing sensible. */
export function milliseconds(value: unknown): number | 'unknown' {
  if (typeof value !== 'number' && typeof value !== 'bigint') return 'unknown';
  const ms = Number(value);
  return Number.isFinite(ms) && ms >= 0 ? ms : 'unknown';
}

/** GNOME's compositor, under Wayland the only one that knows; it also wakes us. */
export function mutterIdle(bus: Bus): IdleSource {
  return {
    name: 'Mutter',
    timeoutMs: 1_000,
    async idleMs() {
      const session = await bus.get();
      if (session === null) return 'unknown';
      try {
        const [ms] = await session.call({ ...MUTTER, member: 'GetIdletime' });
        return milliseconds(ms);
      } catch (error) {
        return isAbsent(error) ? 'unavailable' : 'unknown';
      }
    },
    onReturn: (listener) => onceReturned(bus, watchActivity, listener),
  };
}

/** Has the compositor tell of the next input. */
async function watchActivity(session: BusSession, fire: () => void): Promise<() => void> {
  const fired = await watchesFired(session);
  const [answer] = await session.call({ ...MUTTER, member: 'AddUserActiveWatch' });
  const id = Number(answer);
  fired.when(id, fire);
  return () => {
    fired.forget(id);
    session.call({ ...MUTTER, member: 'RemoveWatch', arguments: ['u', id] }).catch(() => undefined);
  };
}

type Fired = {
  readonly when: (id: number, run: () => void) => void;
  readonly forget: (id: number) => void;
};
const firedOf = new WeakMap<BusSession, Promise<Fired>>();

/** One subscription per conversation, however often somebody waits. */
function watchesFired(session: BusSession): Promise<Fired> {
  const known = firedOf.get(session);
  if (known !== undefined) return known;
  const waiting = new Map<number, () => void>();
  /** The signal may overtake the one who waits for it. */
  const early = new Set<number>();
  const made = session
    .listen({ path: MUTTER.path, interface: MUTTER.interface, member: 'WatchFired' }, ([value]) => {
      const id = Number(value);
      const run = waiting.get(id);
      if (run === undefined) early.add(id);
      waiting.delete(id);
      run?.();
    })
    .then(
      (): Fired => ({
        when(id, run) {
          if (early.delete(id)) run();
          else waiting.set(id, run);
        },
        forget(id) {
          waiting.delete(id);
          early.delete(id);
        },
      }),
    );
  firedOf.set(session, made);
  return made;
}

const SCREEN_SAVER = {
  to: 'org.freedesktop.ScreenSaver',
  path: '/org/freedesktop/ScreenSaver',
  interface: 'org.freedesktop.ScreenSaver',
} as const;
const MEASURED_OVER_MS = 2_000;

/**
 * Which unit a growing idle time is in: the text of the interface says seconds, KDE answers milliseconds, others always 0. The
 * answer is `unknown` until it has grown for two seconds in one of the two units.
 */
export function idleUnit(): (value: number, at: number) => number | 'unknown' {
  let factor: number | null = null;
  let from: { readonly value: number; readonly at: number } | null = null;
  return (value, at) => {
    if (factor !== null) return value * factor;
    if (from === null || value < from.value) from = { value, at };
    const elapsed = at - from.at;
    if (elapsed < MEASURED_OVER_MS) return 'unknown';
    const perMs = (value - from.value) / elapsed;
    if (perMs > 0.5 && perMs < 2) factor = 1;
    else if (perMs > 0.000_4 && perMs < 0.002) factor = 1_000;
    else from = { value, at };
    return factor === null ? 'unknown' : value * factor;
  };
}

/** GetSessionIdleTime of the desktop's screen saver. */
export function screenSaverIdle(bus: Bus, now: () => number = () => performance.now()): IdleSource {
  const measure = idleUnit();
  return {
    name: 'screen saver',
    timeoutMs: 1_000,
    async idleMs() {
      const session = await bus.get();
      if (session === null) return 'unknown';
      try {
        const [value] = await session.call({ ...SCREEN_SAVER, member: 'GetSessionIdleTime' });
        const read = milliseconds(value);
        return read === 'unknown' ? read : measure(read, now());
      } catch (error) {
        return isAbsent(error) ? 'unavailable' : 'unknown';
      }
    },
  };
}
