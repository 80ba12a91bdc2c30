import { beforeEach, describe, expect, test } from 'vitest';
import type { Agent } from '../../../agent/api.ts';
import type { Problem } from '../../../core/snapshot.ts';
import { ENTRY, World } from '../../fakes/world.ts';
import { KEYS, releaseEntry, STRANGER, signed } from '../../support/signed.ts';

const DAY_MS = 86_400_000;
const SIX_HOURS_MS = 6 * 3_600_000;
const NEWER = { ...ENTRY, id: 'newer', image: `sha256:${'ef'.repeat(32)}` };

let world: World;
beforeEach(() => {
  world = new World();
});

const ofCatalogue = (agent: Agent): readonly Problem[] =>
  agent.snapshot().problems.filter(({ kind }) => kind.startsWith('catalogue-'));
const release = (version: number, entry = ENTRY, keys = KEYS.slice(0, 2)): string =>
  signed(world.clock.now(), { version, entries: [releaseEntry(entry)] }, keys);
const offers = (agent: Agent): boolean =>
  agent
    .snapshot()
    .lanes.some(
      ({ lane, decision }) =>
        lane === 'cpu' && !(decision.kind === 'hold' && decision.reason.kind === 'lane-not-offered'),
    );
/** A session begins anew: the network is asked. */
async function reconnect(agent: Agent): Promise<void> {
  const before = world.network.asked;
  world.network.become(false);
  await world.until(() => agent.snapshot().coordinator.kind !== 'connected', 'away');
  world.network.become(true);
  await world.until(() => world.network.asked > before, 'asked');
}
/** What the network was last told that this device can run. */
const told = (): readonly string[] =>
  world.network.received.findLast((message) => message.type === 'workloads')?.workloads.map(({ id }) => id) ?? [];
const problem = (agent: Agent, why: object) => expect(ofCatalogue(agent)).toMatchObject([why]);

describe('at the start', () => {
  test('what came with the app is in force, and remembered', async () => {
    const agent = await world.ready();
    expect(ofCatalogue(agent)).toEqual([]);
    expect(world.shelf.memory).toMatchObject({ version: 1 });
    await agent.stop();
  });

  test.each([
    ['nothing is there', () => null, { kind: 'missing' }],
    ['one key has signed', () => release(1, ENTRY, KEYS.slice(0, 1)), { kind: 'signatures', valid: 1 }],
    ['a stranger has signed', () => release(1, ENTRY, [STRANGER]), { kind: 'signatures', valid: 0 }],
    ['it is garbage', () => 'garbage', { kind: 'malformed' }],
  ])('the agent runs, says why and offers nothing where %s', async (_what, file, why) => {
    world.shelf.file = file;
    const agent = await world.start();
    await world.until(() => agent.snapshot().coordinator.kind === 'connected', 'connected');
    await world.clock.advance(5_000);
    problem(agent, { kind: 'catalogue-untrusted', why });
    expect(agent.snapshot().presence).toBe('attention');
    expect(offers(agent)).toBe(false);
    expect(world.network.slots).toBe(0);
    await agent.stop();
  });

  test('a build without keys trusts nothing', async () => {
    world.shelf.keys = { threshold: 2, keys: [] };
    const agent = await world.start();
    await world.clock.advance(1_000);
    problem(agent, { kind: 'catalogue-untrusted', why: { kind: 'no-keys' } });
    await agent.stop();
  });

  test('the newer of two is taken, whichever it is', async () => {
    world.containers.images.add(NEWER.image);
    world.network.offer = release(5, NEWER);
    const agent = await world.ready();
    await world.until(() => world.shelf.memory?.version === 5, 'updated');
    await agent.stop();
    const again = await world.start();
    await world.until(() => world.network.asked === 2, 'asked');
    expect(world.shelf.memory).toMatchObject({ version: 5 });
    expect(ofCatalogue(again)).toEqual([]);
    await again.stop();
  });

  test('an older app goes on with what was kept, and with nothing when that is damaged', async () => {
    world.network.offer = release(5);
    const agent = await world.ready();
    await world.until(() => world.shelf.memory?.version === 5, 'updated');
    await agent.stop();
    world.network.offer = null;
    const again = await world.ready();
    expect(ofCatalogue(again)).toEqual([]);
    await again.stop();
    if (world.shelf.memory !== null) world.shelf.memory = { ...world.shelf.memory, envelope: 'damaged' };
    const without = await world.start();
    await world.clock.advance(1_000);
    problem(without, { kind: 'catalogue-untrusted', why: { kind: 'malformed' } });
    expect(offers(without)).toBe(false);
    await without.stop();
  });

  test('a clock that is set right puts it in force without a restart', async () => {
    const text = signed(world.clock.now() + DAY_MS + 300_000, { entries: [releaseEntry(ENTRY)] });
    world.shelf.file = () => text;
    const agent = await world.start();
    await world.clock.advance(1_000);
    problem(agent, { kind: 'catalogue-untrusted', why: { kind: 'clock' } });
    expect(world.shelf.memory).toBeNull();
    await world.clock.advance(300_000);
    await world.until(() => world.shelf.memory?.version === 1, 'in force');
    expect(ofCatalogue(agent)).toEqual([]);
    await agent.stop();
  });
});

describe('an update', () => {
  test('comes while the agent runs, and the network learns what it can give out now', async () => {
    const agent = await world.ready();
    world.containers.images.add(NEWER.image);
    world.network.offer = release(2, NEWER);
    await reconnect(agent);
    await world.until(() => told()[0] === 'newer', 'told');
    expect(offers(agent)).toBe(true);
    // The old work is refused, the new is taken.
    const old = world.issue();
    const fresh = world.issue('input', { workload: 'newer', image: NEWER.image });
    await world.until(() => world.network.declines.some(({ leaseId }) => leaseId === old), 'declined');
    await world.until(() => world.stateOf(fresh) !== 'none', 'taken');
    await agent.stop();
  });

  test('lets work that runs go on', async () => {
    world = World.held();
    const { agent, id } = await world.running();
    world.containers.images.add(NEWER.image);
    world.network.offer = release(2, NEWER);
    await reconnect(agent);
    await world.until(() => world.shelf.memory?.version === 2, 'updated');
    await world.clock.advance(2_000);
    expect(agent.snapshot().running.map(({ leaseId }) => leaseId)).toEqual([id]);
    await agent.stop();
  });

  test.each([
    ['an older one', () => release(1), { kind: 'older', version: 1, highest: 3 }],
    ['the same number with other content', () => release(3, NEWER), { kind: 'rewritten', version: 3 }],
    ['one signed by strangers', () => release(9, NEWER, [STRANGER]), { kind: 'signatures', unknown: 1 }],
    ['one that has ended', () => ended(), { kind: 'expired' }],
  ])('is refused and told of, and changes nothing: %s', async (_what, offer, why) => {
    const mine = release(3);
    world.shelf.file = () => mine;
    world.network.offer = offer();
    const agent = await world.ready();
    await world.until(() => ofCatalogue(agent).length > 0, 'told');
    problem(agent, { kind: 'catalogue-refused', why });
    expect(offers(agent)).toBe(true);
    expect(world.shelf.memory).toMatchObject({ version: 3 });
    // The control: the next one is taken, and the complaint goes.
    world.network.offer = release(10);
    await reconnect(agent);
    await world.until(() => ofCatalogue(agent).length === 0, 'taken');
    expect(world.shelf.memory).toMatchObject({ version: 10 });
    await agent.stop();
  });

  test('is in force only once it is on the disk', async () => {
    const agent = await world.ready();
    world.shelf.full = true;
    world.network.offer = release(2, NEWER);
    await reconnect(agent);
    await world.clock.advance(1_000);
    expect(told()).not.toContain('newer');
    world.shelf.full = false;
    await world.clock.advance(11 * 60_000);
    await world.until(() => told()[0] === 'newer', 'in force');
    expect(world.shelf.memory).toMatchObject({ version: 2 });
    await agent.stop();
  });

  test('is asked for at the beginning of a session and every six hours', async () => {
    const agent = await world.ready();
    await world.until(() => world.network.asked === 1, 'asked');
    await world.clock.advance(SIX_HOURS_MS - 60_000);
    expect(world.network.asked).toBe(1);
    await world.clock.advance(120_000);
    expect(world.network.asked).toBe(2);
    await agent.stop();
  });
});

test('near its end there is a hint, and at its end nothing runs any more', async () => {
  const now = world.clock.now();
  const text = signed(now, { expiresAt: Math.floor(now / 1000) + 180, entries: [releaseEntry(ENTRY)] });
  world.shelf.file = () => text;
  const agent = await world.ready();
  problem(agent, { kind: 'catalogue-expiring' });
  expect(offers(agent)).toBe(true);
  await world.clock.advance(300_000);
  problem(agent, { kind: 'catalogue-untrusted', why: { kind: 'expired' } });
  expect(offers(agent)).toBe(false);
  await agent.stop();
});

const ended = (): string => signed(world.clock.now() - 90 * DAY_MS, { version: 9 });
