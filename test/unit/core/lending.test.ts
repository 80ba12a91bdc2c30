import { describe, expect, test } from 'vitest';
import type { LaneDecision } from '../../../core/decide.ts';
import { bandwidthView, SCORE_REASONS, storageView } from '../../../core/lending.ts';
import { applyPatch, defaultSettings, type SettingsPatch } from '../../../core/settings.ts';
import type { Signals } from '../../../core/signals.ts';
import type { Snapshot } from '../../../core/snapshot.ts';
import { textIn } from '../../../core/text/index.ts';
import { laneLines } from '../../../core/text/lanes.ts';
import { bandwidthFacts, lender, storageFacts } from '../../fakes/lending.ts';
import { snapshot } from '../../fakes/snapshots.ts';
import { GIB, held, Machine, NOW, policyFrom, RUN } from '../../support/rules.ts';

const lent = (patch: SettingsPatch = {}) =>
  applyPatch(
    applyPatch(defaultSettings(), { lanes: { storage: { share: 'always' }, bandwidth: { share: 'always' } } }),
    patch,
  );
const machine = (patch: SettingsPatch = {}, signals: Partial<Signals> = {}) =>
  new Machine(
    { offered: { cpu: true, gpu: false, bandwidth: true, storage: true }, ...signals },
    policyFrom(lent(patch)),
  );
const PLAYS: Partial<Signals> = {
  ...{ idleMs: 50, games: [{ name: 'Elden Ring' }], fullscreen: { name: 'Elden Ring' }, media: { name: 'mpv' } },
  ...{ cpuByOthersPercent: 97, temperatureC: 94 },
};

describe('while somebody plays', () => {
  test('storage stays, and the line is lent as the owner chose', () => {
    const { lanes } = machine({}, PLAYS).after(60_000, PLAYS);
    expect(lanes.cpu.kind).toBe('hold');
    expect(lanes.storage).toEqual(RUN);
    expect(lanes.bandwidth).toMatchObject({ kind: 'hold', reason: { kind: 'too-hot' } });
    const cool = { ...PLAYS, temperatureC: 60, cpuByOthersPercent: 20 };
    expect(machine({}, cool).after(60_000, cool).lanes.bandwidth).toEqual(RUN);
    const whenIdle = machine({ lanes: { bandwidth: { share: 'when-idle' } } }, cool).after(60_000, cool);
    expect(whenIdle.lanes.bandwidth).toMatchObject({ kind: 'hold', reason: { kind: 'game' } });
    expect(whenIdle.lanes.storage).toEqual(RUN);
  });
});

describe('storage gives way', () => {
  test.each<[string, SettingsPatch, Partial<Signals>, string]>([
    ['to a word of the owner', { lanes: { storage: { share: 'never' } } }, {}, 'lane-off'],
    ['to a metered network, whatever is in hand', {}, { metered: true, leases: four(1) }, 'metered'],
    [
      'to a month that is used up, whatever is in hand',
      { limits: { network: { monthlyCapGiB: 10 } } },
      { traffic: { monthBytes: 10 * GIB, resetsAt: NOW + 1 }, leases: four(1) },
      'data-cap',
    ],
    ['to an empty battery', {}, { onBattery: true }, 'on-battery'],
    ['to an engine that is away', {}, { engine: { kind: 'absent', detail: '' } }, 'engine-absent'],
  ])('%s', (_what, patch, signals, kind) => {
    expect(machine(patch, signals).after(1_000, signals).lanes.storage).toMatchObject({ reason: { kind } });
  });
  test('and to nothing else: neither to hours nor to a disk that fills up', () => {
    const never = { timeZone: 'system', week: Array.from({ length: 7 }, () => '0'.repeat(24)) };
    const full = machine({ schedule: never }, { freeDiskBytes: 1 }).after(1_000, { freeDiskBytes: 1 });
    expect(full.lanes.storage).toEqual(RUN);
    expect(full.lanes.bandwidth).toMatchObject({ reason: { kind: 'disk-low' } });
    const bound = machine({ schedule: never, lanes: { storage: { rules: { followSchedule: true } } } }).after(
      1_000,
      {},
    );
    expect(bound.lanes.storage).toMatchObject({ reason: { kind: 'schedule-closed' } });
  });
});

function four(each: number): Signals['leases'] {
  return { cpu: each, gpu: each, bandwidth: each, storage: each };
}

describe('what is shown of it', () => {
  const { limits } = defaultSettings();
  const off = held({ kind: 'lane-off' });
  test.each<[string, LaneDecision, Partial<Parameters<typeof storageFacts>[0]>, boolean, string]>([
    ['off', off, { usedBytes: 0 }, false, 'off'],
    ['off with something left', off, {}, false, 'draining'],
    ['on and not up', RUN, { up: false }, false, 'preparing'],
    ['on', RUN, {}, false, 'open'],
    ['on beside its owner', RUN, {}, true, 'slowed'],
    ['held', held({ kind: 'metered' }), { usedBytes: 90 * GIB }, false, 'held'],
    ['smaller than what is kept', RUN, { usedBytes: 90 * GIB }, false, 'draining'],
    ['suspended', RUN, { suspendedUntil: NOW }, true, 'suspended'],
  ])('of storage that is %s', (_what, decision, change, busy, state) => {
    expect(storageView({ decision, busy, limits }, storageFacts(change)).state).toBe(state);
  });
  test('of what nobody has told: unknown, never nothing', () => {
    const storage = storageView({ decision: RUN, busy: false, limits }, null);
    expect(storage).toMatchObject({ state: 'preparing', usedBytes: 'unknown', score: null, earnedToday: 'unknown' });
    expect(storage.lentBytes).toBe(50 * GIB);
    const bandwidth = bandwidthView({ decision: RUN, busy: true, limits }, null);
    expect(bandwidth).toMatchObject({ state: 'preparing', cachedBytes: 'unknown', cacheBytes: 10 * GIB });
    expect(bandwidthView({ decision: RUN, busy: true, limits }, bandwidthFacts()).state).toBe('slowed');
  });
  test('is one line for the tray and the terminal, and none where nobody ever lent', () => {
    const lines = (shown: Partial<Snapshot>, language: 'en' | 'ja') =>
      laneLines(snapshot(NOW, shown), textIn(language), () => ({ now: NOW, utcOffsetMinutes: 0 }))
        .filter(({ lane }) => lane === 'storage' || lane === 'bandwidth')
        .map(({ says }) => says);
    expect(lines(lender(NOW), 'en')).toEqual([
      'Open · 3.2 GiB handed out today',
      'Open · 31.4 GiB of 50.0 GiB kept for others',
    ]);
    expect(lines(lender(NOW, { busy: true }), 'ja')[1]).toBe('低速で稼働中・50.0 GiBのうち31.4 GiBを預かり中');
    expect(lines({ ...lender(NOW), storage: null, bandwidth: null }, 'en')).toEqual(['Starting', 'Starting']);
    expect(lines(lender(NOW, { settings: defaultSettings() }), 'en')).toEqual([]);
  });
  test('has words of its own for each state and reason, in every language', () => {
    const states = ['off', 'preparing', 'open', 'slowed', 'held', 'draining', 'suspended'] as const;
    for (const language of ['en', 'ja'] as const) {
      const { lend } = textIn(language).window;
      expect(new Set(states.map(lend.state)).size).toBe(states.length);
      expect(new Set(states.map(lend.storageSays)).size).toBe(states.length);
      expect(new Set(SCORE_REASONS.map(lend.scoreReason)).size).toBe(SCORE_REASONS.length);
      expect(states.map(lend.bandwidthSays).every((said) => said.length > 5)).toBe(true);
    }
  });
});
