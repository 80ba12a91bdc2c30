import { z } from 'zod';
import { type CivilDay, dayAt, startOf } from './calendar.ts';
import { byteCount, LANES, type Lane, type UnixMs } from './primitives.ts';
import type { Settings } from './settings.ts';
import type { Readings } from './signals.ts';
import type { Flow } from './token-bucket.ts';

export const GIB = 1024 ** 3;
const BYTES_PER_MBIT = 125_000;
const DAY_MS = 86_400_000;
/** A tenth of a second at full speed may pass at once: enough for a timer that comes late, and little beside any second. */
const BURSTS_A_SECOND = 10;
const LEAST_BURST = 8 * 1024;
/** Days that are remembered: a whole period of counting, whatever its reset day, and a chart of two months. */
const KEPT_DAYS = 62;

/** Seen from the machine. */
export type Direction = 'in' | 'out';
/** What bytes were for: the work of a lane, or the session that all lanes share. */
export type Carrier = Lane | 'session';
export const CARRIERS: readonly Carrier[] = [...LANES, 'session'];

const counted = z.strictObject({ in: byteCount, out: byteCount });
export type Counted = z.output<typeof counted>;
/** A local day; as text days are in order. */
const dayName = z.string().regex(/^\d{4}-\d{2}-\d{2}$/, 'expected a day such as 2026-11-23');
const perCarrier = { cpu: counted, gpu: counted, bandwidth: counted, storage: counted, session: counted };
const dayUsage = z.strictObject({
  day: dayName,
  carriers: z.strictObject(perCarrier).partial(),
  /** Bytes that others kept here when it was last looked at; left out: nobody looked. */
  stored: byteCount.optional(),
});
type DayUsage = z.output<typeof dayUsage>;

/** Bytes of each local day, as they stand in `traffic.json`: the oldest first, each day once. */
const usageSchema = z.strictObject({
  version: z.literal(2),
  days: z
    .array(dayUsage)
    .max(1000)
    .refine((days) => days.every(({ day }, at) => at === 0 || (days[at - 1]?.day ?? '') < day), 'days out of order'),
});
export type Usage = z.output<typeof usageSchema>;
/** Before days were told apart. */
const monthUsage = z.strictObject({
  version: z.literal(1),
  month: z.string().regex(/^\d{4}-\d{2}$/),
  carriers: z.strictObject(perCarrier),
});

export const NO_USAGE: Usage = { version: 2, days: [] };

/** Reads what was counted, of any version; throws a ZodError. A month of version 1 counts as its first day: which day it was is not known. */
export function parseUsage(value: unknown): Usage {
  const old = monthUsage.safeParse(value);
  if (!old.success) return usageSchema.parse(value);
  return { version: 2, days: [{ day: `${old.data.month}-01`, carriers: old.data.carriers }] };
}

const pad = (value: number, digits: number): string => String(value).padStart(digits, '0');
const nameOf = ({ year, month, day }: CivilDay): string => `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;

/** The local day of a moment, such as "2026-11-23". `utcOffsetMinutes`: local time minus UTC. */
export const dayNameAt = (now: UnixMs, utcOffsetMinutes: number): string => nameOf(dayAt(now, utcOffsetMinutes));

/** From which local day on bytes count at `now`, and when that begins anew. A change of the offset meanwhile moves the end by as much. */
export function periodAt(
  now: UnixMs,
  utcOffsetMinutes: number,
  resetDay: number,
): { readonly from: string; readonly resetsAt: UnixMs } {
  const { year, month, day } = dayAt(now, utcOffsetMinutes);
  const of = (months: number): CivilDay => {
    const count = year * 12 + (month - 1) + months - (day < resetDay ? 1 : 0);
    return { year: Math.floor(count / 12), month: (count % 12) + 1, day: resetDay };
  };
  return { from: nameOf(of(0)), resetsAt: startOf(of(1), utcOffsetMinutes) };
}

const none: Counted = { in: 0, out: 0 };

/** With one day changed. A clock that goes astray costs no other day: those that count longest ago are forgotten, by number. */
function withDay(usage: Usage, day: string, change: (was: DayUsage) => DayUsage): Usage {
  const at = usage.days.findIndex((one) => one.day >= day);
  const place = at === -1 ? usage.days.length : at;
  const there = usage.days[place];
  const found = there?.day === day;
  const next = change(found && there !== undefined ? there : { day, carriers: {} });
  const days = [...usage.days.slice(0, place), next, ...usage.days.slice(place + (found ? 1 : 0))];
  return { version: 2, days: days.slice(-KEPT_DAYS) };
}

export function withBytes(usage: Usage, day: string, carrier: Carrier, direction: Direction, bytes: number): Usage {
  if (bytes === 0) return usage;
  return withDay(usage, day, (was) => {
    const before = was.carriers[carrier] ?? none;
    const after = { ...before, [direction]: Math.min(before[direction] + bytes, Number.MAX_SAFE_INTEGER) };
    return { ...was, carriers: { ...was.carriers, [carrier]: after } };
  });
}

export const withStored = (usage: Usage, day: string, stored: number): Usage =>
  withDay(usage, day, (was) => ({ ...was, stored }));

/** All that was counted in both. */
export function addedUp(one: Usage, other: Usage): Usage {
  let sum = one;
  for (const { day, carriers, stored } of other.days) {
    for (const carrier of CARRIERS) {
      sum = withBytes(sum, day, carrier, 'in', carriers[carrier]?.in ?? 0);
      sum = withBytes(sum, day, carrier, 'out', carriers[carrier]?.out ?? 0);
    }
    if (stored !== undefined) sum = withStored(sum, day, stored);
  }
  return sum;
}

/** Since the beginning of a local day. A clock that was set back loses nothing: days that are to come count too. */
export function totalSince(usage: Usage, from: string): Counted {
  const counting = usage.days.filter(({ day }) => day >= from);
  const each = counting.flatMap(({ carriers }) => CARRIERS.map((carrier) => carriers[carrier] ?? none));
  return { in: each.reduce((sum, one) => sum + one.in, 0), out: each.reduce((sum, one) => sum + one.out, 0) };
}

/** One local day and what passed for each carrier; `stored`: bytes that others kept here at its end, null where nobody looked. */
export type TrafficDay = {
  readonly dayStart: UnixMs;
  readonly carriers: Readonly<Record<Carrier, Counted>>;
  readonly stored: number | null;
};

/** The last `count` local days, today's last; days on which nothing passed are there too. */
export function daysOf(usage: Usage, count: number, now: UnixMs, utcOffsetMinutes: number): readonly TrafficDay[] {
  const today = startOf(dayAt(now, utcOffsetMinutes), utcOffsetMinutes);
  const byDay = new Map(usage.days.map((one) => [one.day, one]));
  return Array.from({ length: count }, (_, at) => {
    const dayStart = today - (count - 1 - at) * DAY_MS;
    const found = byDay.get(dayNameAt(dayStart, utcOffsetMinutes));
    const of = (carrier: Carrier): Counted => found?.carriers[carrier] ?? none;
    return {
      dayStart,
      carriers: {
        ...{ cpu: of('cpu'), gpu: of('gpu'), bandwidth: of('bandwidth'), storage: of('storage') },
        session: of('session'),
      },
      stored: found?.stored ?? null,
    };
  });
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
