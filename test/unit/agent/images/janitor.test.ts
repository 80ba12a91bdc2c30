import { expect, test } from 'vitest';
import type { Belonging } from '../../../../core/leftovers.ts';
import { LABEL } from '../../../../core/sandbox.ts';
import { World } from '../../../fakes/world.ts';

const MINUTE = 60_000;

const left = (world: World, id: string): Belonging => ({
  ...{ kind: 'volume', id, createdAt: world.clock.now(), used: false },
  labels: { [LABEL.device]: world.vault.device, [LABEL.instance]: 'of an earlier process' },
});

test('what is left goes at the start, from time to time, and when the engine is back', async () => {
  const world = new World();
  const gone = (): boolean => world.premises.things.length === 0;
  world.premises.things = [left(world, 'at the start')];
  const agent = await world.ready();
  await world.until(gone, 'gone at the start');

  world.premises.things = [left(world, 'later')];
  await world.clock.advance(5 * MINUTE);
  expect(gone()).toBe(false);
  await world.until(gone, 'gone in time', 10 * MINUTE);

  world.containers.become({ kind: 'absent', detail: 'gone' });
  await world.until(() => agent.snapshot().reason?.kind === 'engine-absent', 'away');
  world.premises.things = [left(world, 'after the engine')];
  world.containers.become({ kind: 'ready', version: 'fake' });
  await world.until(gone, 'gone when it is back', 2 * MINUTE);
  await agent.stop();
  // It looks now and then, and not all the time.
  expect(world.premises.listed).toBeLessThan(8);
});

test('a smaller budget takes effect at once', async () => {
  const world = new World();
  const agent = await world.ready();
  const { listed } = world.premises;
  await agent.commands.updateSettings({ limits: { imagesMiB: 256 } });
  await world.until(() => world.premises.listed > listed, 'looked', MINUTE);
  await agent.stop();
});
