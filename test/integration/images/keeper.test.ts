import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../agent/adapters/clock.ts';
import { dockerContainers } from '../../../agent/adapters/docker.ts';
import { dockerImages } from '../../../agent/adapters/docker-images.ts';
import { systemRandom } from '../../../agent/adapters/random.ts';
import { createImageKeeper } from '../../../agent/image-keeper.ts';
import { nameOf } from '../../../agent/image-ports.ts';
import { perLane } from '../../../core/primitives.ts';
import { engine } from '../../e2e/support/engine.ts';
import { FakeImageRecord } from '../../fakes/images.ts';
import { FakeSettings } from '../../fakes/small.ts';
import { trafficOf } from '../../fakes/traffic.ts';
import { ENTRY } from '../../fakes/world.ts';
import { type Registry, type Served, startRegistry } from '../../support/registry.ts';
import { until } from '../../support/wait.ts';

const MIB = 1024 * 1024;
const log = () => undefined;
const containers = dockerContainers({ log });
let registry: Registry;
const made: string[] = [];

beforeAll(async () => {
  registry = await startRegistry();
});
afterEach(async () => {
  for (const name of made.splice(0))
    await engine
      .getImage(name)
      .remove()
      .catch(() => undefined);
});
afterAll(async () => {
  containers.close();
  await registry.close();
});

function keeperOf(list: readonly Served[]) {
  made.push(...list.map(nameOf));
  let listed = list;
  const imageRecord = new FakeImageRecord();
  const keeper = createImageKeeper({
    ports: {
      ...{ clock: systemClock, log, random: systemRandom, containers, imageRecord },
      images: dockerImages({ log, credentials: async () => null }),
      settings: new FakeSettings(),
      traffic: trafficOf(),
    },
    catalogue: () => ({
      ...{ version: 1, minimums: [] },
      entries: listed.map((pull, at) => ({
        ...{ ...ENTRY, id: `work-${at}`, image: pull.image },
        pull: { repository: pull.repository, digest: pull.digest, bytes: pull.bytes },
      })),
    }),
    ...{ inUse: () => [], wake: () => keeper.allow(allowed, 1e12), changed: () => undefined },
  });
  let allowed = perLane(() => false);
  const allow = (yes: boolean): void => {
    allowed = perLane(() => yes);
    keeper.allow(allowed, 1e12);
  };
  const states = () => keeper.views().map(({ state }) => state);
  const relist = (next: readonly Served[]): void => {
    listed = next;
  };
  return { keeper, imageRecord, allow, states, list: relist };
}

test('what the catalogue lists comes one after the other when it may, and goes when it is listed no more', async () => {
  const [one, two] = [await registry.serve({ layerBytes: [MIB] }), await registry.serve({ layerBytes: [MIB] })];
  const { keeper, imageRecord, allow, states, list } = keeperOf([one, two]);
  expect(await keeper.look()).toBe(true);
  allow(false);
  expect(states()).toEqual(['missing', 'missing']);
  allow(true);
  expect(states()).toEqual(['fetching', 'missing']);
  await until('both are here', () => states().join() === 'present,present');
  expect(imageRecord.images.map(({ image }) => image).sort()).toEqual([one.image, two.image].sort());
  expect(keeper.fetching().cpu).toBeNull();
  // Without a catalogue in force nothing is known to be needless.
  list([]);
  await keeper.tidy();
  await expect(engine.getImage(one.image).inspect()).resolves.toBeDefined();
  list([two]);
  await keeper.tidy();
  expect(states()).toEqual(['present']);
  await expect(engine.getImage(one.image).inspect()).rejects.toMatchObject({ statusCode: 404 });
  await keeper.close();
});

test('an image that was swapped at the registry is refused for good, and the next one comes all the same', async () => {
  const [named, other, fine] = [await registry.serve(), await registry.serve(), await registry.serve()];
  const { keeper, imageRecord, allow, states } = keeperOf([{ ...other, image: named.image }, fine]);
  await keeper.look();
  allow(true);
  await until('all is settled', () => states().join() === 'refused,present');
  expect(imageRecord.images.map(({ image }) => image)).toEqual([fine.image]);
  await expect(engine.getImage(other.image).inspect()).rejects.toMatchObject({ statusCode: 404 });
  await keeper.close();
});
