import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LaneDecision } from '../../../core/decide.ts';
import { perLane } from '../../../core/primitives.ts';
import { defaultSettings } from '../../../core/settings.ts';
import type { Signals } from '../../../core/signals.ts';
import { aGpu, Machine, policyFrom } from '../../support/rules.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;
const said = (decision: LaneDecision) => (decision.kind === 'run' ? 'run' : decision.reason.kind);

const hot = { temperatureC: 95 };
/** One of each that comes and goes by itself, and the calm asked for after it. */
const DISTURBANCES: readonly [string, Partial<Signals>, Partial<Signals>, number][] = [
  ['game', { games: [{ name: 'Portal 2' }] }, { games: [] }, 30],
  ['fullscreen', { fullscreen: { name: 'mpv' } }, { fullscreen: null }, 15],
  ['media', { media: { name: 'Firefox' } }, { media: null }, 15],
  ['too-hot', hot, { temperatureC: 50 }, 60],
  ['on-battery', { onBattery: true }, { onBattery: false }, 10],
  ['metered', { metered: true }, { metered: false }, 10],
  ['disk-low', { freeDiskBytes: 1 }, { freeDiskBytes: 1e12 }, 10],
  ['sensor-unknown', { games: 'unknown' }, { games: [] }, 10],
];

describe('a lane that yielded resumes only after calm', () => {
  test.each(DISTURBANCES)('%s', (kind, begin, end, seconds) => {
    const machine = new Machine();
    expect(said(machine.after(0).lanes.cpu)).toBe('run');
    expect(said(machine.after(SECOND, begin).lanes.cpu)).toBe(kind);
    expect(said(machine.after(40 * SECOND, begin).lanes.cpu)).toBe(kind);
    for (let passed = 1; passed < seconds; passed += 1) {
      const { lanes } = machine.after(SECOND, end);
      expect(lanes.cpu).toMatchObject({ reason: { kind: 'settling', after: kind } });
      const left = lanes.cpu.kind === 'hold' && lanes.cpu.reason.kind === 'settling' ? lanes.cpu.reason.resumesAt : 0;
      expect(left - machine.now).toBe((seconds - passed) * SECOND);
    }
    expect(said(machine.after(SECOND, end).lanes.cpu)).toBe('run');
  });
  test('the load of others: busy at the limit, calm well below it, and then a minute more', () => {
    const machine = new Machine();
    machine.after(0);
    const until = (percent: number, kind: string) => {
      for (let passed = 1; passed < 300; passed += 1) {
        if (said(machine.after(SECOND, { cpuByOthersPercent: percent }).lanes.cpu) === kind) return passed;
      }
      return null;
    };
    expect(until(59, 'cpu-busy')).toBeNull();
    expect(until(100, 'cpu-busy')).toBeLessThanOrEqual(2);
    expect(until(40, 'settling')).toBeNull();
    expect(until(5, 'settling')).toBeLessThanOrEqual(15);
    expect(until(5, 'run')).toBeGreaterThanOrEqual(55);
  });
  test('a short burst is nobody at work', () => {
    const machine = new Machine();
    machine.after(0);
    for (const percent of [100, 90, 5, 5, 5, 5]) {
      expect(said(machine.after(SECOND, { cpuByOthersPercent: percent }).lanes.cpu)).toBe('run');
    }
  });
  test('a doubt in between does not shorten the calm', () => {
    const machine = new Machine();
    machine.after(0);
    machine.after(SECOND, hot);
    machine.after(SECOND, { temperatureC: 'unknown' });
    machine.after(SECOND, { temperatureC: 50 });
    expect(machine.after(20 * SECOND).lanes.cpu).toMatchObject({ reason: { kind: 'settling', after: 'too-hot' } });
  });
  test('a rule switched off asks for no calm', () => {
    const machine = new Machine({ games: [{ name: 'Portal 2' }] });
    expect(said(machine.after(SECOND).lanes.cpu)).toBe('game');
    machine.policy = policyFrom({ rules: { ...defaultSettings().rules, restForGames: false } });
    expect(said(machine.after(SECOND).lanes.cpu)).toBe('run');
  });
  test('each time it happens again soon, twice as long is waited, up to eight times', () => {
    const machine = new Machine();
    machine.after(0);
    const waited: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      machine.after(SECOND, { games: [{ name: 'Portal 2' }] });
      let seconds = 0;
      while (said(machine.after(SECOND, { games: [] }).lanes.cpu) !== 'run') seconds += 1;
      waited.push(seconds + 1);
    }
    expect(waited).toEqual([30, 60, 120, 240, 240, 240]);
    machine.after(10 * MINUTE);
    machine.after(SECOND, { games: [{ name: 'Portal 2' }] });
    expect(said(machine.after(29 * SECOND, { games: [] }).lanes.cpu)).toBe('settling');
    expect(said(machine.after(SECOND).lanes.cpu)).toBe('run');
  });
});

describe('a GPU that vanishes', () => {
  test('is doubt, then settles when it is back', () => {
    const machine = new Machine();
    expect(said(machine.after(0).gpus['gpu-a'] ?? { kind: 'run' })).toBe('run');
    const gone = machine.after(SECOND, { gpus: [] });
    expect(gone.gpus['gpu-a']).toMatchObject({ reason: { kind: 'sensor-unknown', sensor: 'gpus' } });
    expect(said(gone.lanes.gpu)).toBe('no-gpu');
    expect(said(machine.after(SECOND, { gpus: 'unknown' }).lanes.gpu)).toBe('sensor-unknown');
    expect(said(machine.after(SECOND, { gpus: [aGpu()] }).lanes.gpu)).toBe('settling');
    expect(said(machine.after(10 * SECOND).lanes.gpu)).toBe('run');
  });
  test('is forgotten after a quarter of an hour', () => {
    const machine = new Machine();
    machine.after(0);
    expect(machine.after(SECOND, { gpus: [] }).gpus).toHaveProperty('gpu-a');
    expect(machine.after(15 * MINUTE).gpus).toEqual({});
    expect(machine.memory.gpus).toEqual({});
  });
  test('says nothing of another one', () => {
    const machine = new Machine({ gpus: [aGpu(), aGpu({ id: 'gpu-b' })] });
    machine.after(0);
    const { gpus, lanes } = machine.after(SECOND, { gpus: [aGpu({ id: 'gpu-b' })] });
    expect([said(lanes.gpu), gpus['gpu-a']?.kind, gpus['gpu-b']?.kind]).toEqual(['run', 'hold', 'run']);
  });
});

test('a lane runs while one of its GPUs may, whatever the rules of the lane', () => {
  const lanes = { ...defaultSettings().lanes };
  const own = { 'gpu-b': { share: 'always' as const, rules: {} }, 'gpu-c': { share: 'never' as const, rules: {} } };
  const gpus = ['gpu-c', 'gpu-a', 'gpu-b'].map((id) => aGpu({ id }));
  const machine = new Machine({ idleMs: 0, gpus }, policyFrom({ lanes, gpus: own }));
  const both = machine.after(0);
  expect(Object.values(both.gpus).map(said)).toEqual(['lane-off', 'in-use', 'run']);
  expect([said(both.lanes.gpu), said(both.lanes.cpu)]).toEqual(['run', 'in-use']);
  const one = machine.after(SECOND, { idleMs: 0, gpus: gpus.slice(0, 2) });
  expect(said(one.lanes.gpu)).toBe('in-use');
});

describe('work in hand is finished, no other is begun', () => {
  test.each<[string, Partial<Signals>, boolean]>([
    ['on a metered network', { metered: true }, false],
    ['while draining', {}, true],
    ['without the coordinator', { coordinator: { kind: 'connecting' } }, false],
  ])('%s', (_name, change, draining) => {
    const policy = policyFrom({ sharing: { mode: 'when-idle', pausedUntil: null, draining } });
    const machine = new Machine({ leases: perLane(() => 1), ...change }, policy);
    const inHand = machine.after(0);
    expect([said(inHand.lanes.cpu), inHand.begins.cpu]).toEqual(['run', false]);
    const done = machine.after(SECOND, { leases: perLane(() => 0) });
    expect([done.lanes.cpu.kind, done.begins.cpu]).toEqual(['hold', false]);
  });
  test('otherwise more is begun', () => {
    expect(new Machine({ leases: perLane(() => 1) }).after(0).begins).toMatchObject({ cpu: true, gpu: true });
  });
});

describe('a pause hides no game: GPU memory is wanted all the same', () => {
  const paused = policyFrom({ sharing: { mode: 'when-idle', pausedUntil: 'resumed', draining: false } });
  test.each<[string, Partial<Signals>, boolean]>([
    ['nobody', {}, false],
    ['a game', { games: [{ name: 'Portal 2' }] }, true],
    ['a fullscreen program', { fullscreen: { name: 'mpv' } }, true],
    ['memory', { gpus: [aGpu({ memoryByOthersBytes: 7 * 1024 ** 3 })] }, true],
    ['load', { gpus: [aGpu({ busyByOthersPercent: 90 })] }, true],
    ['doubt', { games: 'unknown' }, false],
    ['input', { idleMs: 0 }, false],
  ])('%s: %s', (_name, change, wanted) => {
    const decision = new Machine(change, paused).after(0);
    expect(said(decision.lanes.gpu)).toBe('paused');
    expect(decision.memoryWanted.gpus['gpu-a']).toBe(wanted);
  });
});

/** Somebody, or something, does one of these things at each step. */
const anyStep = fc.record({
  ms: fc.integer({ min: 50, max: 5_000 }),
  input: fc.boolean(),
  change: fc.constantFrom<Partial<Signals>[]>(
    ...DISTURBANCES.flatMap(([, begin, end]) => [begin, end]),
    ...[{ cpuByOthersPercent: 100 }, { cpuByOthersPercent: 0 }, { cpuByOthersPercent: 'unknown' as const }],
    ...[{ gpus: [] }, { gpus: 'unknown' as const }, { gpus: [aGpu()] }, { gpus: [aGpu({ busyByOthersPercent: 100 })] }],
    ...[{ gpus: [aGpu({ memoryByOthersBytes: 8 * 1024 ** 3 })] }, { onBattery: 'unknown' as const }],
    ...[{ onBattery: false }, { metered: 'unknown' as const }, { metered: false }],
  ),
});

/** When each unit stopped or began, in ms. */
function switches(machine: Machine, steps: readonly (typeof anyStep extends fc.Arbitrary<infer T> ? T : never)[]) {
  const at: Record<'cpu' | 'gpu' | 'gpu-a', number[]> = { cpu: [], gpu: [], 'gpu-a': [] };
  const was: Record<string, string> = {};
  for (const { ms, input, change } of steps) {
    const { lanes, gpus } = machine.after(ms, input ? { ...change, idleMs: 0 } : change);
    for (const unit of ['cpu', 'gpu', 'gpu-a'] as const) {
      const now = (unit === 'gpu-a' ? gpus[unit] : lanes[unit])?.kind ?? 'hold';
      if (was[unit] !== undefined && was[unit] !== now) at[unit].push(machine.now);
      was[unit] = now;
    }
  }
  return at;
}
const mostWithin = (times: readonly number[], span: number): number =>
  Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + span).length));

/** Disturbs for a second the moment that work runs, and leaves it in peace until it runs again: the worst there is. */
function adversary(kinds: readonly number[]): readonly number[] {
  const machine = new Machine();
  const times: number[] = [];
  let was = 'run';
  let count = 0;
  for (let second = 0; second < 2 * 3_600; second += 1) {
    const [, begin] = DISTURBANCES[(kinds[count % kinds.length] ?? 0) % DISTURBANCES.length] ?? ['', {}];
    if (was === 'run') count += 1;
    const now = machine.after(SECOND, was === 'run' ? begin : CALM_AGAIN).lanes.cpu.kind;
    if (now !== was) times.push(machine.now);
    was = now;
  }
  return times;
}
const CALM_AGAIN: Partial<Signals> = Object.assign({}, ...DISTURBANCES.map(([, , end]) => end));

describe('never goes on and off', () => {
  test('whatever disturbs whenever it runs: at most twelve switches in five minutes, then eight', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10), { minLength: 1, maxLength: 30 }), (kinds) => {
        const times = adversary(kinds);
        expect(times.length).toBeGreaterThan(20);
        expect(mostWithin(times, 5 * MINUTE)).toBeLessThanOrEqual(12);
        const later = times.filter((at) => at > (times[0] ?? 0) + 10 * MINUTE);
        expect(mostWithin(later, 5 * MINUTE)).toBeLessThanOrEqual(8);
      }),
      { numRuns: 40 },
    );
  });
  test('whatever happens whenever', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { minLength: 100, maxLength: 400 }), (steps) => {
        const at = switches(new Machine(), steps);
        for (const times of Object.values(at)) expect(mostWithin(times, 5 * MINUTE)).toBeLessThanOrEqual(12);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a clock that jumps', () => {
  const jumps = [-DAY, DAY, -MINUTE] as const;
  test.each(jumps)('by %d ms: calm is still calm, and nothing is held for a day', (jump) => {
    for (const [kind, begin, end, seconds] of DISTURBANCES) {
      const machine = new Machine();
      machine.after(0);
      machine.after(SECOND, begin);
      const idleMs = 3_600_000;
      const first = machine.after(jump, { ...end, idleMs }).lanes.cpu;
      if (jump < 0) expect(first).toMatchObject({ reason: { kind: 'settling', after: kind } });
      machine.after(seconds * SECOND);
      expect(said(machine.after(SECOND).lanes.cpu)).toBe('run');
    }
  });
  test('set back, it does not make a rest look long or begin in the future', () => {
    const machine = new Machine({ onBattery: true });
    machine.after(0);
    machine.after(-DAY);
    expect(machine.memory.lanes.cpu.heldSince).toBe(machine.now);
    machine.after(MINUTE);
    expect(machine.now - (machine.memory.lanes.cpu.heldSince ?? 0)).toBe(MINUTE);
  });
  test('set back, a load is still smoothed', () => {
    const machine = new Machine({ cpuByOthersPercent: 100 });
    machine.after(0);
    machine.after(-DAY, { cpuByOthersPercent: 0, idleMs: 3_600_000 });
    for (let passed = 0; passed < 90; passed += 1) machine.after(SECOND);
    expect(said(machine.after(SECOND).lanes.cpu)).toBe('run');
  });
  test('at any moment by any amount, an hour of calm later all runs', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyStep, fc.constantFrom(0, 0, -DAY, DAY, -MINUTE)), { maxLength: 60 }),
        (story) => {
          const machine = new Machine();
          for (const [step, jump] of story) {
            switches(machine, [step]);
            machine.after(jump, { idleMs: 0 });
          }
          const quiet = {
            idleMs: 0,
            cpuByOthersPercent: 0,
            temperatureC: 40,
            gpus: [aGpu()],
            onBattery: false,
          } as const;
          machine.after(SECOND, {
            ...quiet,
            games: [],
            media: null,
            fullscreen: null,
            metered: false,
            freeDiskBytes: 1e12,
          });
          for (let passed = 0; passed < 360; passed += 1) machine.after(10 * SECOND);
          const { lanes } = machine.after(SECOND);
          expect([said(lanes.cpu), said(lanes.gpu)]).toEqual(['run', 'run']);
        },
      ),
      { numRuns: 60 },
    );
  });
});
