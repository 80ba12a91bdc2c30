import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decide, freshMemory } from '../../../core/decide.ts';
import { type Schedule, scheduleAt, scheduleSchema } from '../../../core/schedule.ts';
import { defaultSettings } from '../../../core/settings.ts';
import { calm, policyFrom } from '../../support/rules.ts';

const HOUR = 3_600_000;
const at = (text: string): number => Date.parse(text);
const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString().replace('.000Z', 'Z'));
/** The same hours every day: open from `from` to before `to`. */
const daily = (timeZone: string, from: number, to: number): Schedule => {
  const open = (hour: number) => (from < to ? hour >= from && hour < to : hour >= from || hour < to);
  const day = Array.from({ length: 24 }, (_, hour) => (open(hour) ? '1' : '0')).join('');
  return { timeZone, week: Array.from({ length: 7 }, () => day) };
};

describe('an hour of the week, and its change', () => {
  test.each<[string, Schedule, string, boolean, string]>([
    ['night, before it', daily('Europe/Berlin', 22, 7), '2026-01-15T20:30:00Z', false, '2026-01-15T21:00:00Z'],
    ['night, in it', daily('Europe/Berlin', 22, 7), '2026-01-15T21:00:00Z', true, '2026-01-16T06:00:00Z'],
    ['Chatham Islands, autumn', daily('Pacific/Chatham', 2, 3), '2026-04-04T13:15:00Z', false, '2026-04-04T14:00:00Z'],
    ['half an hour off', daily('Asia/Kolkata', 22, 7), '2026-01-15T16:29:59Z', false, '2026-01-15T16:30:00Z'],
    ['three quarters off', daily('Asia/Kathmandu', 22, 7), '2026-01-15T16:14:00Z', false, '2026-01-15T16:15:00Z'],
    ['far east', daily('Pacific/Kiritimati', 0, 1), '2026-01-15T09:30:00Z', false, '2026-01-15T10:00:00Z'],
    [
      'spring, 2 to 3 does not exist',
      daily('Europe/Berlin', 1, 4),
      '2026-03-29T00:30:00Z',
      true,
      '2026-03-29T02:00:00Z',
    ],
    ['spring, only that hour', daily('Europe/Berlin', 2, 3), '2026-03-29T00:30:00Z', false, '2026-03-30T00:00:00Z'],
    ['autumn, 2 to 3 counts twice', daily('Europe/Berlin', 2, 3), '2026-10-25T00:00:00Z', true, '2026-10-25T02:00:00Z'],
    ['autumn, New York', daily('America/New_York', 1, 2), '2026-11-01T05:30:00Z', true, '2026-11-01T07:00:00Z'],
    [
      'Lord Howe, spring, half an hour',
      daily('Australia/Lord_Howe', 1, 3),
      '2026-10-03T15:00:00Z',
      true,
      '2026-10-03T16:00:00Z',
    ],
    [
      'Lord Howe, autumn, half an hour',
      daily('Australia/Lord_Howe', 1, 2),
      '2026-04-04T14:00:00Z',
      true,
      '2026-04-04T15:30:00Z',
    ],
    [
      'São Paulo, no summer time',
      daily('America/Sao_Paulo', 0, 6),
      '2026-10-18T02:00:00Z',
      false,
      '2026-10-18T03:00:00Z',
    ],
  ])('%s', (_name, schedule, now, open, changesAt) => {
    const answer = scheduleAt(schedule, at(now), 'UTC');
    expect([answer.open, iso(answer.changesAt)]).toEqual([open, changesAt]);
  });
  test('begins on Monday', () => {
    const week = ['0'.repeat(23).concat('1'), ...Array.from({ length: 6 }, () => '0'.repeat(24))];
    const answer = scheduleAt({ timeZone: 'UTC', week }, at('2026-01-13T00:00:00Z'), 'UTC');
    expect([answer.open, iso(answer.changesAt)]).toEqual([false, '2026-01-19T23:00:00Z']);
  });
  test.each(['0', '1'])('all %s never changes', (hour) => {
    const week = Array.from({ length: 7 }, () => hour.repeat(24));
    expect(scheduleAt({ timeZone: 'system', week }, 0, 'Asia/Tokyo')).toEqual({ open: hour === '1', changesAt: null });
  });
  test("the machine's own zone, which may be one that nobody knows", () => {
    const own = daily('system', 12, 13);
    expect(scheduleAt(own, at('2026-01-15T03:30:00Z'), 'Asia/Tokyo').open).toBe(true);
    expect(scheduleAt(own, at('2026-01-15T12:30:00Z'), 'Asia/Tokyo').open).toBe(false);
    expect(scheduleAt(own, at('2026-01-15T12:30:00Z'), 'Etc/Nowhere').open).toBe(true);
  });
});

const zone = fc.constantFrom(
  ...['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata', 'America/St_Johns'],
  ...['Africa/Casablanca', 'Asia/Tehran', 'Pacific/Chatham', 'Pacific/Apia'],
);
test('stays as it is until the change it tells of, and is different then, all year and everywhere', () => {
  const start = at('2026-01-01T00:00:00Z');
  const steps = [1, HOUR / 4, HOUR / 2, HOUR, 5 * HOUR];
  const week = fc.array(
    fc.array(fc.constantFrom('0', '1'), { minLength: 24, maxLength: 24 }).map((day) => day.join('')),
    {
      minLength: 7,
      maxLength: 7,
    },
  );
  fc.assert(
    fc.property(week, zone, fc.nat(365 * 24 * 60), (days, timeZone, minute) => {
      const fresh = (): Schedule => ({ timeZone, week: days });
      const schedule = fresh();
      const now = start + minute * 60_000;
      const { open, changesAt } = scheduleAt(schedule, now, 'UTC');
      if (changesAt === null) return;
      expect(changesAt).toBeGreaterThan(now);
      for (const step of steps) {
        if (now + step < changesAt) expect(scheduleAt(fresh(), now + step, 'UTC').open).toBe(open);
      }
      expect(scheduleAt(fresh(), changesAt - 1, 'UTC').open).toBe(open);
      expect(scheduleAt(fresh(), changesAt, 'UTC').open).toBe(!open);
      // What is remembered of the first answer tells nothing else.
      for (const step of [HOUR, -HOUR, 9 * HOUR, -24 * HOUR, 0]) {
        expect(scheduleAt(schedule, now + step, 'UTC')).toEqual(scheduleAt(fresh(), now + step, 'UTC'));
      }
    }),
    { numRuns: 300 },
  );
});

test('only a whole week of known hours in a known zone is a schedule', () => {
  const { week } = daily('UTC', 0, 1);
  expect(scheduleSchema.safeParse({ timeZone: 'Europe/Berlin', week }).success).toBe(true);
  for (const wrong of [
    { week: week.slice(1) },
    { week: [...week.slice(1), '2'.repeat(24)] },
    { timeZone: 'Mars/Base' },
  ]) {
    expect(scheduleSchema.safeParse({ timeZone: 'UTC', week, ...wrong }).success).toBe(false);
  }
});

describe('in a decision', () => {
  const night = daily('UTC', 22, 7);
  const noon = calm({ now: at('2026-01-15T12:00:00Z') });
  const lane = (policy: ReturnType<typeof policyFrom>, name: 'cpu' | 'gpu' = 'cpu') =>
    decide(noon, policy, freshMemory()).lanes[name];
  test('outside the hours it says when the next begin', () => {
    const reason = { kind: 'schedule-closed', opensAt: at('2026-01-15T22:00:00Z') };
    expect(lane(policyFrom({ schedule: night }))).toEqual({ kind: 'hold', reason });
  });
  test('"share now" is not bound by it, and a lane can be freed of it', () => {
    const sharing = { mode: 'now' as const, pausedUntil: null, draining: false };
    expect(lane(policyFrom({ schedule: night, sharing }))).toEqual({ kind: 'run' });
    const lanes = {
      ...defaultSettings().lanes,
      cpu: { share: 'when-idle' as const, rules: { followSchedule: false } },
      gpu: { share: 'when-idle' as const, rules: {} },
    };
    expect(lane(policyFrom({ schedule: night, lanes })).kind).toBe('run');
    expect(lane(policyFrom({ schedule: night, lanes }), 'gpu').kind).toBe('hold');
  });
});
