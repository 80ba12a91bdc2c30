/** Seven days from Monday, each 24 characters `0` or `1`. */
export type Week = readonly string[];

export const DAYS = 7;
export const HOURS = 24;

/** A place on the grid; -1 is a heading, of a day or of an hour. */
export type Place = { readonly day: number; readonly hour: number };

export const ALWAYS: Week = Array.from({ length: DAYS }, () => '1'.repeat(HOURS));
/** Nights from 22 to 7, and all of Saturday and Sunday. */
export const NIGHTS_AND_WEEKENDS: Week = Array.from({ length: DAYS }, (_, day) =>
  day >= 5 ? '1'.repeat(HOURS) : `${'1'.repeat(7)}${'0'.repeat(15)}${'1'.repeat(2)}`,
);

export const isOpen = (week: Week, { day, hour }: Place): boolean => week[day]?.[hour] === '1';

const covers = (heading: number, at: number): boolean => heading === -1 || heading === at;

/** Paints an hour, or with a heading the whole day, the whole hour or, in the corner, the whole week. */
export function painted(week: Week, place: Place, open: boolean): Week {
  return week.map((hours, day) =>
    covers(place.day, day)
      ? Array.from(hours, (was, hour) => (covers(place.hour, hour) ? (open ? '1' : '0') : was)).join('')
      : hours,
  );
}

/** What a press there paints: a line that is open throughout is closed, any other is opened. */
export const opposite = (week: Week, place: Place): boolean =>
  !week.every(
    (hours, day) =>
      !covers(place.day, day) || Array.from(hours).every((was, hour) => !covers(place.hour, hour) || was === '1'),
  );

const within = (value: number, most: number): number => Math.max(-1, Math.min(most - 1, value));

/** Where a key leads; null: the key is not one of the grid's. */
export function moved({ day, hour }: Place, key: string): Place | null {
  switch (key) {
    case 'ArrowUp':
      return { day: within(day - 1, DAYS), hour };
    case 'ArrowDown':
      return { day: within(day + 1, DAYS), hour };
    case 'ArrowLeft':
      return { day, hour: within(hour - 1, HOURS) };
    case 'ArrowRight':
      return { day, hour: within(hour + 1, HOURS) };
    case 'Home':
      return { day, hour: 0 };
    case 'End':
      return { day, hour: HOURS - 1 };
    default:
      return null;
  }
}
