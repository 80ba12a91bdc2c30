import { z } from 'zod';
import { dayAt, startOf } from './calendar.ts';
import { byteCount, LANES, type Lane, type UnixMs } from './primitives.ts';
import type { Settings } from './settings.ts';
import type { Readings } from './signals.ts';
import type { Flow } from './token-bucket.ts';

export const GIB = 1024 ** 3;
const BYTES_PER_MBIT = 125_000;
/** A quarter of a second at full speed may pass at once, and never less than a few packets. */
const BURSTS_A_SECOND = 4;
const LEAST_BURST = 64 * 1024;

/** Seen from the machine. */
export type Direction = 'in' | 'out';
/** What bytes were for: the work of a lane, or the session that all lanes share. */
export type Carrier = Lane | 'session';
export const CARRIERS: readonly Carrier[] = [...LANES, 'session'];

const counted = z.strictObject({ in: byteCount, out: byteCount });
/** Bytes of one local month, as they stand in `traffic.json`. */
export const usageSchema = z.strictObject({
  version: z.literal(1),
  month: z.string().regex(/^\d{4}-\d{2}$/, 'expected a month such as 2026-11'),
  carriers: z.strictObject({
    ...{ cpu: counted, gpu: counted, bandwidth: counted, storage: counted },
    session: counted,
  }),
});
export type Usage = z.output<typeof usageSchema>;

const none = { in: 0, out: 0 } as const;
const freshUsage = (month: string): Usage => ({
  ...{ version: 1, month },
  carriers: { cpu: none, gpu: none, bandwidth: none, storage: none, session: none },
});

/** The local month of a moment, and when the next begins. `utcOffsetMinutes`: local time minus UTC; a change within the month moves its end by that much. */
export function monthAt(now: UnixMs, utcOffsetMinutes: number): { readonly month: string; readonly resetsAt: UnixMs } {
  const { year, month } = dayAt(now, utcOffsetMinutes);
  const next = month === 12 ? { year: year + 1, month: 1, day: 1 } : { year, month: month + 1, day: 1 };
  const name = `${String(year).padStart(4, '0')}-${String(month).padStart(2, '0')}`;
  return { month: name, resetsAt: startOf(next, utcOffsetMinutes) };
}

/** What counts in `month`. A clock that was set back loses nothing: a later month stays until it is over. */
export const usageIn = (usage: Usage | null, month: string): Usage =>
  usage === null || month > usage.month ? freshUsage(month) : usage;

export function withBytes(usage: Usage, carrier: Carrier, direction: Direction, bytes: number): Usage {
  const before = usage.carriers[carrier];
  const after = { ...before, [direction]: Math.min(before[direction] + bytes, Number.MAX_SAFE_INTEGER) };
  return { ...usage, carriers: { ...usage.carriers, [carrier]: after } };
}

export function totalOf(usage: Usage): { readonly in: number; readonly out: number } {
  const each = CARRIERS.map((carrier) => usage.carriers[carrier]);
  return { in: each.reduce((sum, one) => sum + one.in, 0), out: each.reduce((sum, one) => sum + one.out, 0) };
}

/** Bytes after which no new work is begun: the rest of the cap, a twentieth and at most 1 GiB, is for results of work in hand. */
export const stopsAt = (capBytes: number): number => capBytes - Math.min(Math.floor(capBytes / 20), GIB);

export type Rates = { readonly [Way in Direction]: Flow };

/** Whether somebody is at the machine or plays on it, or could be: then the line is theirs first. */
export function lineBusy(
  readings: Pick<Readings, 'idleMs' | 'locked' | 'games' | 'fullscreen'>,
  idleAfterSeconds: number,
): boolean {
  const { idleMs, locked, games, fullscreen } = readings;
  if (games === 'unknown' || fullscreen === 'unknown' || idleMs === 'unknown') return true;
  if (games !== 'unavailable' && games.length > 0) return true;
  if (fullscreen !== 'unavailable' && fullscreen !== null) return true;
  return idleMs !== 'unavailable' && locked !== true && idleMs < idleAfterSeconds * 1000;
}

export function ratesFor(network: Settings['limits']['network'], busy: boolean): Rates {
  return {
    in: flowOf(busy ? network.busyDownMbps : network.idleDownMbps),
    out: flowOf(busy ? network.busyUpMbps : network.idleUpMbps),
  };
}

export function flowOf(mbps: number | null): Flow {
  if (mbps === null) return { rate: null, burst: LEAST_BURST };
  const rate = mbps * BYTES_PER_MBIT;
  return { rate, burst: Math.max(LEAST_BURST, Math.floor(rate / BURSTS_A_SECOND)) };
}
