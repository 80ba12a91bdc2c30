import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dayAt, startOf } from '../../../core/calendar.ts';
import { applyPatch, defaultSettings, parseSettings, type Settings } from '../../../core/settings.ts';
import {
  flowOf,
  GIB,
  lineBusy,
  monthAt,
  ratesFor,
  stopsAt,
  totalOf,
  usageIn,
  usageSchema,
  withBytes,
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
  test('a month ends where the next begins', () => {
    fc.assert(
      fc.property(TIMES, MINUTES, (at, offset) => {
        const { month, resetsAt } = monthAt(at, offset);
        expect(resetsAt).toBeGreaterThan(at);
        expect(monthAt(resetsAt - 1, offset).month).toBe(month);
        expect(monthAt(resetsAt, offset).month > month).toBe(true);
      }),
    );
    expect(monthAt(Date.UTC(2026, 11, 31, 15), 540)).toEqual({ month: '2027-01', resetsAt: Date.UTC(2027, 0, 31, 15) });
  });
});

describe('what is used', () => {
  test('adds up per lane and direction, and begins anew with the month, not with a clock that was set back', () => {
    let usage = usageIn(null, '2026-11');
    usage = withBytes(withBytes(usage, 'cpu', 'in', 5), 'cpu', 'in', 7);
    usage = withBytes(usage, 'session', 'out', 3);
    expect(usage.carriers.cpu).toEqual({ in: 12, out: 0 });
    expect(totalOf(usage)).toEqual({ in: 12, out: 3 });
    expect(usageIn(usage, '2026-11')).toBe(usage);
    expect(usageIn(usage, '2026-10')).toBe(usage);
    expect(totalOf(usageIn(usage, '2026-12'))).toEqual({ in: 0, out: 0 });
    expect(usageSchema.parse(JSON.parse(JSON.stringify(usage)))).toEqual(usage);
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
    expect(flowOf(8)).toEqual({ rate: 1_000_000, burst: 250_000 });
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
