import { beforeEach, describe, expect, test } from 'vitest';
import type { Agent } from '../../../agent/api.ts';
import { gpuNeed } from '../../../core/catalogue.ts';
import { fail } from '../../../core/errors.ts';
import { sha256Hex } from '../../../core/keccak.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import type { EngineGpus, GpuReading } from '../../../core/signals.ts';
import { fakeSource } from '../../fakes/small.ts';
import { ENTRY, World } from '../../fakes/world.ts';

const MINUTE = 60_000;
const GIB = 1024 ** 3;
const TOOLKIT: EngineGpus = { runtime: true, cdi: false, devices: null, machine: false };
const card = (id: string, change: Partial<GpuReading> = {}): GpuReading => ({
  ...{ id, name: `Card ${id}`, busyByOthersPercent: 0, memoryBytes: 8 * GIB, memoryByOthersBytes: 0 },
  ...{ temperatureC: 40, place: { vendor: 'nvidia', render: null, compute: null } },
  ...change,
});

let world: World;
let cards: GpuReading[];
beforeEach(() => {
  world = World.held();
  cards = [card('GPU-a'), card('GPU-b')];
  world.containers.state = { kind: 'ready', version: 'fake', gpus: TOOLKIT };
  // The fake's answer to an empty input is empty.
  const check = { params: { height: '480' }, output: sha256Hex(Buffer.alloc(0)) };
  const gpu = gpuNeed.parse({ api: 'opencl', vendors: ['nvidia'], memoryBytes: 4 * GIB, check });
  world.entry = { ...ENTRY, lane: 'gpu', gpu };
  Object.assign(world.sensors.sources, { gpus: [fakeSource(async () => cards)] });
});

const ids = () => world.containers.started.map((spec) => spec.HostConfig.DeviceRequests?.[0]?.DeviceIDs);
const issue = (): Hex32 => world.issue('some input', { lane: 'gpu' });
async function ready(slots = 1): Promise<Agent> {
  const agent = await world.start({ slots: { gpu: slots } });
  await world.until(() => world.network.slots === slots, 'the device asks for work');
  return agent;
}
/** Container number `count`, with its input. */
const started = (count: number) =>
  world.until(() => world.containers.started.length === count && world.containers.fed(), `container ${count}`);
const answer = () => world.containers.finish(world.containers.jobs()[0]?.id ?? '');
const reasonOf = (agent: Agent, id: string) => {
  const decision = agent.snapshot().gpus.find((gpu) => gpu.id === id)?.decision;
  return decision?.kind === 'hold' ? decision.reason : decision?.kind;
};

test('a job is given one GPU, after this has answered what is known; the next job need not ask again', async () => {
  cards = [card('GPU-a')];
  const agent = await ready();
  const first = issue();
  await started(1);
  expect(world.stateOf(first)).toBe('held');
  answer();
  await started(2);
  answer();
  await world.until(() => world.stateOf(first) !== 'held', 'finished');
  const second = issue();
  await started(3);
  answer();
  await world.until(() => world.stateOf(second) !== 'held', 'finished');
  expect(ids()).toEqual([['GPU-a'], ['GPU-a'], ['GPU-a']]);
  await agent.stop();
});

test('two jobs have two GPUs, and the one whose GPU is wanted gives it back alone', async () => {
  const agent = await ready(2);
  issue();
  issue();
  await started(2);
  expect(ids().flat().sort()).toEqual(['GPU-a', 'GPU-b']);
  const other = world.containers
    .jobs()
    .find(({ spec }) => spec.HostConfig.DeviceRequests?.[0]?.DeviceIDs[0] === 'GPU-b');
  // Its memory fills: somebody plays on the first.
  cards = [card('GPU-a', { memoryByOthersBytes: 7 * GIB }), card('GPU-b')];
  await world.until(() => world.containers.jobs().length === 1, 'one is ended');
  expect(world.containers.jobs().map(({ id, state }) => ({ id, state }))).toEqual([
    { id: other?.id, state: 'running' },
  ]);
  await agent.stop();
});

test('a GPU that the owner does not share is given to nobody', async () => {
  await world.settings.update((settings) => ({
    ...settings,
    gpus: { 'GPU-a': { share: 'never', rules: {} } },
  }));
  const agent = await ready();
  issue();
  await started(1);
  expect(ids()).toEqual([['GPU-b']]);
  await agent.stop();
});

test('without a way to hand a GPU out nothing is asked for, and the owner reads why', async () => {
  world.containers.state = { kind: 'ready', version: 'fake', gpus: { ...TOOLKIT, runtime: false } };
  const agent = await world.start();
  await world.until(() => agent.snapshot().gpus.length === 2, 'seen');
  await world.clock.advance(MINUTE);
  expect(world.network.slots).toBe(0);
  expect(reasonOf(agent, 'GPU-a')).toEqual({ kind: 'gpu-refused', gpu: 'Card GPU-a', why: { kind: 'no-runtime' } });
  await agent.stop();
});

test('a job that no GPU here is large enough for is declined', async () => {
  cards = [card('GPU-a', { memoryBytes: 2 * GIB })];
  const agent = await ready();
  issue();
  await world.until(() => world.network.declines.length === 1, 'declined');
  expect(world.network.declines).toMatchObject([{ reason: 'too-large' }]);
  expect(world.containers.started).toEqual([]);
  await agent.stop();
});

describe('a GPU that does not work', () => {
  beforeEach(() => {
    cards = [card('GPU-a')];
  });

  test('loses its job, rests with the reason, and is tried again later, more and more seldom', async () => {
    let attempts = 0;
    Object.assign(world.containers, {
      run: async () => {
        attempts += 1;
        fail('REFUSED', 'the engine refused: could not select device driver "nvidia" with capabilities: [[gpu]]');
      },
    });
    const agent = await ready();
    const id = issue();
    await world.until(() => world.stateOf(id) === 'dropped', 'given back');
    expect(world.network.declines).toMatchObject([{ leaseId: id, reason: 'stopped' }]);
    expect(reasonOf(agent, 'GPU-a')).toMatchObject({ kind: 'gpu-refused', why: { kind: 'did-not-start' } });
    await world.clock.advance(9 * MINUTE);
    expect(attempts).toBe(1);
    expect(world.network.slots).toBe(0);
    await world.until(() => world.network.slots === 1, 'it is tried again', 3 * MINUTE);
    issue();
    await world.until(() => attempts === 2, 'tried');
    await world.clock.advance(15 * MINUTE);
    expect(world.network.slots).toBe(0);
    await agent.stop();
  });

  test('is tried at once when the engine has become another', async () => {
    Object.assign(world.containers, { run: async () => fail('REFUSED', 'could not select device driver "nvidia"') });
    const agent = await ready();
    issue();
    await world.until(() => world.network.declines.length === 1, 'given back');
    world.containers.become({ kind: 'absent', detail: 'restarts' });
    await world.until(() => agent.snapshot().engine.kind === 'absent', 'gone');
    world.containers.become({ kind: 'ready', version: 'newer', gpus: TOOLKIT });
    await world.until(() => world.network.slots === 1, 'asked for again', MINUTE);
    await agent.stop();
  });

  test('is found out by its check', async () => {
    const wrong = { params: { height: '480' }, output: sha256Hex(Buffer.from('another answer')) };
    world.entry = {
      ...world.entry,
      gpu: gpuNeed.parse({ api: 'opencl', vendors: ['nvidia'], memoryBytes: 0, check: wrong }),
    };
    const agent = await ready();
    const id = issue();
    await started(1);
    answer();
    await world.until(() => world.stateOf(id) === 'dropped', 'given back');
    expect(world.containers.started).toHaveLength(1);
    expect(reasonOf(agent, 'GPU-a')).toMatchObject({ why: { kind: 'failed-its-check' } });
    await agent.stop();
  });

  test('is not one whose owner came back during the check', async () => {
    const agent = await ready();
    const id = issue();
    await started(1);
    cards = [card('GPU-a', { memoryByOthersBytes: 7 * GIB })];
    await world.until(() => world.containers.jobs().length === 0, 'given back');
    cards = [card('GPU-a')];
    await started(2);
    expect(world.stateOf(id)).toBe('held');
    expect(world.network.declines).toEqual([]);
    await agent.stop();
  });

  test('no image’s failure is the GPU’s', async () => {
    Object.assign(world.containers, { run: async () => fail('REFUSED', 'the engine refused: no such image') });
    const agent = await ready();
    const id = issue();
    await world.until(() => world.stateOf(id) === 'dropped', 'declined');
    expect(world.network.declines).toMatchObject([{ reason: 'failed' }]);
    expect(reasonOf(agent, 'GPU-a')).not.toMatchObject({ kind: 'gpu-refused' });
    await agent.stop();
  });
});

test('gVisor or nothing: no GPU is shared, and the owner reads why', async () => {
  const agent = await ready();
  await world.settings.update((settings) => ({ ...settings, engine: { ...settings.engine, gvisor: 'require' } }));
  await world.until(() => world.network.slots === 0, 'nothing is asked for');
  expect(reasonOf(agent, 'GPU-a')).toMatchObject({ why: { kind: 'gvisor-only' } });
  await agent.stop();
});
