import { z } from 'zod';
import type { UnixMs } from './primitives.ts';

const HOUR = 3_600_000;
const QUARTER = HOUR / 4;
const DAYS = 7;

const knownZone = (name: string): boolean => {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
};

/** Seven days from Monday, each 24 characters: `1` where sharing is allowed in that hour of local time, else `0`. */
export const scheduleSchema = z.strictObject({
  /** IANA zone name, or the machine's own. */
  timeZone: z.union([z.literal('system'), z.string().refine(knownZone, 'is not a known time zone')]).default('system'),
  week: z.array(z.string().regex(/^[01]{24}$/, 'expected 24 characters 0 or 1')).length(DAYS),
});
export type Schedule = z.output<typeof scheduleSchema>;

const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];

// Building a formatter costs about a millisecond; a decision is made many times a second.
const formatters = new Map<string, Intl.DateTimeFormat>();
function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const found = formatters.get(timeZone);
  if (found !== undefined) return found;
  const made = new Intl.DateTimeFormat('en-US', {
    // A machine whose zone nobody knows is read in UTC: the schedule must still have an answer.
    timeZone: knownZone(timeZone) ? timeZone : 'UTC',
    ...{ weekday: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
  });
  formatters.set(timeZone, made);
  return made;
}

type Local = { readonly day: number; readonly hour: number; readonly msOfHour: number };

function localOf(at: UnixMs, timeZone: string): Local {
  const part: Record<string, string> = {};
  for (const { type, value } of formatterOf(timeZone).formatToParts(at)) part[type] = value;
  const ms = ((at % 1000) + 1000) % 1000;
  return {
    day: WEEKDAYS.indexOf(part['weekday'] ?? ''),
    hour: Number(part['hour']),
    msOfHour: (Number(part['minute']) * 60 + Number(part['second'])) * 1000 + ms,
  };
}

type Answer = { readonly open: boolean; readonly changesAt: UnixMs | null };

// Looking for the next change reads the clock up to 768 times; the answer holds until that change.
const answers = new WeakMap<Schedule, { readonly answer: Answer; readonly zone: string; readonly from: UnixMs }>();

/**
 * Whether the schedule allows sharing at `now`, and when that changes next (null: never within eight days). An hour that
 * summer time skips does not exist; one that it repeats counts both times.
 * `systemZone`: what `timeZone: 'system'` stands for.
 */
export function scheduleAt(schedule: Schedule, now: UnixMs, systemZone: string): Answer {
  const zone = schedule.timeZone === 'system' ? systemZone : schedule.timeZone;
  const was = answers.get(schedule);
  const holds =
    was !== undefined && was.zone === zone && was.from <= now && now < (was.answer.changesAt ?? was.from + HOUR);
  if (holds) return was.answer;
  const answer = look(schedule, now, zone);
  answers.set(schedule, { answer, zone, from: now });
  return answer;
}

function look(schedule: Schedule, now: UnixMs, zone: string): Answer {
  const openAt = ({ day, hour }: Local): boolean => schedule.week[day]?.[hour] === '1';
  const here = localOf(now, zone);
  const open = openAt(here);
  if (schedule.week.every((day) => !day.includes(open ? '0' : '1'))) return { open, changesAt: null };
  let at = now;
  let local = here;
  for (let quarters = 0; quarters < (DAYS + 1) * 24 * 4; quarters += 1) {
    // By quarters: on the Chatham Islands summer time begins and ends at a quarter to.
    at += QUARTER - (local.msOfHour % QUARTER);
    local = localOf(at, zone);
    if (openAt(local) !== open) return { open, changesAt: at };
  }
  return { open, changesAt: null };
}
