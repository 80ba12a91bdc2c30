import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dayAt, startOf } from '../../../core/calendar.ts';
import { applyPatch, defaultSettings, parseSettings, type Settings } from '../../../core/settings.ts';
import {
  addedUp,
  dayNameAt,
  daysOf,
  flowOf,
  GIB,
  lineBusy,
  NO_USAGE,
  parseUsage,
  periodAt,
  ratesFor,
  stopsAt,
  totalSince,
  withBytes,
  withStored,
} from '../../../core/traffic.ts';
import { calm } from '../../support/rules.ts';

const MINUTES = fc.integer({ min: -12 * 60, max: 14 * 60 });
const TIMES = fc.integer({ min: 0, max: 8_000_000_000_000 });

describe('the calendar', () => {
  test('agrees with the platform’s, in every zone and year', () => {
    fc.assert(
      fc.property(TIMES, MINUTES, (at, offset) => {
        const local = new Date(at + offset * 60_000);
        const day = { year: local.getUTCFullYear(), month: local.getUTCMonth() + 1, day: local.getUTCDate() };
        expect(dayAt(at, offset)).toEqual(day);
        expect(startOf(day, offset)).toBe(Date.UTC(day.year, day.month - 1, day.day) - offset * 60_000);
      }),
    );
  });
  test('a period ends where the next begins, on the reset day, and holds the moment that it is asked about', () => {
    fc.assert(
      fc.property(TIMES, MINUTES, fc.integer({ min: 1, max: 28 }), (at, offset, resetDay) => {
        const { from, resetsAt } = periodAt(at, offset, resetDay);
        expect(from <= dayNameAt(at, offset)).toBe(true);
        expect(resetsAt).toBeGreaterThan(at);
        expect(resetsAt - at).toBeLessThanOrEqual(31 * 86_400_000);
        expect(dayAt(resetsAt, offset).day).toBe(resetDay);
        expect(periodAt(resetsAt - 1, offset, resetDay).from).toBe(from);
        expect(periodAt(resetsAt, offset, resetDay).from).toBe(dayNameAt(resetsAt, offset));
      }),
    );
    const newYear = { from: '2027-01-01', resetsAt: Date.UTC(2027, 0, 31, 15) };
    expect(periodAt(Date.UTC(2026, 11, 31, 15), 540, 1)).toEqual(newYear);
    const before = { from: '2026-12-15', resetsAt: Date.UTC(2027, 0, 15) };
    expect(periodAt(Date.UTC(2027, 0, 14, 23, 59), 0, 15)).toEqual(before);
  });
});

describe('what is used', () => {
  test('adds up per day, lane and direction, and counts from a day on, however the clock was set', () => {
    let usage = withBytes(withBytes(NO_USAGE, '2026-11-02', 'cpu', 'in', 5), '2026-11-02', 'cpu', 'in', 7);
    usage = withBytes(usage, '2026-11-03', 'session', 'out', 3);
    usage = withBytes(usage, '2026-10-31', 'gpu', 'out', 90);
    expect(usage.days.map(({ day }) => day)).toEqual(['2026-10-31', '2026-11-02', '2026-11-03']);
    expect(totalSince(usage, '2026-11-01')).toEqual({ in: 12, out: 3 });
    expect(totalSince(usage, '2026-11-03')).toEqual({ in: 0, out: 3 });
    // A clock that went ahead and came back: what passed then counts now.
    expect(totalSince(usage, '2026-10-15')).toEqual({ in: 12, out: 93 });
    expect(parseUsage(JSON.parse(JSON.stringify(usage)))).toEqual(usage);
  });
  test('a file of a whole month counts as its first day', () => {
    const some = { in: 0, out: 0 };
    const carriers = { cpu: { in: 4, out: 1 }, gpu: some, bandwidth: some, storage: some, session: { in: 0, out: 2 } };
    const read = parseUsage({ version: 1, month: '2026-11', carriers });
    expect(totalSince(read, '2026-11-01')).toEqual({ in: 4, out: 3 });
    expect(totalSince(read, '2026-11-02')).toEqual({ in: 0, out: 0 });
    expect(() =>
      parseUsage({ version: 2, days: [{ day: '2026-11-02', carriers: {} }, { day: '2026-11-02' }] }),
    ).toThrow();
    expect(() => parseUsage({ version: 3, days: [] })).toThrow();
  });
  test('two counts come to the same, however they are cut', () => {
    const day = fc.integer({ min: 1, max: 20 }).map((at) => `2026-11-${String(at).padStart(2, '0')}`);
    const passed = fc.tuple(day, fc.constantFrom('cpu', 'storage', 'session'), fc.nat(1000));
    fc.assert(
      fc.property(fc.array(passed, { maxLength: 30 }), fc.nat(30), (all, cut) => {
        const of = (some: typeof all) =>
          some.reduce((sum, [on, carrier, bytes]) => withBytes(sum, on, carrier as 'cpu', 'out', bytes), NO_USAGE);
        expect(addedUp(of(all.slice(0, cut)), of(all.slice(cut)))).toEqual(of(all));
      }),
    );
  });
  test('days without anything are shown too, and old ones are forgotten', () => {
    const now = Date.UTC(2026, 10, 23, 12);
    const usage = withStored(withBytes(NO_USAGE, '2026-11-22', 'bandwidth', 'out', 8), '2026-11-22', 77);
    const days = daysOf(usage, 3, now, 0);
    expect(days.map(({ dayStart }) => dayStart)).toEqual([21, 22, 23].map((day) => Date.UTC(2026, 10, day)));
    expect(days.map(({ carriers, stored }) => [carriers.bandwidth.out, stored])).toEqual([
      [0, null],
      [8, 77],
      [0, null],
    ]);
    let long = NO_USAGE;
    for (let at = 0; at < 100; at++) long = withBytes(long, dayNameAt(now + at * 86_400_000, 0), 'cpu', 'in', 1);
    expect(long.days).toHaveLength(62);
    expect(long.days[0]?.day).toBe(dayNameAt(now + 38 * 86_400_000, 0));
  });
  test('leaves a twentieth of the cap for results, and never more than 1 GiB', () => {
    expect(stopsAt(10 * GIB)).toBe(9.5 * GIB);
    expect(stopsAt(1000 * GIB)).toBe(999 * GIB);
  });
});

describe('the owner’s line', () => {
  const idle = calm();
  test.each<[string, Partial<ReturnType<typeof calm>>, boolean]>([
    ['nobody there', {}, false],
    ['somebody at the keyboard', { idleMs: 2_000 }, true],
    ['who has locked the screen', { idleMs: 2_000, locked: true }, false],
    ['a game without input', { games: [{ name: 'x' }] }, true],
    ['a film in fullscreen', { fullscreen: { name: 'x' } }, true],
    ['doubt about the input', { idleMs: 'unknown' }, true],
    ['doubt about games', { games: 'unknown' }, true],
    [
      'a machine that has no such sensors',
      { idleMs: 'unavailable', games: 'unavailable', fullscreen: 'unavailable' },
      false,
    ],
  ])('%s', (_what, change, busy) => {
    expect(lineBusy({ ...idle, ...change }, 180)).toBe(busy);
  });
  test('has rates of its own for each, and none where none is set', () => {
    const { network } = defaultSettings().limits;
    expect(ratesFor(network, false)).toEqual({ in: flowOf(100), out: flowOf(20) });
    expect(ratesFor(network, true)).toEqual({ in: flowOf(5), out: flowOf(1) });
    expect(flowOf(8)).toEqual({ rate: 1_000_000, burst: 100_000 });
    expect(flowOf(null).rate).toBeNull();
  });
  test('an older file of settings gets the defaults, and one change leaves the rest', () => {
    const old = parseSettings({ version: 2, limits: { cpuPercent: 30 } });
    expect(old.limits.network).toEqual(defaultSettings().limits.network);
    const next: Settings = applyPatch(old, { limits: { network: { idleUpMbps: null, monthlyCapGiB: 50 } } });
    expect(next.limits.network).toEqual({ ...old.limits.network, idleUpMbps: null, monthlyCapGiB: 50 });
    expect(next.limits.cpuPercent).toBe(30);
    expect(() => applyPatch(old, { limits: { network: { busyUpMbps: 0 } } })).toThrow(/busyUpMbps/);
  });
});
