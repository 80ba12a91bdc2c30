import type { UnixMs } from './primitives.ts';

const DAY_MS = 86_400_000;
/** Days of 400 Gregorian years, and from 1 March of the year 0 to the epoch. */
const ERA_DAYS = 146_097;
const TO_EPOCH = 719_468;

/** A day of the proleptic Gregorian calendar; `month` is 1..12. */
export type CivilDay = { readonly year: number; readonly month: number; readonly day: number };

/**
 * The local day of a moment. `utcOffsetMinutes`: local time minus UTC. Counts in years that begin in March, so that the leap day
 * is the last (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
 */
export function dayAt(at: UnixMs, utcOffsetMinutes: number): CivilDay {
  const days = Math.floor((at + utcOffsetMinutes * 60_000) / DAY_MS) + TO_EPOCH;
  const era = Math.floor(days / ERA_DAYS);
  const ofEra = days - era * ERA_DAYS;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * ofYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const day = ofYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

/** When a local day begins. */
export function startOf({ year, month, day }: CivilDay, utcOffsetMinutes: number): UnixMs {
  const marchYear = year - (month <= 2 ? 1 : 0);
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const ofYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const ofEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + ofYear;
  return (era * ERA_DAYS + ofEra - TO_EPOCH) * DAY_MS - utcOffsetMinutes * 60_000;
}
