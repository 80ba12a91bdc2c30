import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decide, freshMemory, type Reason } from '../../../core/decide.ts';
import { type Policy, pauseEnd, policyOf } from '../../../core/policy.ts';
import { LANES, perLane } from '../../../core/primitives.ts';
import { defaultSettings } from '../../../core/settings.ts';
import type { Signals } from '../../../core/signals.ts';

const NOW = 1_768_478_400_000;
const GIB = 1024 ** 3;
const policy: Policy = policyOf(defaultSettings());
const signals: Signals = {
  now: NOW,
  idleMs: 3_600_000,
  onBattery: false,
  freeDiskBytes: 100 * GIB,
  ledgerWritable: true,
  settingsOk: true,
  engine: { kind: 'ready', version: '1' },
  coordinator: { kind: 'connected', since: 0 },
  leases: perLane(() => 0),
  offered: perLane((lane) => lane === 'cpu'),
};
const cpu = (change: Partial<Signals> = {}, by: Partial<Policy> = {}) =>
  decide({ ...signals, ...change }, { ...policy, ...by }, freshMemory()).lanes.cpu;

test('runs when nothing speaks against it', () => {
  expect(cpu()).toEqual({ kind: 'run' });
});

/** In the order of the guards: with all that follows also wrong, each is still the reason. */
const faults: readonly [Partial<Signals>, Partial<Policy>, Reason][] = [
  [{ settingsOk: false }, {}, { kind: 'settings-broken' }],
  [{ ledgerWritable: false }, {}, { kind: 'ledger-unwritable' }],
  [{}, { pausedUntil: NOW + 1 }, { kind: 'paused', until: NOW + 1 }],
  [{ offered: perLane(() => false) }, {}, { kind: 'lane-not-offered' }],
  [{}, { lanes: perLane(() => false) }, { kind: 'lane-off' }],
  [{ engine: { kind: 'unfit', detail: 'no limits' } }, {}, { kind: 'engine-unfit', detail: 'no limits' }],
  [{ freeDiskBytes: 1 }, {}, { kind: 'disk-low', freeBytes: 1, neededBytes: policy.minFreeDiskBytes }],
  [{ onBattery: true }, {}, { kind: 'on-battery' }],
  [{ idleMs: 1_000 }, {}, { kind: 'in-use', resumesAt: NOW - 1_000 + policy.idleAfterMs }],
  [{ coordinator: { kind: 'connecting' } }, {}, { kind: 'coordinator-away' }],
];
test.each(faults.map((fault, index) => [fault[2].kind, index] as const))(
  '%s outranks what follows it',
  (_kind, index) => {
    const change = Object.assign({}, ...faults.slice(index).map((fault) => fault[0]));
    const by = Object.assign({}, ...faults.slice(index).map((fault) => fault[1]));
    expect(cpu(change, by)).toEqual({ kind: 'hold', reason: faults[index]?.[2] });
  },
);

describe('single rules', () => {
  test.each<[string, Partial<Signals>, Partial<Policy>, string]>([
    ['engine absent', { engine: { kind: 'absent', detail: '' } }, {}, 'engine-absent'],
    ['engine forbidden', { engine: { kind: 'forbidden', detail: '' } }, {}, 'engine-forbidden'],
    ['engine unchecked', { engine: { kind: 'unchecked' } }, {}, 'engine-unchecked'],
    ['idle unknown, when idle', { idleMs: 'unknown' }, {}, 'idle-unknown'],
    ['paused until resumed', {}, { pausedUntil: 'resumed' }, 'paused'],
  ])('%s holds', (_name, change, by, kind) => {
    expect(cpu(change, by)).toMatchObject({ kind: 'hold', reason: { kind } });
  });
  test.each<[string, Partial<Signals>, Partial<Policy>]>([
    ['a pause that is over', {}, { pausedUntil: NOW }],
    ['share now, whoever is there', { idleMs: 0 }, { mode: 'now' }],
    ['share now, idle unknown', { idleMs: 'unknown' }, { mode: 'now' }],
    ['battery allowed', { onBattery: true }, { shareOnBattery: true }],
    ['power unknown', { onBattery: 'unknown' }, {}],
    ['disk unknown', { freeDiskBytes: 'unknown' }, {}],
    ['idle exactly long enough', { idleMs: policy.idleAfterMs }, {}],
    [
      'coordinator away with a lease in hand',
      { coordinator: { kind: 'refused', detail: '' }, leases: perLane(() => 1) },
      {},
    ],
  ])('%s runs', (_name, change, by) => {
    expect(cpu(change, by)).toEqual({ kind: 'run' });
  });
});

const known = <T>(value: fc.Arbitrary<T>) => fc.oneof(value, fc.constant('unknown' as const));
const anySignals: fc.Arbitrary<Signals> = fc.record({
  now: fc.nat(),
  idleMs: known(fc.nat()),
  onBattery: known(fc.boolean()),
  freeDiskBytes: known(fc.nat()),
  ledgerWritable: fc.boolean(),
  settingsOk: fc.boolean(),
  engine: fc.oneof(
    fc.constant({ kind: 'ready', version: '1' } as const),
    fc.constant({ kind: 'unchecked' } as const),
    fc.record({ kind: fc.constant('absent' as const), detail: fc.string() }),
  ),
  coordinator: fc.oneof(
    fc.record({ kind: fc.constant('connected' as const), since: fc.nat() }),
    fc.record({ kind: fc.constant('away' as const), since: fc.nat(), detail: fc.string() }),
  ),
  leases: fc.nat(3).map((count) => perLane(() => count)),
  offered: fc.boolean().map((yes) => perLane(() => yes)),
});

test('is total, deterministic, and remembers since when a lane is held', () => {
  fc.assert(
    fc.property(anySignals, fc.nat(), (any, later) => {
      const first = decide(any, policy, freshMemory());
      expect(decide(any, policy, freshMemory())).toEqual(first);
      const second = decide({ ...any, now: any.now + later }, policy, first.memory);
      for (const lane of LANES) {
        const held = first.lanes[lane].kind === 'hold' && second.lanes[lane].kind === 'hold';
        if (held) expect(second.memory.heldSince[lane]).toBe(any.now);
        if (second.lanes[lane].kind === 'run') expect(second.memory.heldSince[lane]).toBeNull();
      }
    }),
  );
});

test('never runs on broken settings, an unwritable ledger or without an engine', () => {
  fc.assert(
    fc.property(anySignals, (any) => {
      const running = LANES.some((lane) => decide(any, policy, freshMemory()).lanes[lane].kind === 'run');
      if (running) expect([any.settingsOk, any.ledgerWritable, any.engine.kind]).toEqual([true, true, 'ready']);
    }),
  );
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
