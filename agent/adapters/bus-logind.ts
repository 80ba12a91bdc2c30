import { stat } from 'node:fs/promises';
import type { Sensed } from '../../core/signals.ts';
import type { IdleSource, Source } from '../ports.ts';
import { type Bus, type BusSession, busSource } from './bus.ts';
import { milliseconds } from './bus-idle.ts';
import { changesOf, ownerOf } from './bus-signals.ts';

const LOGIND = { to: 'org.freedesktop.login1', path: '/org/freedesktop/login1' } as const;
const MANAGER = 'org.freedesktop.login1.Manager';
const SESSION = 'org.freedesktop.login1.Session';
const SESSIONS = [
  ownerOf(LOGIND.to),
  changesOf(SESSION),
  { path: LOGIND.path, interface: MANAGER, member: 'SessionNew' },
  { path: LOGIND.path, interface: MANAGER, member: 'SessionRemoved' },
] as const;
const TERMINAL_LOOK_MS = 250;

/** `session`: XDG_SESSION_ID. `user`: our user's number. */
export type Us = { readonly session: string | undefined; readonly user: number };

type Properties = Readonly<Record<string, unknown>>;

/** The desktop is ours too where the agent was started outside of it, as a service is. */
async function sessions(bus: BusSession, us: Us): Promise<readonly (Properties & { readonly ours: boolean })[]> {
  const [list] = await bus.call({ ...LOGIND, interface: MANAGER, member: 'ListSessions' });
  if (!Array.isArray(list)) throw new Error('logind has answered nonsense');
  const read = await Promise.all(
    list.map(async (entry: readonly unknown[]) => {
      const [id, user, , , path] = entry;
      // A session may end between the list and the look.
      const all = await bus.properties(LOGIND.to, String(path), SESSION).catch((): null => null);
      if (all === null || all['State'] === 'closing') return null;
      if (all['Class'] !== undefined && all['Class'] !== 'user') return null;
      const graphical = all['Type'] === 'x11' || all['Type'] === 'wayland' || all['Type'] === 'mir';
      const here = us.session === undefined ? Number(user) === us.user && graphical && all['Remote'] !== true : false;
      return { ...all, ours: id === us.session || here };
    }),
  );
  return read.filter((session) => session !== null);
}

/** Whether the owner's session is locked, as the desktop told logind. */
export const logindLocked = (bus: Bus, us: Us): Source<boolean> =>
  busSource(bus, {
    name: 'logind',
    signals: SESSIONS,
    async read(session) {
      const ours = (await sessions(session, us)).filter((one) => one.ours);
      const hints = ours.map((one) => one['LockedHint']);
      if (hints.length === 0) return 'unavailable';
      return hints.some((hint) => typeof hint !== 'boolean') ? 'unknown' : hints.every((hint) => hint === true);
    },
  });

/** `seen`: whether this session's desktop ever said that it is idle; one that never does says nothing with "not idle". */
function hinted(session: Properties, now: number, seen: boolean): Sensed<number> {
  if (typeof session['IdleHint'] !== 'boolean') return 'unknown';
  if (!session['IdleHint']) return seen ? 0 : 'unknown';
  const since = milliseconds(session['IdleSinceHint']);
  return since === 'unknown' || since === 0 ? 'unknown' : Math.max(0, Math.round(now - since / 1_000));
}

/**
 * The owner's session by its IdleHint: coarse, since a desktop gives it after minutes, and many never. Only for where nobody
 * else tells.
 */
export function logindIdle(bus: Bus, us: Us, now: () => number = Date.now): IdleSource {
  let seen = false;
  const kept = busSource<Properties>(bus, {
    name: 'logind',
    signals: SESSIONS,
    read: async (session) => (await sessions(session, us)).find((one) => one.ours) ?? 'unavailable',
  });
  return {
    ...fromKept(kept, (session) => {
      if (session['IdleHint'] === true) seen = true;
      return hinted(session, now(), seen);
    }),
    name: 'logind',
  };
}

/**
 * Time without input in the sessions of others and from afar: by their terminal where they have one, else by their IdleHint. None
 * is `unavailable`; one that does not say when it was last used counts as in use.
 */
export function otherSessionsIdle(bus: Bus, us: Us, now: () => number = Date.now): IdleSource {
  const kept = busSource<readonly Properties[]>(bus, {
    name: 'other sessions',
    signals: SESSIONS,
    async read(session) {
      const others = (await sessions(session, us)).filter(
        ({ ours, ...one }) =>
          // A terminal of ours is one that somebody may type into; a desktop of ours tells by itself.
          (!ours || one['Type'] === 'tty') &&
          (one['Remote'] === true || one['Active'] === true) &&
          one['Type'] !== 'unspecified',
      );
      return others.length === 0 ? 'unavailable' : others;
    },
  });
  const idleOf = async (session: Properties): Promise<number> => {
    const terminal = session['TTY'];
    if (typeof terminal === 'string' && /^(pts\/\d+|tty\d+)$/.test(terminal)) {
      const read = await stat(`/dev/${terminal}`).catch(() => null);
      if (read !== null) return Math.max(0, Math.round(now() - read.atimeMs));
    }
    const hint = hinted(session, now(), true);
    return typeof hint === 'number' ? hint : 0;
  };
  const source = fromKept(kept, async (others) => Math.min(...(await Promise.all(others.map(idleOf)))));
  return {
    ...source,
    name: 'other sessions',
    onReturn(listener) {
      let before: number | null = null;
      let timer: NodeJS.Timeout | undefined;
      const finish = (): void => {
        off?.();
        clearTimeout(timer);
        stopped = true;
      };
      let stopped = false;
      const look = async (): Promise<void> => {
        const ms = await source.idleMs();
        if (stopped) return;
        if (ms === 'unknown' || (typeof ms === 'number' && before !== null && ms < before)) {
          finish();
          return listener();
        }
        before = typeof ms === 'number' ? ms : Number.POSITIVE_INFINITY;
        // Without other sessions there is nothing to look at until logind tells of one.
        if (ms === 'unavailable') return;
        clearTimeout(timer);
        timer = setTimeout(() => void look(), TERMINAL_LOOK_MS);
      };
      const off = kept.onChange?.(() => void look());
      void look();
      return finish;
    },
  };
}

/** What a source said, kept until it says that something changed. */
function fromKept<T extends object>(
  source: Source<T>,
  idle: (value: T) => Sensed<number> | Promise<Sensed<number>>,
): Omit<IdleSource, 'name'> {
  let kept: Promise<Sensed<T>> | null = null;
  source.onChange?.(() => {
    kept = null;
  });
  return {
    timeoutMs: source.timeoutMs,
    async idleMs() {
      kept ??= source.read();
      const reading = kept;
      const value = await reading;
      // Doubt is asked again; what was told stands.
      if (value === 'unknown' && kept === reading) kept = null;
      return typeof value === 'string' ? value : idle(value);
    },
    ...(source.close === undefined ? {} : { close: source.close }),
  };
}
