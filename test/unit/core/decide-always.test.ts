import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Decision, decide, freshMemory, type Memory } from '../../../core/decide.ts';
import type { Unfitness } from '../../../core/engine-gates.ts';
import { LANES, perLane } from '../../../core/primitives.ts';
import { defaultSettings } from '../../../core/settings.ts';
import type { GpuReading, Sensed, Signals } from '../../../core/signals.ts';
import { textIn } from '../../../core/text/index.ts';
import { aGpu, calm, GIB, NOW, policyFrom } from '../../support/rules.ts';

const sensed = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Sensed<T>> =>
  fc.oneof({ arbitrary: value, weight: 4 }, fc.constantFrom('unknown' as const, 'unavailable' as const));
const figure = (max: number) => fc.oneof(fc.double({ min: 0, max, noNaN: true }), fc.double());
const app = fc.constantFrom({ name: 'Portal 2' }, { name: '' }, { name: 'a'.repeat(300) });

const anyGpu: fc.Arbitrary<GpuReading> = fc.record({
  id: fc.constantFrom('gpu-a', 'gpu-b', 'constructor', '__proto__'),
  name: fc.constantFrom('GeForce', 'Radeon'),
  busyByOthersPercent: sensed(figure(100)),
  memoryBytes: sensed(figure(8 * GIB)),
  memoryByOthersBytes: sensed(figure(8 * GIB)),
  temperatureC: sensed(figure(120)),
});
const SENSORS = {
  idleMs: sensed(figure(400_000)),
  locked: sensed(fc.boolean()),
  fullscreen: sensed(fc.option(app)),
  games: sensed(fc.array(app, { maxLength: 2 })),
  media: sensed(fc.option(app)),
  cpuByOthersPercent: sensed(figure(100)),
  gpus: sensed(fc.uniqueArray(anyGpu, { maxLength: 3, selector: ({ id }) => id })),
  onBattery: sensed(fc.boolean()),
  temperatureC: sensed(figure(120)),
  metered: sensed(fc.boolean()),
  freeDiskBytes: sensed(figure(10 * GIB)),
} as const;
/** Mostly true: else few samples get past the first guards. */
const often = fc.nat(9).map((chance) => chance > 0);
const anySignals: fc.Arbitrary<Signals> = fc.record({
  now: fc.integer({ min: 0, max: 4_102_444_800_000 }),
  timeZone: fc.constantFrom('UTC', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Nowhere/At_All', ''),
  ...SENSORS,
  ledgerWritable: often,
  settingsOk: often,
  sandboxLeaks: often.map((well) => !well),
  engine: fc.oneof(
    { arbitrary: fc.constant({ kind: 'ready', version: '1' } as const), weight: 6 },
    fc.constant({ kind: 'unchecked' } as const),
    fc.record({ kind: fc.constantFrom('absent' as const, 'forbidden' as const), detail: fc.string() }),
    fc.record({
      kind: fc.constant('unfit' as const),
      why: fc.constantFrom<Unfitness>(
        ...[{ kind: 'remote', url: 'tcp://a' } as const, { kind: 'windows-containers' } as const],
        ...[{ kind: 'no-limit', of: 'cpu' } as const, { kind: 'no-gvisor', broken: true } as const],
        { kind: 'too-old', component: 'runc', version: '1', minimum: '2', because: 'x' },
      ),
    }),
  ),
  coordinator: fc.oneof(
    { arbitrary: fc.record({ kind: fc.constant('connected' as const), since: fc.nat() }), weight: 4 },
    fc.record({ kind: fc.constant('away' as const), since: fc.nat(), detail: fc.string() }),
    fc.record({ kind: fc.constant('refused' as const), detail: fc.string() }),
  ),
  traffic: fc.record({ monthBytes: fc.nat(3 * GIB), resetsAt: fc.integer({ min: 0, max: 4_102_444_800_000 }) }),
  leases: fc.nat(2).map((count) => perLane(() => count)),
  offered: often.map((yes) => perLane(() => yes)),
  fetching: often.map((yes) => perLane(() => (yes ? null : { percent: 5 }))),
});
const rules = fc.record({
  idleAfterSeconds: fc.integer({ min: 10, max: 600 }),
  cpuBusyPercent: fc.option(fc.integer({ min: 5, max: 100 })),
  gpuBusyPercent: fc.option(fc.integer({ min: 5, max: 100 })),
  gpuMemoryPercent: fc.option(fc.integer({ min: 5, max: 100 })),
  maxTemperatureC: fc.option(fc.integer({ min: 40, max: 110 })),
  shareOnBattery: fc.boolean(),
  shareOnMetered: fc.boolean(),
  restForGames: fc.boolean(),
  restForFullscreen: fc.boolean(),
  restForMedia: fc.boolean(),
  followSchedule: fc.boolean(),
});
const unit = fc.record({
  share: fc.constantFrom('when-idle' as const, 'always' as const, 'never' as const),
  rules: fc.constant({}),
});
const day = fc.constantFrom('1'.repeat(24), '0'.repeat(24), '101010101010101010101010');
const anyPolicy = fc
  .record({
    rules,
    lanes: fc.record({
      ...{ cpu: unit, gpu: unit, bandwidth: unit },
      storage: fc.record({ share: fc.constantFrom('always' as const, 'never' as const), rules: fc.constant({}) }),
    }),
    gpus: fc.dictionary(fc.constantFrom('gpu-a', 'gpu-b'), unit, { noNullPrototype: true }),
    schedule: fc.option(
      fc.record({
        timeZone: fc.constantFrom('system', 'Europe/Berlin'),
        week: fc.array(day, { minLength: 7, maxLength: 7 }),
      }),
    ),
    sharing: fc.record({
      mode: fc.constantFrom('when-idle' as const, 'now' as const),
      pausedUntil: fc.option(fc.constantFrom(NOW, 'resumed' as const), { freq: 8 }),
      draining: fc.boolean(),
    }),
  })
  .map(policyFrom);
/** A memory that some other moment left behind. */
const anyMemory: fc.Arbitrary<Memory> = fc.oneof(
  fc.constant(freshMemory()),
  fc.tuple(anySignals, anyPolicy).map(([signals, policy]) => decide(signals, policy, freshMemory()).memory),
);
const holdsAll = (decision: Decision) => [...Object.values(decision.lanes), ...Object.values(decision.gpus)];

test('gives one decision for each lane and GPU, with a sentence in every language, whatever the signals', () => {
  fc.assert(
    fc.property(anySignals, anyPolicy, anyMemory, (signals, policy, memory) => {
      const decision = decide(signals, policy, memory);
      expect(decide(signals, policy, memory)).toEqual(decision);
      expect(Object.keys(decision.lanes)).toEqual([...LANES]);
      const known = typeof signals.gpus === 'string' ? [] : signals.gpus.map(({ id }) => id);
      expect(Object.keys(decision.gpus)).toEqual(expect.arrayContaining(known));
      if (known.length > 0)
        expect(decision.lanes.gpu.kind === 'run').toBe(known.some((id) => decision.gpus[id]?.kind === 'run'));
      for (const lane of LANES) {
        const runs = decision.lanes[lane].kind === 'run';
        expect(decision.memory.lanes[lane].heldSince === null).toBe(runs);
        if (!runs) expect(decision.begins[lane]).toBe(false);
      }
      for (const answer of holdsAll(decision)) {
        if (answer.kind === 'run') continue;
        for (const language of ['en', 'ja'] as const) {
          const said = textIn(language).reason(answer.reason, { now: signals.now, utcOffsetMinutes: 0 });
          expect(said).not.toMatch(/undefined|NaN|Infinity|^$/);
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

test('never runs on broken settings, an unwritable ledger, without an engine or while paused', () => {
  fc.assert(
    fc.property(anySignals, anyPolicy, anyMemory, (signals, policy, memory) => {
      if (holdsAll(decide(signals, policy, memory)).every(({ kind }) => kind === 'hold')) return;
      expect([signals.settingsOk, signals.ledgerWritable, signals.engine.kind]).toEqual([true, true, 'ready']);
      expect(policy.pausedUntil === null || Number(policy.pausedUntil) <= signals.now).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

describe('doubt yields', () => {
  const names = Object.keys(SENSORS) as readonly (keyof typeof SENSORS)[];
  const blind = (reading: GpuReading): GpuReading => ({
    ...reading,
    ...{ busyByOthersPercent: 'unknown', memoryBytes: 'unknown', memoryByOthersBytes: 'unknown' },
    temperatureC: 'unknown',
  });
  test('a reading that is no longer known never makes held work run', () => {
    fc.assert(
      fc.property(anySignals, anyPolicy, anyMemory, fc.subarray([...names]), (signals, policy, memory, lost) => {
        const before = decide(signals, policy, memory);
        const doubtful = Object.fromEntries(lost.map((name) => [name, 'unknown'] as const));
        const after = decide({ ...signals, ...doubtful }, policy, memory);
        for (const lane of LANES) if (before.lanes[lane].kind === 'hold') expect(after.lanes[lane].kind).toBe('hold');
        for (const [id, answer] of Object.entries(before.gpus)) {
          if (answer.kind === 'hold') expect(after.gpus[id]?.kind ?? 'hold').toBe('hold');
        }
      }),
      { numRuns: 2_000 },
    );
  });
  test.each([...names].filter((name) => name !== 'locked'))('%s alone, unknown, holds', (name) => {
    const { lanes, gpus } = decide({ ...calm(), [name]: 'unknown' }, policyFrom(), freshMemory());
    expect(lanes.gpu.kind).toBe('hold');
    if (name !== 'gpus') expect(lanes.cpu.kind).toBe('hold');
    for (const answer of Object.values(gpus)) expect(answer.kind).toBe('hold');
  });
  test.each([
    ['idle', { idleMs: Number.NaN }],
    ['idle without end', { idleMs: Number.POSITIVE_INFINITY }],
    ['load', { cpuByOthersPercent: Number.NaN }],
    ['disk', { freeDiskBytes: Number.NaN }],
    ['temperature', { temperatureC: Number.NaN }],
  ])('a figure that is none is doubt: %s', (_name, change) => {
    expect(decide(calm(change), policyFrom(), freshMemory()).lanes.cpu.kind).toBe('hold');
  });
  test('a GPU whose figures are unknown holds, and the other goes on', () => {
    const gpus = [blind(aGpu()), aGpu({ id: 'gpu-b' })];
    const decision = decide(calm({ gpus }), policyFrom(), freshMemory());
    expect(decision.gpus).toMatchObject({ 'gpu-a': { kind: 'hold' }, 'gpu-b': { kind: 'run' } });
    expect(decision.lanes.gpu.kind).toBe('run');
  });
  test('what is not there does not: a desktop without gauges shares', () => {
    const bare: Partial<Signals> = {
      ...{ locked: 'unavailable', fullscreen: 'unavailable', games: 'unavailable', media: 'unavailable' },
      ...{ cpuByOthersPercent: 'unavailable', onBattery: 'unavailable', temperatureC: 'unavailable' },
      ...{ metered: 'unavailable', freeDiskBytes: 'unavailable', gpus: 'unavailable' },
    };
    const { lanes } = decide(calm(bare), policyFrom(), freshMemory());
    expect(lanes.cpu).toEqual({ kind: 'run' });
    expect(lanes.gpu).toEqual({ kind: 'hold', reason: { kind: 'no-gpu' } });
  });
  test('nothing of a sensor is minded that no rule asks for', () => {
    const policy = policyFrom({
      rules: {
        ...defaultSettings().rules,
        ...{ cpuBusyPercent: null, gpuBusyPercent: null, gpuMemoryPercent: null, maxTemperatureC: null },
        ...{ shareOnBattery: true, shareOnMetered: true, restForGames: false },
        ...{ restForFullscreen: false, restForMedia: false },
      },
      sharing: { mode: 'now', pausedUntil: null, draining: false },
    });
    const dark = { ...calm(), freeDiskBytes: 'unavailable' } as const;
    const all = Object.fromEntries(names.map((name) => [name, 'unknown'] as const));
    const { lanes } = decide(
      { ...dark, ...all, freeDiskBytes: 10 * GIB, gpus: [blind(aGpu())] },
      policy,
      freshMemory(),
    );
    expect([lanes.cpu.kind, lanes.gpu.kind]).toEqual(['run', 'run']);
  });
});
