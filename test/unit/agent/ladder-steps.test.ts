import { beforeEach, expect, test } from 'vitest';
import { createLadder } from '../../../agent/ladder.ts';
import { fail } from '../../../core/errors.ts';
import { World } from '../../fakes/world.ts';

let world: World;
beforeEach(() => {
  world = World.held();
});

const never = (): Promise<never> => new Promise(() => undefined);

test('what the engine does not freeze is removed after 500 ms, and its door is closed a second later', async () => {
  const { agent, id } = await world.running();
  const removed: string[] = [];
  world.containers.freeze = never;
  world.containers.remove = (container) => {
    removed.push(container);
    return never();
  };
  world.sensors.idle = 0;
  await world.clock.advance(450);
  expect(removed).toEqual([]);
  await world.clock.advance(110);
  expect(removed).not.toEqual([]);
  expect(world.containers.shuts).toEqual([]);
  await world.clock.advance(1_000);
  expect(world.containers.shuts).toHaveLength(1);
  expect(world.stateOf(id)).toBe('held');
  void agent.stop();
  await world.clock.advance(10_000);
});

test('an engine that is away cannot keep work running: its door is closed at once', async () => {
  const { agent } = await world.running();
  world.containers.freeze = async () => fail('ENGINE_AWAY', 'the engine is away');
  world.containers.remove = async () => fail('ENGINE_AWAY', 'the engine is away');
  world.sensors.idle = 0;
  await world.clock.advance(60);
  expect(world.containers.shuts).not.toEqual([]);
  await agent.stop();
});

test('an engine that refuses to freeze and to remove is not asked without end, and the door is closed', async () => {
  let asked = 0;
  let woken = 0;
  const ladder = createLadder({
    ports: {
      ...world.ports(),
      containers: Object.assign(world.containers, {
        freeze: async () => fail('REFUSED', 'no'),
        remove: async () => {
          asked += 1;
          fail('REFUSED', 'device or resource busy');
        },
      }),
    },
    ...{ doubtEngine: () => undefined, escalated: () => undefined },
    wake: () => {
      woken += 1;
      if (woken < 1_000) ladder.remove(undefined, `0x${'1'.repeat(64)}`, 'container');
    },
  });
  ladder.remove(undefined, `0x${'1'.repeat(64)}`, 'container');
  await world.clock.advance(900);
  expect(asked).toBe(1);
  await world.clock.advance(1_000);
  expect(asked).toBe(2);
});
