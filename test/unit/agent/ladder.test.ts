import { beforeEach, describe, expect, test } from 'vitest';
import type { Agent } from '../../../agent/api.ts';
import { createLadder } from '../../../agent/ladder.ts';
import { Failure } from '../../../core/errors.ts';
import { World } from '../../fakes/world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});

const never = <T>(): Promise<T> => new Promise(() => undefined);
const until = (condition: () => boolean, what: string, limit?: number) => world.until(condition, what, limit);
const reason = (agent: Agent) => agent.snapshot().reason?.kind;

/** An agent with `count` jobs that run. */
async function busy(count: number): Promise<Agent> {
  world.containers.automatic = false;
  const agent = await world.start({ slots: { cpu: count } });
  await until(() => world.network.slots === count, 'asks for work');
  for (let job = 0; job < count; job++) world.issue(`input ${job}`);
  await until(() => world.containers.jobs().length === count && world.containers.fed(), 'all run');
  await until(() => agent.snapshot().running.every(({ phase }) => phase === 'running'), 'all are seen to run');
  return agent;
}
const states = () => world.containers.jobs().map(({ state }) => state);

describe('the owner comes back', () => {
  test('and all jobs are frozen together, though the engine answers nothing else', async () => {
    const agent = await busy(8);
    let under = 0;
    let most = 0;
    const freeze = world.containers.freeze;
    world.containers.freeze = async (id) => {
      under += 1;
      most = Math.max(most, under);
      await new Promise<void>((resolve) => world.clock.after(100, resolve));
      under -= 1;
      await freeze(id);
    };
    const list = world.containers.list;
    world.containers.list = never;
    world.sensors.idle = 0;
    await world.clock.advance(60);
    expect(most).toBe(8);
    await world.clock.advance(110);
    expect(states()).toEqual(Array.from({ length: 8 }, () => 'paused'));
    world.containers.list = list;
    const stopping = agent.stop();
    await until(() => world.containers.closed, 'stopped');
    await stopping;
  });

  test('and what the engine does not freeze in half a second is ended, which the owner is told', async () => {
    const agent = await busy(2);
    world.containers.freeze = never;
    world.sensors.idle = 0;
    await world.clock.advance(450);
    expect(states()).toHaveLength(2);
    await world.clock.advance(150);
    expect(states()).toEqual([]);
    await until(() => agent.snapshot().problems.some(({ kind }) => kind === 'engine-slow'), 'told');
    expect(world.logged.filter(({ event }) => event === 'freeze-escalated')).toHaveLength(2);
    await world.clock.advance(11 * 60_000);
    expect(agent.snapshot().problems).toEqual([]);
    await agent.stop();
  });

  test('and what the engine neither freezes nor ends hears its door close', async () => {
    const agent = await busy(2);
    const remove = world.containers.remove;
    world.containers.freeze = never;
    world.containers.remove = never;
    world.sensors.idle = 0;
    await world.clock.advance(1_700);
    expect(world.containers.shuts).toHaveLength(2);
    expect(states()).toEqual(['exited', 'exited']);
    world.containers.remove = remove;
    const stopping = agent.stop();
    await until(() => world.containers.closed, 'stopped');
    await stopping;
  });

  test('and an engine that is gone cannot keep work running', async () => {
    const agent = await busy(2);
    const away = (): Promise<never> => Promise.reject(new Failure('ENGINE_AWAY', 'connect ENOENT'));
    Object.assign(world.containers, { freeze: away, remove: away, list: away });
    world.sensors.idle = 0;
    await world.clock.advance(200);
    expect(states()).toEqual(['exited', 'exited']);
    await agent.stop();
  });
});

test('who comes back during a pause is not worked beside when it ends', async () => {
  const agent = await busy(1);
  await agent.commands.pause('resumed');
  await until(() => states()[0] === 'paused', 'frozen');
  await world.clock.advance(30_000);
  world.sensors.idle = 0;
  world.containers.calls.length = 0;
  await agent.commands.resume(null);
  await until(() => reason(agent) === 'in-use', 'in use');
  expect(states()).toEqual(['paused']);
  expect(world.containers.calls).not.toContain('thaw');
  const became = world.history.entries.map(({ to }) => (to === 'run' ? to : to.kind));
  expect(became).toEqual(['in-use', 'paused']);
  await agent.stop();
});

test('the share is divided among the jobs of a lane, and a job that ends leaves its part to the others', async () => {
  const agent = await busy(4);
  const cpus = () => world.containers.cores();
  await until(() => cpus().every((each) => each === 0.5), 'half of four cores for four jobs');
  for (const { id } of world.containers.jobs().slice(0, 2)) world.containers.finish(id);
  await until(() => world.containers.jobs().length === 2 && cpus().every((each) => each === 1), 'for two');
  await agent.stop();
});

test('the limit of processes follows its slider in a running container', async () => {
  const agent = await busy(1);
  expect(world.containers.jobs()[0]?.limits.PidsLimit).toBe(64);
  await agent.commands.updateSettings({ limits: { pids: 40 } });
  await until(() => world.containers.jobs()[0]?.limits.PidsLimit === 40, 'fewer', 1_000);
  await agent.stop();
});

test('limits that change while the engine is still at the last ones come after them, and the newest stay', async () => {
  const agent = await busy(1);
  const waits: (() => void)[] = [];
  const setLimits = world.containers.setLimits;
  world.containers.setLimits = async (id, limits) => {
    await new Promise<void>((resolve) => waits.push(resolve));
    await setLimits(id, limits);
  };
  for (const pids of [60, 50, 40]) {
    await agent.commands.updateSettings({ limits: { pids } });
    await world.clock.advance(100);
  }
  expect(waits).toHaveLength(1);
  while (world.containers.jobs()[0]?.limits.PidsLimit !== 40) {
    expect(waits.length).toBeGreaterThan(0);
    waits.shift()?.();
    await world.clock.advance(10);
  }
  expect(waits).toEqual([]);
  await agent.stop();
});

test('what waits for its turn behind an engine that hangs is removed in time all the same', async () => {
  const removed: string[] = [];
  const containers = Object.assign(world.containers, {
    freeze: never,
    remove: async (id: string) => void removed.push(id),
  });
  const nothing = () => undefined;
  const ladder = createLadder({
    ports: { ...world.ports(), containers },
    ...{ doubtEngine: nothing, escalated: nothing, wake: nothing },
  });
  const runner = () => ({ tell: () => true, release: nothing, shut: nothing, frozen: nothing });
  for (const id of ['a', 'b', 'c', 'd']) void ladder.freeze(runner(), `0x${'1'.repeat(64)}`, id);
  await world.clock.advance(1_050);
  expect(removed.sort()).toEqual(['a', 'b', 'c', 'd']);
});
