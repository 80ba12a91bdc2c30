import { beforeEach, expect, test } from 'vitest';
import { ENTRY, IMAGE, World } from '../../fakes/world.ts';

const NEED = { egress: [{ host: 'files.example.org', ports: [443] }], maxBytes: 1000 };
const GATEWAY = { ...ENTRY, id: 'gateway', purpose: 'gateway', image: `sha256:${'ee'.repeat(32)}` } as const;

let world: World;
beforeEach(() => {
  world = World.held();
  world.entry = { ...ENTRY, network: NEED };
  world.others = [GATEWAY];
  world.containers.images.add(GATEWAY.image);
});
const heard = (): readonly string[] =>
  Buffer.concat(world.containers.gateways().flatMap(({ input }) => input))
    .toString()
    .trim()
    .split('\n');

test('work begins when its gateway listens, finds the socket, and takes the gateway along', async () => {
  const { agent, id } = await world.running();
  const [gateway, work] = world.containers.started;
  expect([gateway?.Image, work?.Image]).toEqual([GATEWAY.image, IMAGE]);
  const [name] = world.containers.egress.names;
  expect(work?.HostConfig).toMatchObject({
    NetworkMode: 'none',
    Mounts: [{ Target: '/run/door' }, { Source: name, Target: '/run/egress', ReadOnly: true }],
  });
  expect(JSON.parse(heard()[0] ?? '')).toMatchObject({
    allow: NEED.egress,
    maxBytes: 1000,
    refuse: ['192.168.1.7/24'],
  });
  world.containers.finish(world.containers.jobs()[0]?.id ?? '');
  await world.until(() => world.stateOf(id) === 'finished' || world.stateOf(id) === 'accepted', 'finished');
  expect([world.containers.gateways(), [...world.containers.egress.names]]).toEqual([[], []]);
  await agent.stop();
});

test('nothing passes while the owner is back', async () => {
  const { agent } = await world.running();
  world.sensors.idle = 0;
  await world.until(() => heard().at(-1) === '{"bytesPerSecond":0}', 'held');
  world.sensors.idle = 3_600_000;
  // At the owner's own rate, which is not none.
  await world.until(() => JSON.parse(heard().at(-1) ?? '').bytesPerSecond > 0, 'released');
  await agent.stop();
  expect([...world.containers.egress.names]).toEqual([]);
});

test.each<[string, () => void, string]>([
  ['the catalogue has none', () => (world.others = []), 'the catalogue has no gateway'],
  ['it cannot begin', () => (world.containers.egress.says = '{"error":"no routes"}'), 'did not start: no routes'],
  ['it never listens', () => (world.containers.egress.says = '{}'), 'did not listen within 20 s'],
])(
  'without a gateway, because %s, the lease is given back with the reason and nothing is left',
  async (_why, spoil, reason) => {
    spoil();
    const agent = await world.ready();
    world.issue();
    await world.until(() => world.network.declines.length > 0, 'declined', 60_000);
    expect(world.network.declines).toMatchObject([{ reason: 'stopped', detail: expect.stringContaining(reason) }]);
    expect([world.containers.jobs(), world.containers.gateways(), [...world.containers.egress.names]]).toEqual([
      [],
      [],
      [],
    ]);
    await agent.stop();
  },
);

test('without the image of the gateway no such work is asked for, and what comes all the same is given back with the reason', async () => {
  const agent = await world.ready();
  world.containers.images.delete(GATEWAY.image);
  world.issue();
  await world.until(() => world.network.declines.length > 0, 'declined', 60_000);
  expect(world.network.declines).toMatchObject([
    { reason: 'image-missing', detail: `the engine does not hold ${GATEWAY.image}` },
  ]);
  await world.until(() => world.network.slots === 0, 'nothing more is asked for');
  await agent.stop();
});

test('work whose gateway dies ends, and begins again with another', async () => {
  const { agent, id } = await world.running();
  const [first] = world.containers.gateways();
  world.containers.end(first?.id ?? '', 137);
  const again = (): boolean => {
    const [gateway] = world.containers.gateways();
    return gateway !== undefined && gateway.id !== first?.id && world.containers.jobs().length === 1;
  };
  await world.until(again, 'again');
  expect(world.stateOf(id)).toBe('held');
  await agent.stop();
});
