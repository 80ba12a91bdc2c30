import type { UnixMs } from '../core/primitives.ts';

export const DAY_MS = 86_400_000;

/** Start of the local day that holds `now`. `offset`: local time minus UTC, minutes. */
export function dayStartOf(now: UnixMs, offset: number): UnixMs {
  const shift = offset * 60_000;
  return Math.floor((now + shift) / DAY_MS) * DAY_MS - shift;
}
