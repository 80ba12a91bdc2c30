import type { Disturbance, Reason } from './guards.ts';
import type { UnixMs } from './primitives.ts';

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
  'sensor-unknown': 10 * SECOND,
};

/** Each strike doubles the calm asked for, up to eight times; the count starts anew after this long without one. */
const STRIKES_MS = 15 * 60 * SECOND;
const MAX_DOUBLINGS = 3;

/** `seenAt`: when the disturbance was last seen. `strikes`: how often lately it made running work stop; at least 1. */
export type Settle = { readonly kind: Disturbance; readonly seenAt: UnixMs; readonly strikes: number };

export const isDisturbance = (reason: Reason): reason is Extract<Reason, { readonly kind: Disturbance }> =>
  reason.kind in CALM_MS;

/** The memory after a moment in which `kind` disturbed. `heldSince` null: it stopped work that ran. */
export function settled(was: Settle | null, kind: Disturbance, heldSince: UnixMs | null, now: UnixMs): Settle {
  const recent = was !== null && now - was.seenAt < STRIKES_MS ? was.strikes : 0;
  return { kind, seenAt: now, strikes: Math.max(1, heldSince === null ? recent + 1 : recent) };
}

/** Milliseconds of calm asked for since the disturbance was last seen. */
export const calmMs = ({ kind, strikes }: Settle): number =>
  CALM_MS[kind] * 2 ** Math.min(Math.max(0, strikes - 1), MAX_DOUBLINGS);
