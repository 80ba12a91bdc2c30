import { beforeEach, describe, expect, test } from 'vitest';
import type { Agent } from '../../../agent/api.ts';
import { judgeProof, rowsToOpen } from '../../../coordinator/verification/throughput.ts';
import { gpuNeed } from '../../../core/catalogue.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { rowTree } from '../../../core/row-tree.ts';
import type { GpuReading } from '../../../core/signals.ts';
import type { DeviceMessage } from '../../../core/wire.ts';
import type { GpuChallenge } from '../../../core/wire-gpu.ts';
import { fakeSource } from '../../fakes/small.ts';
import { ENTRY, World } from '../../fakes/world.ts';
import { rowDigests } from '../../support/matrices.ts';
import { randomHex32 } from '../../support/random.ts';

const MINUTE = 60_000;
const GIB = 1024 ** 3;
const card = (change: Partial<GpuReading> = {}): GpuReading => ({
  ...{ id: 'GPU-a', name: 'Card', driver: '550.1', busyByOthersPercent: 0, memoryBytes: 8 * GIB },
  ...{ memoryByOthersBytes: 0, temperatureC: 40, place: { vendor: 'nvidia', render: null, compute: null } },
  ...change,
});
const SIZE = { size: 8, rounds: 2 } as const;

let world: World;
let cards: GpuReading[];
beforeEach(() => {
  world = World.held();
  cards = [card()];
  const gpus = { runtime: true, cdi: false, devices: null, machine: false };
  world.containers.state = { kind: 'ready', version: 'fake', gpus };
  world.containers.answer = (input, { size, rounds }) => rowDigests(input, Number(size), Number(rounds));
  const gpu = gpuNeed.parse({ api: 'opencl', vendors: ['nvidia'], memoryBytes: GIB, proves: true });
  world.entry = { ...ENTRY, id: 'modmatrix', lane: 'gpu', gpu, params: { size: ['8'], rounds: ['2'] } };
  Object.assign(world.sensors.sources, { gpus: [fakeSource(async () => cards)] });
});

type Sent<T extends DeviceMessage['type']> = Extract<DeviceMessage, { type: T }>;
const sent = <T extends DeviceMessage['type']>(type: T): readonly Sent<T>[] =>
  world.network.received.filter((message): message is Sent<T> => message.type === type);

/** An agent whose GPU may be tested now. */
async function ready(): Promise<Agent> {
  const agent = await world.start();
  await world.until(() => world.network.slots === 1, 'the device asks for work');
  return agent;
}
function challenge(change: Partial<GpuChallenge> = {}): GpuChallenge {
  const { id: workload, version, image } = world.entry;
  const asked: GpuChallenge = {
    ...{ type: 'gpu-challenge', challengeId: randomHex32(), workload, version, image, seed: randomHex32(), ...SIZE },
    deadline: world.clock.now() + 2 * MINUTE,
    ...change,
  };
  world.network.tell(asked);
  return asked;
}
const running = () =>
  world.until(() => world.containers.jobs().length === 1 && world.containers.fed(), 'the test runs');
const finish = () => world.containers.finish(world.containers.jobs()[0]?.id ?? '');
const committed = async (count = 1) => {
  await world.until(() => sent('gpu-commitment').length === count, 'committed');
  return sent('gpu-commitment').at(-1) ?? expect.unreachable();
};
async function proven(): Promise<{ readonly asked: GpuChallenge; readonly root: Hex32 }> {
  const asked = challenge();
  await running();
  finish();
  return { asked, root: (await committed()).root };
}
const reasonOf = (agent: Agent) => {
  const decision = agent.snapshot().gpus[0]?.decision;
  return decision?.kind === 'hold' ? decision.reason : decision?.kind;
};

test('a test runs in the sandbox on the GPU, its rows are committed to, and those that are asked for convince', async () => {
  const agent = await ready();
  const { asked, root } = await proven();
  const [spec] = world.containers.started;
  expect(spec?.HostConfig.DeviceRequests?.[0]?.DeviceIDs).toEqual(['GPU-a']);
  expect(spec?.HostConfig.NetworkMode).toBe('none');
  const whole = { ...asked, issuedAt: 1_000 };
  const commitment = { root, receivedAt: 2_000 };
  const rows = rowsToOpen('secret', whole, commitment, 5);
  world.network.tell({ type: 'gpu-openings', challengeId: asked.challengeId, rows: [...rows] });
  await world.until(() => sent('gpu-opened').length === 1, 'opened');
  const openings = sent('gpu-opened')[0]?.openings ?? [];
  expect(judgeProof(whole, commitment, rows, openings)).toEqual({
    kind: 'proven',
    multiplicationsPerSecond: 2 * 8 ** 3,
  });
  const verdict = { kind: 'proven', multiplicationsPerSecond: 1_024 } as const;
  world.network.tell({ type: 'gpu-verdict', challengeId: asked.challengeId, verdict });
  // It was nobody's job: nothing is in the ledger, nothing was sent but the root and the rows, and its lane is free again.
  await world.until(() => world.network.slots === 1, 'more work is asked for');
  expect([...world.disk.records]).toEqual([]);
  expect([sent('result'), sent('progress'), sent('decline')]).toEqual([[], [], []]);
  expect(world.containers.jobs()).toEqual([]);
  await agent.stop();
});

test('while it runs no work is asked for, and the owner sees what runs', async () => {
  const agent = await ready();
  challenge();
  await running();
  await world.until(() => world.network.slots === 0, 'the lane is taken');
  expect(agent.snapshot().running).toMatchObject([{ workload: 'modmatrix', lane: 'gpu', price: 0n }]);
  await agent.stop();
});

describe('what is said of the GPU', () => {
  test('comes before work is asked for, and again when its driver is another', async () => {
    const agent = await ready();
    const kinds = world.network.received.map(({ type }) => type);
    expect(kinds.indexOf('gpu-setup')).toBeLessThan(kinds.indexOf('ready'));
    cards = [card({ driver: '560.2' })];
    await world.until(() => sent('gpu-setup').length === 2, 'told anew', 20 * MINUTE);
    const [before, after] = sent('gpu-setup');
    expect(before).toMatchObject({ memoryBytes: 8 * GIB, setup: expect.stringMatching(/^0x[0-9a-f]{64}$/) });
    expect(after?.setup).not.toBe(before?.setup);
    await agent.stop();
  });

  test('is the same, however busy and warm it is, and is said anew in each session', async () => {
    const agent = await ready();
    cards = [card({ busyByOthersPercent: 1, memoryByOthersBytes: 1000, temperatureC: 50 })];
    await world.clock.advance(5 * MINUTE);
    expect(sent('gpu-setup')).toHaveLength(1);
    world.network.become(false);
    world.network.become(true);
    await world.until(() => sent('gpu-setup').length === 2, 'said anew', MINUTE);
    const [before, after] = sent('gpu-setup');
    expect(after).toEqual(before);
    await agent.stop();
  });

  test('is nothing where there is none, or none that the test runs on', async () => {
    cards = [card({ place: { vendor: 'amd', render: null, compute: null } })];
    const agent = await world.start();
    await world.clock.advance(5 * MINUTE);
    cards = [];
    await world.clock.advance(5 * MINUTE);
    expect(sent('gpu-setup')).toEqual([]);
    await agent.stop();
  });

  test('is that there is none any more, when it is gone', async () => {
    const agent = await ready();
    cards = [];
    await world.until(() => sent('gpu-setup').length === 2, 'told', 20 * MINUTE);
    expect(sent('gpu-setup').at(-1)).toMatchObject({ setup: null });
    await agent.stop();
  });
});

describe('a test is given up', () => {
  const declined = async () => {
    await world.until(() => sent('gpu-declined').length === 1, 'declined');
    return sent('gpu-declined')[0]?.detail;
  };

  test('at once when its owner comes back, and its container goes', async () => {
    const agent = await ready();
    challenge();
    await running();
    world.sensors.idle = 0;
    expect(await declined()).toMatch(/owner/);
    await world.until(() => world.containers.jobs().length === 0, 'gone');
    expect(sent('decline')).toEqual([]);
    await agent.stop();
  });

  test('when its container fails', async () => {
    const agent = await ready();
    challenge();
    await running();
    world.containers.say(world.containers.jobs()[0]?.id ?? '', '{"error":"out of GPU memory"}');
    world.containers.end(world.containers.jobs()[0]?.id ?? '', 1);
    expect(await declined()).toMatch(/out of GPU memory/);
    await world.until(() => world.network.slots === 1, 'more work is asked for');
    await agent.stop();
  });

  test('when its result is not that of so many rows', async () => {
    world.containers.answer = () => Buffer.alloc(7);
    const agent = await ready();
    challenge();
    await running();
    finish();
    await declined();
    expect(sent('gpu-commitment')).toEqual([]);
    await agent.stop();
  });

  test('before it begins where nothing may run, or the catalogue calls it no test', async () => {
    world.others = [
      {
        ...ENTRY,
        id: 'other',
        lane: 'gpu',
        gpu: world.entry.gpu === null ? null : { ...world.entry.gpu, proves: false },
      },
    ];
    const agent = await ready();
    challenge({ workload: 'other' });
    expect(await declined()).toMatch(/no such test/);
    world.sensors.idle = 0;
    await world.until(() => world.network.slots === 0, 'held');
    challenge();
    await world.until(() => sent('gpu-declined').length === 2, 'declined');
    expect(sent('gpu-declined').at(-1)?.detail).toMatch(/nothing more may run/);
    expect(world.containers.started).toEqual([]);
    await agent.stop();
  });

  test('when its rows are asked for after they are gone', async () => {
    const agent = await ready();
    world.network.tell({ type: 'gpu-openings', challengeId: randomHex32(), rows: [1] });
    expect(await declined()).toMatch(/gone/);
    await agent.stop();
  });

  test('when its time is over before it is', async () => {
    const agent = await ready();
    challenge({ deadline: world.clock.now() + MINUTE });
    await running();
    await world.until(() => sent('gpu-declined').length === 1, 'given up', 3 * MINUTE);
    await world.until(() => world.containers.jobs().length === 0, 'gone');
    await agent.stop();
  });
});

test('asked again after the connection was lost, it answers with the same commitment and runs nothing twice', async () => {
  const agent = await ready();
  const asked = challenge();
  await running();
  challenge(asked);
  world.network.become(false);
  finish();
  await world.until(() => world.containers.jobs().length === 0, 'over');
  world.network.become(true);
  await world.until(() => world.network.slots === 1, 'back', MINUTE);
  challenge(asked);
  const digests = rowDigests(Buffer.from(asked.seed.slice(2), 'hex'), SIZE.size, SIZE.rounds);
  const rows = Array.from({ length: 16 }, (_, row) => digests.subarray(32 * row, 32 * row + 32));
  expect((await committed()).root).toBe(rowTree(rows).root);
  expect(world.containers.started).toHaveLength(1);
  await agent.stop();
});

test.each(['late', 'wrong-row'] as const)(
  'a proof that is refuted (%s) rests its GPU, and the owner reads why',
  async (why) => {
    const agent = await ready();
    const { asked } = await proven();
    world.network.tell({ type: 'gpu-verdict', challengeId: asked.challengeId, verdict: { kind: 'refuted', why } });
    await world.until(() => world.network.slots === 0, 'nothing is asked for');
    expect(reasonOf(agent)).toEqual({ kind: 'gpu-refused', gpu: 'Card', why: { kind: 'proof-refuted', why } });
    await agent.stop();
  },
);
