import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Decision, freshMemory, type Reason } from '../../../core/decide.ts';
import { type Hex32, perLane } from '../../../core/primitives.ts';
import {
  type Action,
  type HeldLease,
  type Observed,
  type ObservedContainer,
  reconcile,
} from '../../../core/reconcile.ts';

const NOW = 1_000_000;
const ID: Hex32 = `0x${'1'.repeat(64)}`;
const nobody = { lane: false, gpus: {} };
const run: Decision = {
  ...{ lanes: perLane(() => ({ kind: 'run' })), gpus: {}, begins: perLane(() => true), memoryWanted: nobody },
  fetches: perLane(() => true),
  memory: freshMemory(),
};
const heldFor = (ms: number, reason: Reason = { kind: 'on-battery' }): Decision => ({
  lanes: perLane(() => ({ kind: 'hold', reason })),
  ...{ gpus: {}, begins: perLane(() => false), fetches: perLane(() => false), memoryWanted: nobody },
  memory: { lanes: perLane(() => ({ heldSince: NOW - ms, cpu: null, gpu: null, settle: null })), gpus: {} },
});
const lease = (change: Partial<HeldLease> = {}): HeldLease => ({
  ...{ leaseId: ID, lane: 'cpu', deadline: NOW + 1, active: true, gpu: null, frozen: false },
  ...change,
});
const container = (change: Partial<ObservedContainer> = {}): ObservedContainer => ({
  ...{ id: 'c', leaseId: ID, instance: 'me', state: 'running' },
  ...change,
});
const observed = (change: Partial<Observed> = {}): Observed => ({
  ...{ now: NOW, instance: 'me', containers: [], leases: [], releaseAfterMs: 1000 },
  slots: { cpu: 1, gpu: 0, bandwidth: 0, storage: 0 },
  ...change,
});
const deeds = (actions: readonly Action[]) => actions.filter((action) => action.kind !== 'request');
const both = { leases: [lease()], containers: [container()] };
const why = (kind: string) => [{ kind: 'remove', containerId: 'c', leaseId: ID, why: kind }];
const on = { containerId: 'c', leaseId: ID };

test.each<[string, Decision, Partial<Observed>, readonly unknown[]]>([
  ['all well', run, both, []],
  ['a lease nobody has taken on', run, { leases: [lease({ active: false })] }, [{ kind: 'start', leaseId: ID }]],
  ['the same while held', heldFor(0), { leases: [lease({ active: false })] }, []],
  ['running while held', heldFor(0), both, [{ kind: 'freeze', ...on }]],
  ['frozen while held', heldFor(0), { ...both, containers: [container({ state: 'paused' })] }, []],
  [
    'frozen while it may run',
    run,
    { ...both, containers: [container({ state: 'paused' })] },
    [{ kind: 'thaw', ...on }],
  ],
  ['frozen for too long', heldFor(1000), { ...both, containers: [container({ state: 'paused' })] }, why('released')],
  ['no lease behind it', run, { containers: [container()] }, why('orphan')],
  ['an earlier process behind it', run, { ...both, containers: [container({ instance: 'old' })] }, why('orphan')],
  [
    'a lease without a runner',
    run,
    { leases: [lease({ active: false })], containers: [container()] },
    [...why('orphan'), { kind: 'start', leaseId: ID }],
  ],
  [
    'past its deadline',
    run,
    { leases: [lease({ deadline: NOW })], containers: [container()] },
    [...why('expired'), { kind: 'drop', leaseId: ID, why: 'expired' }],
  ],
])('%s', (_name, decision, change, expected) => {
  expect(deeds(reconcile(decision, observed(change)))).toEqual(expected);
});

/** One GPU is held for `reason`, the other runs. */
const oneGpu = (reason: Reason, wanted: boolean): Decision => ({
  ...run,
  gpus: { 'gpu-a': { kind: 'hold', reason }, 'gpu-b': { kind: 'run' } },
  memoryWanted: { lane: wanted, gpus: { 'gpu-a': wanted, 'gpu-b': false } },
});
const onGpu = (gpu: string | null) => ({ leases: [lease({ lane: 'gpu', gpu })], containers: [container()] });
const game: Reason = { kind: 'game', name: 'Portal 2' };
const paused: Reason = { kind: 'paused', until: 'resumed' };

test.each<[string, Decision, Partial<Observed>, readonly unknown[]]>([
  ['a game wants its memory', oneGpu(game, true), onGpu('gpu-a'), why('memory-wanted')],
  ['a game wants its memory during a pause', oneGpu(paused, true), onGpu('gpu-a'), why('memory-wanted')],
  ['somebody is there, and needs no memory', oneGpu({ kind: 'idle-unknown' }, false), onGpu('gpu-a'), frozen()],
  ['the other GPU goes on', oneGpu(game, true), onGpu('gpu-b'), []],
  ['it is gone, and another may run', oneGpu(game, false), onGpu('gpu-c'), frozen()],
  ['it is gone, and memory is wanted', oneGpu(game, true), onGpu('gpu-c'), why('memory-wanted')],
  ['work on no GPU follows the lane', oneGpu(game, true), onGpu(null), []],
  [
    'a frozen one, then a game',
    oneGpu(game, true),
    { leases: [lease({ lane: 'gpu', gpu: 'gpu-a' })], containers: [container({ state: 'paused' })] },
    why('memory-wanted'),
  ],
  [
    'a game wants nothing of the processor lane',
    { ...heldFor(0, game), memoryWanted: { lane: true, gpus: {} } },
    both,
    frozen(),
  ],
  [
    'switched off',
    heldFor(0, { kind: 'lane-off' }),
    both,
    [...why('withdrawn'), { kind: 'drop', leaseId: ID, why: 'withdrawn' }],
  ],
])('a container when %s', (_name, decision, change, expected) => {
  expect(deeds(reconcile(decision, observed(change)))).toEqual(expected);
});
function frozen() {
  return [{ kind: 'freeze', ...on }];
}

test('asks for no more where none may begin', () => {
  const decision = { ...run, begins: perLane(() => false) };
  expect(reconcile(decision, observed())).toContainEqual({ kind: 'request', lane: 'cpu', slots: 0 });
});

test.each<[Decision, readonly HeldLease[], number]>([
  [run, [], 1],
  [run, [lease()], 0],
  [run, [lease({ deadline: NOW })], 1],
  [heldFor(0), [], 0],
])('asks for what is free', (decision, leases, slots) => {
  expect(reconcile(decision, observed({ leases }))).toContainEqual({ kind: 'request', lane: 'cpu', slots });
});

const ids = Array.from({ length: 4 }, (_, index): Hex32 => `0x${String(index).repeat(64)}`);
const anyWorld = fc.record({
  leases: fc.uniqueArray(
    fc.record({
      leaseId: fc.constantFrom(...ids),
      lane: fc.constantFrom('cpu' as const, 'gpu' as const),
      deadline: fc.constantFrom(NOW - 1, NOW + 1),
      active: fc.boolean(),
      gpu: fc.constantFrom(null, 'gpu-a', 'gpu-b', 'gpu-c'),
      frozen: fc.boolean(),
    }),
    { selector: (entry) => entry.leaseId },
  ),
  containers: fc.uniqueArray(
    fc.record({
      id: fc.constantFrom('a', 'b', 'c', 'd'),
      leaseId: fc.constantFrom(...ids),
      instance: fc.constantFrom('me', 'old'),
      state: fc.constantFrom('created', 'running', 'paused', 'exited'),
    }),
    { selector: (entry) => entry.id },
  ),
});

/** What the world is after the actions: containers of a started lease appear later, and are not waited for. */
function after(world: Pick<Observed, 'leases' | 'containers'>, actions: readonly Action[]): typeof world {
  const gone = new Set(actions.flatMap((action) => (action.kind === 'remove' ? [action.containerId] : [])));
  const dropped = new Set(actions.flatMap((action) => (action.kind === 'drop' ? [action.leaseId] : [])));
  const started = new Set(actions.flatMap((action) => (action.kind === 'start' ? [action.leaseId] : [])));
  const is = (kind: 'freeze' | 'thaw', id: string) =>
    actions.some((action) => action.kind === kind && action.containerId === id);
  const told = (kind: 'freeze' | 'thaw', leaseId: string) =>
    actions.some((action) => action.kind === kind && action.leaseId === leaseId);
  return {
    leases: world.leases
      .filter((entry) => !dropped.has(entry.leaseId))
      .map((entry) => ({
        ...entry,
        active: entry.active || started.has(entry.leaseId),
        frozen: told('freeze', entry.leaseId) || (entry.frozen && !told('thaw', entry.leaseId)),
      })),
    containers: world.containers
      .filter((entry) => !gone.has(entry.id))
      .map((entry) => ({
        ...entry,
        state: is('freeze', entry.id) ? 'paused' : is('thaw', entry.id) ? 'running' : entry.state,
      })),
  };
}

test.each<[string, Decision]>([
  ['run', run],
  ['hold', heldFor(0)],
  ['release', heldFor(2000)],
  ['withdraw', heldFor(0, { kind: 'lane-off' })],
  ['yield one GPU', oneGpu(game, true)],
  ['yield all memory', { ...heldFor(0, game), memoryWanted: { lane: true, gpus: {} } }],
  ['freeze one GPU', oneGpu({ kind: 'idle-unknown' }, false)],
])('applying the actions and asking again gives none: %s', (_name, decision) => {
  fc.assert(
    fc.property(anyWorld, (world) => {
      const actions = reconcile(decision, observed(world));
      expect(deeds(reconcile(decision, observed(after(world, actions))))).toEqual([]);
    }),
  );
});
