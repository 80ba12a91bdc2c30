import { describe, expect, it } from 'vitest';
import type { SwitchEntry } from '../../../core/ipc.ts';
import { byDay, dayStartOf, programOf, ribbons } from '../../../renderer/switches.ts';

const MINUTE = 60_000;
const NOON = new Date(2026, 2, 14, 12).getTime();
const GAME = { kind: 'game', name: 'Elden Ring' } as const;
const HERE = { kind: 'in-use', resumesAt: NOON } as const;

const entry = (id: number, at: number, from: SwitchEntry['from'], to: SwitchEntry['to'], gpu: string | null = null) =>
  ({ id, at, lane: gpu === null ? 'cpu' : 'gpu', gpu, from, to }) satisfies SwitchEntry;

/** Newest first. */
const DAY: readonly SwitchEntry[] = [
  entry(4, NOON, HERE, 'run'),
  entry(3, NOON - 5 * MINUTE, GAME, HERE),
  entry(2, NOON - 6 * MINUTE, 'run', GAME, 'GPU-1'),
  entry(1, NOON - 20 * MINUTE, 'run', GAME),
];

describe('the history of switches', () => {
  it('says how long each state lasted, each lane and card for itself', () => {
    const rows = byDay(DAY)[0]?.rows ?? [];
    expect(rows.map(({ lastedMs }) => lastedMs)).toEqual([null, 5 * MINUTE, null, 15 * MINUTE]);
  });

  it('counts a return from when sharing gave way, across all that held it meanwhile', () => {
    const rows = byDay(DAY)[0]?.rows ?? [];
    expect(rows.map(({ awaySince }) => awaySince)).toEqual([NOON - 20 * MINUTE, null, null, null]);
    expect(byDay(DAY.slice(0, 2))[0]?.rows[0]?.awaySince).toBeNull();
  });

  it('stands under local days', () => {
    const midnight = dayStartOf(NOON);
    const days = byDay([entry(2, midnight, GAME, 'run'), entry(1, midnight - 1, 'run', GAME)]);
    expect(days.map(({ dayStart }) => dayStart)).toEqual([midnight, dayStartOf(midnight - 1)]);
  });

  it('offers to ignore programs only', () => {
    expect([programOf(GAME), programOf(HERE), programOf('run')]).toEqual(['Elden Ring', null, null]);
  });
});

describe('the picture of a day', () => {
  it('has no gap, and begins with what the oldest entry ended', () => {
    const from = dayStartOf(NOON);
    const [cpu, gpu] = ribbons(DAY, from, NOON + MINUTE);
    expect(cpu?.stretches).toEqual([
      { from, to: NOON - 20 * MINUTE, group: 'run' },
      { from: NOON - 20 * MINUTE, to: NOON - 5 * MINUTE, group: 'program' },
      { from: NOON - 5 * MINUTE, to: NOON, group: 'owner' },
      { from: NOON, to: NOON + MINUTE, group: 'run' },
    ]);
    expect(gpu?.stretches.map(({ group }) => group)).toEqual(['run', 'program']);
  });

  it('shows nothing of the days before', () => {
    const [cpu] = ribbons([entry(1, NOON - 48 * 60 * MINUTE, 'run', GAME)], dayStartOf(NOON), NOON);
    expect(cpu?.stretches).toEqual([{ from: dayStartOf(NOON), to: NOON, group: 'program' }]);
  });
});
