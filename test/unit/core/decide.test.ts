import { describe, expect, test } from 'vitest';
import { decide, freshMemory, type Reason } from '../../../core/decide.ts';
import { type Policy, pauseEnd } from '../../../core/policy.ts';
import { perLane } from '../../../core/primitives.ts';
import { defaultSettings, type Rules } from '../../../core/settings.ts';
import type { Signals } from '../../../core/signals.ts';
import { aGpu, calm, GIB, held, NOW, policyFrom, RUN } from '../../support/rules.ts';

const rules = (change: Partial<Rules>): Policy => policyFrom({ rules: { ...defaultSettings().rules, ...change } });
const IDLE_MS = 180_000;
/** Nobody may share in the hour of NOW (12:00 UTC on a Thursday). */
const closed = { timeZone: 'system', week: Array.from({ length: 7 }, () => `${'1'.repeat(12)}0${'1'.repeat(11)}`) };

type Fault = readonly [Partial<Signals>, Partial<Policy>, Reason];
/** In the order of the guards: with all that follows also wrong, each is still the reason. */
const common: readonly Fault[] = [
  [{ settingsOk: false }, {}, { kind: 'settings-broken' }],
  [{ ledgerWritable: false }, {}, { kind: 'ledger-unwritable' }],
  [{ sandboxLeaks: true }, {}, { kind: 'sandbox-leaks' }],
  [{}, { pausedUntil: NOW + 1 }, { kind: 'paused', until: NOW + 1 }],
  [{ offered: perLane(() => false) }, {}, { kind: 'lane-not-offered' }],
  [{}, offPolicy(), { kind: 'lane-off' }],
  [{}, { draining: true }, { kind: 'drained' }],
  [{ engine: { kind: 'unfit', why: { kind: 'no-limits' } } }, {}, { kind: 'engine-unfit', why: { kind: 'no-limits' } }],
  [{ freeDiskBytes: 1 }, {}, { kind: 'disk-low', freeBytes: 1, neededBytes: 2 * GIB }],
  [{}, { schedule: { ...closed } }, { kind: 'schedule-closed', opensAt: NOW + 3_600_000 }],
  [{ onBattery: true }, {}, { kind: 'on-battery' }],
  [{ metered: true }, {}, { kind: 'metered' }],
  [{ temperatureC: 95, gpus: [aGpu({ temperatureC: 95 })] }, {}, { kind: 'too-hot', celsius: 95, limit: 90 }],
  [{ games: [{ name: 'Portal 2' }] }, {}, { kind: 'game', name: 'Portal 2' }],
  [{ fullscreen: { name: 'mpv' } }, {}, { kind: 'fullscreen', name: 'mpv' }],
  [{ media: { name: 'Firefox' } }, {}, { kind: 'media', name: 'Firefox' }],
  [{ idleMs: 1_000 }, {}, { kind: 'in-use', resumesAt: NOW - 1_000 + IDLE_MS }],
  [{ cpuByOthersPercent: 88 }, {}, { kind: 'cpu-busy', percent: 88, limit: 60 }],
  [{ coordinator: { kind: 'connecting' } }, {}, { kind: 'coordinator-away' }],
];
function offPolicy(): Partial<Policy> {
  const { lanes, gpu } = policyFrom();
  return {
    lanes: { ...lanes, cpu: { ...lanes.cpu, share: 'never' }, gpu: { ...lanes.gpu, share: 'never' } },
    gpu: (id) => ({ ...gpu(id), share: 'never' }),
  };
}
test.each(common.map((fault, index) => [fault[2].kind, index] as const))(
  '%s outranks what follows it',
  (_kind, index) => {
    const change = Object.assign({}, ...common.slice(index).map((fault) => fault[0]));
    const by = Object.assign({}, ...common.slice(index).map((fault) => fault[1]));
    const { lanes } = decide(calm(change), { ...policyFrom(), ...by }, freshMemory());
    expect(lanes.cpu).toEqual(held(common[index]?.[2] ?? { kind: 'drained' }));
  },
);

test('runs when nothing speaks against it', () => {
  const { lanes, gpus } = decide(calm(), policyFrom(), freshMemory());
  expect(lanes).toMatchObject({ cpu: RUN, gpu: RUN });
  expect(gpus).toEqual({ 'gpu-a': RUN });
});

describe('pauseEnd', () => {
  const at = (text: string) => Date.parse(text);
  test.each([
    ['2026-01-15T13:00:00Z', 0, '2026-01-16T06:00:00Z'],
    ['2026-01-15T01:00:00Z', 0, '2026-01-15T06:00:00Z'],
    ['2026-01-15T06:00:00Z', 0, '2026-01-16T06:00:00Z'],
    ['2026-01-15T13:00:00Z', 540, '2026-01-15T21:00:00Z'],
    ['2026-01-15T13:00:00Z', -480, '2026-01-15T14:00:00Z'],
  ])('tomorrow, said at %s with offset %d, is %s', (now, offset, end) => {
    expect(pauseEnd('tomorrow', at(now), offset)).toBe(at(end));
  });
  test('an hour is an hour; resumed has no end', () => {
    expect(pauseEnd('hour', 5, 0)).toBe(3_600_005);
    expect(pauseEnd('resumed', 5, 0)).toBe('resumed');
  });
});

describe('single rules', () => {
  const cpu = (change: Partial<Signals>, policy: Policy) => decide(calm(change), policy, freshMemory()).lanes.cpu;
  test.each<[string, Partial<Signals>, Policy, string]>([
    ['engine absent', { engine: { kind: 'absent', detail: '' } }, policyFrom(), 'engine-absent'],
    ['engine forbidden', { engine: { kind: 'forbidden', detail: '' } }, policyFrom(), 'engine-forbidden'],
    ['engine unchecked', { engine: { kind: 'unchecked' } }, policyFrom(), 'engine-unchecked'],
    ['idle unknown', { idleMs: 'unknown' }, policyFrom(), 'idle-unknown'],
    ['idle unavailable', { idleMs: 'unavailable' }, policyFrom(), 'idle-unknown'],
    ['paused until resumed', {}, { ...policyFrom(), pausedUntil: 'resumed' }, 'paused'],
    ['a locked screen just now', { idleMs: 9_999, locked: true }, policyFrom(), 'in-use'],
    ['idle not quite long enough', { idleMs: IDLE_MS - 1 }, policyFrom(), 'in-use'],
  ])('%s holds', (_name, change, policy, kind) => {
    expect(cpu(change, policy)).toMatchObject({ kind: 'hold', reason: { kind } });
  });
  test.each<[string, Partial<Signals>, Policy]>([
    ['a pause that is over', {}, { ...policyFrom(), pausedUntil: NOW }],
    ['share now, whoever is there', { idleMs: 0 }, { ...policyFrom(), mode: 'now' }],
    ['share now, idle unknown', { idleMs: 'unknown' }, { ...policyFrom(), mode: 'now' }],
    ['battery allowed', { onBattery: true }, rules({ shareOnBattery: true })],
    ['metered allowed', { metered: true }, rules({ shareOnMetered: true })],
    ['idle exactly long enough', { idleMs: IDLE_MS }, policyFrom()],
    ['a locked screen for ten seconds', { idleMs: 10_000, locked: true }, policyFrom()],
    ['draining with a lease in hand', { leases: perLane(() => 1) }, { ...policyFrom(), draining: true }],
    [
      'coordinator away with a lease in hand',
      { coordinator: { kind: 'refused', detail: '' }, leases: perLane(() => 1) },
      policyFrom(),
    ],
  ])('%s runs', (_name, change, policy) => {
    expect(cpu(change, policy)).toEqual(RUN);
  });
});
