import { beforeEach, expect, test } from 'vitest';
import type { Source } from '../../../agent/ports.ts';
import { TellingPerson } from '../../fakes/sources.ts';
import { World } from '../../fakes/world.ts';

let world: World;
beforeEach(() => {
  world = World.held();
});

/** The engine answers this question only when told. */
function held(name: 'list' | 'run' | 'thaw'): { asked: number; readonly go: () => void } {
  const real = world.containers[name] as (...args: unknown[]) => Promise<unknown>;
  const waiting: (() => void)[] = [];
  const state = {
    asked: 0,
    go: () => {
      Object.assign(world.containers, { [name]: real });
      for (const resolve of waiting.splice(0)) resolve();
    },
  };
  const late = async (...args: unknown[]): Promise<unknown> => {
    state.asked += 1;
    await new Promise<void>((resolve) => waiting.push(resolve));
    return real(...args);
  };
  Object.assign(world.containers, { [name]: late });
  return state;
}

test('who comes back is yielded to in the same turn', async () => {
  const person = new TellingPerson(world.clock, 3_600_000);
  Object.assign(world.sensors.sources, { idle: [person] });
  const { agent } = await world.running();
  await world.clock.advance(1_000);
  const before = world.containers.calls.length;
  person.touch();
  expect(world.containers.calls.slice(before)).toEqual(['freeze']);
  await agent.stop();
});

test('a container that comes up after its owner came back is frozen, whatever the engine says of the others', async () => {
  const agent = await world.ready();
  const run = held('run');
  world.issue();
  await world.until(() => run.asked === 1, 'the container is being started');
  world.sensors.idle = 0;
  await world.clock.advance(2_000);
  const list = held('list');
  run.go();
  await world.clock.advance(50);
  expect(world.containers.jobs()[0]?.state).toBe('paused');
  list.go();
  await agent.stop();
});

test('a pause that is said while a round looks at the engine is not overruled by that round', async () => {
  const { agent } = await world.running();
  const list = held('list');
  agent.wake();
  await world.until(() => list.asked === 1, 'a round is under way');
  await agent.commands.pause('resumed');
  const before = world.history.entries.length;
  list.go();
  await world.clock.advance(500);
  expect(world.containers.calls).not.toContain('thaw');
  expect(world.history.entries).toHaveLength(before);
  expect(world.containers.jobs()[0]?.state).toBe('paused');
  await agent.stop();
});

test('who comes back while the engine is slow to thaw is yielded to at once', async () => {
  const { agent } = await world.running();
  world.sensors.idle = 0;
  await world.until(() => world.containers.jobs()[0]?.state === 'paused', 'frozen');
  const thaw = held('thaw');
  world.sensors.idle = 3_600_000;
  await world.until(() => thaw.asked === 1, 'it is being thawed');
  const before = world.containers.calls.length;
  world.sensors.idle = 0;
  await world.clock.advance(200);
  expect(world.containers.calls.slice(before)).toContain('freeze');
  thaw.go();
  await world.clock.advance(200);
  expect(world.containers.jobs()[0]?.state).toBe('paused');
  await agent.stop();
});

test('work goes on when the idle time is reached, though nothing else tells of anything', async () => {
  const person = new TellingPerson(world.clock, 7_000);
  const none: Source<never>[] = [];
  Object.assign(world.sensors.sources, { idle: [person], processes: none, onBattery: none, freeDiskBytes: none });
  const agent = await world.start();
  await world.until(() => agent.snapshot().reason?.kind === 'in-use', 'in use');
  const after = world.settings.current().settings.rules.idleAfterSeconds * 1000;
  await world.clock.advance(person.inputAt + after - world.clock.now() + 500);
  expect(agent.snapshot().reason).toBeNull();
  await agent.stop();
});

test('a source of idle time that is not there is hardly ever asked again', async () => {
  let asked = 0;
  const idleMs = async () => {
    asked += 1;
    return 'unavailable' as const;
  };
  const gone = { name: 'gone', timeoutMs: 500, idleMs };
  Object.assign(world.sensors.sources, { idle: [...world.sensors.sources.idle, gone] });
  const agent = await world.ready();
  asked = 0;
  await world.clock.advance(120_000);
  expect(asked).toBeGreaterThan(0);
  expect(asked).toBeLessThan(5);
  await agent.stop();
});
