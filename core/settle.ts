import { unreachable } from './errors.ts';
import type { Disturbance, Question, Reason } from './guards.ts';
import type { UnixMs } from './primitives.ts';
import type { Signals } from './signals.ts';

const SECOND = 1000;

/** How long the machine must stay calm after each kind of disturbance. Input has its own measure, the idle time. */
const CALM_MS: Readonly<Record<Disturbance, number>> = {
  game: 30 * SECOND,
  fullscreen: 15 * SECOND,
  media: 15 * SECOND,
  'cpu-busy': 60 * SECOND,
  'gpu-busy': 60 * SECOND,
  'gpu-memory': 30 * SECOND,
  'too-hot': 60 * SECOND,
  'on-battery': 10 * SECOND,
  metered: 10 * SECOND,
  'disk-low': 10 * SECOND,
  'sensor-unknown': 10 * SECOND,
};

/** Each strike doubles the calm asked for, up to eight times; the count starts anew this long after the calm was over. */
const STRIKES_MS = 10 * 60 * SECOND;
const MAX_DOUBLINGS = 3;

/**
 * `until`: the end of the calm asked for, by the disturbance `kind`, which asked for the longest. `seenAt`: when any was
 * last seen. `strikes`: how often lately one made running work stop, 1 to 4.
 */
export type Settle = {
  readonly kind: Disturbance;
  readonly until: UnixMs;
  readonly seenAt: UnixMs;
  readonly strikes: number;
};

const isDisturbance = (kind: string): kind is Disturbance => Object.hasOwn(CALM_MS, kind);

/** What the reason tells of; null: nothing that comes and goes by itself, or what has a measure of its own. */
export function disturbanceOf({ kind }: Reason, { idleMs }: Signals): Disturbance | null {
  if (kind === 'idle-unknown') return idleMs === 'unknown' ? 'sensor-unknown' : null;
  return isDisturbance(kind) ? kind : null;
}

/** Whether the owner still minds what disturbed: a rule that was switched off needs no calm. */
export function matters(kind: Disturbance, { unit, asksIdle, signals, lane }: Question): boolean {
  switch (kind) {
    case 'game':
      return unit.restForGames;
    case 'fullscreen':
      return unit.restForFullscreen;
    case 'media':
      return asksIdle && unit.restForMedia;
    case 'cpu-busy':
      return unit.cpuBusyPercent !== null;
    case 'gpu-busy':
      return unit.gpuBusyPercent !== null;
    case 'gpu-memory':
      return unit.gpuMemoryPercent !== null;
    case 'too-hot':
      return unit.maxTemperatureC !== null;
    case 'on-battery':
      return !unit.shareOnBattery;
    case 'metered':
      // Work in hand needs no network: it does not wait for one.
      return !unit.shareOnMetered && signals.leases[lane] === 0;
    case 'disk-low':
    case 'sensor-unknown':
      return true;
    default:
      return unreachable(kind);
  }
}

/** The memory after a moment in which `kind` disturbed. `stopped`: it made work stop that ran. */
export function settled(was: Settle | null, kind: Disturbance, stopped: boolean, now: UnixMs): Settle {
  const recent = was !== null && now - was.until < STRIKES_MS ? was.strikes : 0;
  const strikes = Math.min(MAX_DOUBLINGS + 1, Math.max(1, recent + (stopped ? 1 : 0)));
  const until = now + CALM_MS[kind] * 2 ** (strikes - 1);
  // A short disturbance after a long one does not shorten the calm that the long one asked for.
  return was !== null && was.until > until ? { ...was, seenAt: now, strikes } : { kind, until, seenAt: now, strikes };
}

/** The same memory when the clock was set back: what lies in the future is taken to have happened now. */
export function notAhead(was: Settle | null, now: UnixMs): Settle | null {
  if (was === null || was.seenAt <= now) return was;
  return { ...was, until: was.until - was.seenAt + now, seenAt: now };
}
