import type { UnixMs } from './primitives.ts';
import type { Sensed } from './signals.ts';

/** A smoothed load and whether it counts as busy; null: nothing is known, or nothing is asked. */
export type Load = { readonly percent: number; readonly at: UnixMs; readonly busy: boolean } | null;

/** Time constant of the smoothing: a burst of a second or two is not somebody at work. */
const TAU_MS = 5_000;
/** Below this part of the threshold a busy machine counts as calm again. */
const LOW_WATER = 0.6;

/**
 * A load smoothed exponentially over time, with a threshold that has two edges (a Schmitt trigger): at `limit` it becomes
 * busy, below 0.6 of it calm. The first reading counts whole.
 */
export function load(was: Load, percent: Sensed<number>, limit: number | null, now: UnixMs): Load {
  if (limit === null || typeof percent === 'string') return null;
  if (was === null) return { percent, at: now, busy: percent >= limit };
  const share = 1 - Math.exp(-Math.max(0, now - was.at) / TAU_MS);
  const smooth = was.percent + share * (percent - was.percent);
  return { percent: smooth, at: now, busy: smooth >= limit * (was.busy ? LOW_WATER : 1) };
}
