import { beforeEach, describe, expect, test } from 'vitest';
import type { Agent } from '../../../../agent/api.ts';
import type { CatalogueEntry, PullSource } from '../../../../core/catalogue.ts';
import { Failure } from '../../../../core/errors.ts';
import { defaultSettings } from '../../../../core/settings.ts';
import { ENTRY, IMAGE, World } from '../../../fakes/world.ts';

const SOURCE: PullSource = {
  repository: 'registry.example/transcode',
  digest: `sha256:${'cd'.repeat(32)}`,
  bytes: 1000,
};
const NAME = `${SOURCE.repository}@${SOURCE.digest}`;
const WANTED: CatalogueEntry = { ...ENTRY, pull: SOURCE };
const MINUTE = 60_000;
let world: World;

beforeEach(() => {
  world = new World();
  world.entry = WANTED;
  world.containers.images.clear();
  world.images.served.set(NAME, IMAGE);
});

const view = (agent: Agent) => agent.snapshot().images[0];
const fetching = (): boolean => world.images.open === 1;
const last = () => world.images.pulls.at(-1);

describe('an image that is missing', () => {
  test('is fetched when nobody is there, and then work begins', async () => {
    const agent = await world.start();
    await world.until(fetching, 'fetching');
    expect(agent.snapshot()).toMatchObject({
      presence: 'waiting',
      reason: { kind: 'fetching-image', percent: 0 },
      images: [{ state: 'fetching', bytes: 1000, doneBytes: 0 }],
    });
    last()?.progress({ downloadedBytes: 600, unpackedBytes: 200 });
    await world.until(() => agent.snapshot().reason?.kind === 'fetching-image', 'said');
    await world.until(() => JSON.stringify(agent.snapshot().reason).includes('40'), 'told how far');
    expect(view(agent)).toMatchObject({ doneBytes: 400 });
    expect(world.network.slots).toBe(0);
    last()?.end();
    await world.until(() => world.network.slots === 1, 'work is asked for');
    expect(view(agent)).toMatchObject({ state: 'present', ours: true, obstacle: null });
    expect(world.imageRecord.images).toMatchObject(
      [{ ...SOURCE, bytes: undefined, image: IMAGE }].map(({ bytes: _, ...rest }) => rest),
    );
    await agent.stop();
  });

  test('is given up in the turn in which somebody comes, and fetched again later', async () => {
    const agent = await world.start();
    await world.until(fetching, 'fetching');
    world.sensors.idle = 0;
    await world.until(() => agent.snapshot().reason?.kind === 'in-use', 'seen');
    await world.until(() => world.images.open === 0, 'given up');
    expect(view(agent)).toMatchObject({ state: 'missing', obstacle: { kind: 'waiting' } });
    expect(world.imageRecord.images).toEqual([]);
    world.sensors.idle = 3_600_000;
    await world.until(fetching, 'fetching again');
    await agent.stop();
    expect(world.images.open).toBe(0);
  });

  test('is given up at the word of a pause', async () => {
    const agent = await world.start();
    await world.until(fetching, 'fetching');
    await agent.commands.pause('resumed');
    await world.until(() => world.images.open === 0, 'given up');
    await agent.stop();
  });

  test.each([
    [
      'its lane is off',
      {
        lanes: {
          ...defaultSettings().lanes,
          ...{ cpu: { share: 'never' as const, rules: {} }, gpu: { share: 'never' as const, rules: {} } },
        },
      },
    ],
    [
      'the disk would be fuller than the owner wants',
      { limits: { ...defaultSettings().limits, minFreeDiskMiB: 102_399 } },
    ],
  ])('is not fetched while %s', async (_why, change) => {
    await world.settings.update((settings) => ({ ...settings, ...change }));
    world.entry = { ...WANTED, pull: { ...SOURCE, bytes: 1024 ** 3 } };
    const agent = await world.start();
    await world.clock.advance(2 * MINUTE);
    expect(world.images.pulls).toEqual([]);
    expect(view(agent)).toMatchObject({ state: 'missing' });
    await agent.stop();
  });

  test('is not fetched beyond what the owner gives to images', async () => {
    await world.settings.update((settings) => ({ ...settings, limits: { ...settings.limits, imagesMiB: 256 } }));
    world.entry = { ...WANTED, pull: { ...SOURCE, bytes: 100 * 1024 ** 2 } };
    const agent = await world.start();
    await world.clock.advance(2 * MINUTE);
    expect(world.images.pulls).toEqual([]);
    expect(view(agent)).toMatchObject({ obstacle: { kind: 'budget', budgetBytes: 256 * 1024 ** 2 } });
    expect(agent.snapshot().reason).toEqual({ kind: 'fetching-image', percent: null, stuck: 'budget' });
    await agent.stop();
  });

  test('that comes from nowhere is said to, and its lane is not offered', async () => {
    world.entry = ENTRY;
    const agent = await world.start();
    await world.until(() => view(agent)?.obstacle?.kind === 'no-source', 'said');
    expect(agent.snapshot().lanes[0]?.decision).toMatchObject({ reason: { kind: 'lane-not-offered' } });
    await agent.stop();
  });
});

describe('a fetch that fails', () => {
  test('for the network is tried again, later each time', async () => {
    const agent = await world.start();
    const pauses: number[] = [];
    for (let times = 1; times <= 3; times++) {
      await world.until(() => world.images.pulls.length === times && fetching(), `try ${times}`, 10 * MINUTE);
      const at = world.clock.now();
      last()?.end(new Failure('REGISTRY_AWAY', 'connection refused'));
      await world.until(() => view(agent)?.obstacle?.kind === 'failed', 'told');
      expect(agent.snapshot().reason).toMatchObject({ kind: 'fetching-image', stuck: 'failed' });
      const obstacle = view(agent)?.obstacle;
      pauses.push(obstacle?.kind === 'failed' ? obstacle.at - at : 0);
    }
    expect(pauses[0]).toBeGreaterThanOrEqual(15_000);
    expect(pauses[2]).toBeGreaterThanOrEqual(60_000);
    expect(pauses[2]).toBeLessThanOrEqual(125_000);
    await agent.stop();
  });

  test('because another image came is not tried again', async () => {
    world.images.served.set(NAME, `sha256:${'ee'.repeat(32)}`);
    const agent = await world.start();
    await world.until(fetching, 'fetching');
    last()?.end();
    await world.until(() => view(agent)?.state === 'refused', 'refused');
    await world.clock.advance(3 * 60 * MINUTE);
    expect(world.images.pulls).toHaveLength(1);
    expect(agent.snapshot().lanes[0]?.decision).toMatchObject({ reason: { kind: 'lane-not-offered' } });
    expect(world.imageRecord.images).toEqual([]);
    await agent.stop();
  });

  test('because it cannot be written down does not begin', async () => {
    world.imageRecord.unwritable = true;
    const agent = await world.start();
    await world.until(() => view(agent)?.obstacle?.kind === 'failed', 'told');
    expect(world.images.pulls).toEqual([]);
    await agent.stop();
  });

  test('with the engine goes on when it is back', async () => {
    const agent = await world.start();
    await world.until(fetching, 'fetching');
    last()?.end(new Failure('ENGINE_AWAY', 'connection reset'));
    world.containers.become({ kind: 'absent', detail: 'gone' });
    await world.until(() => agent.snapshot().reason?.kind === 'engine-absent', 'away');
    world.containers.become({ kind: 'ready', version: 'fake' });
    await world.until(fetching, 'fetching again', 10 * MINUTE);
    await agent.stop();
  });
});

test('what came while nobody lived to see it is ours, and what was there before is not', async () => {
  await world.start();
  await world.until(fetching, 'fetching');
  world.images.held.add(IMAGE);
  world.images.names.set(NAME, IMAGE);
  const next = world.kill();
  next.images.open = 0;
  const agent = await next.start();
  await next.until(() => view(agent)?.state === 'present', 'found');
  expect(view(agent)).toMatchObject({ ours: true });
  await agent.stop();

  const other = new World();
  other.entry = WANTED;
  const another = await other.start();
  await other.until(() => view(another)?.state === 'present', 'found');
  expect(view(another)).toMatchObject({ ours: false });
  expect(other.imageRecord.images).toEqual([]);
  await another.stop();
});
