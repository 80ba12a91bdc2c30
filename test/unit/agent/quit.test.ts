import { beforeEach, describe, expect, test } from 'vitest';
import { World } from '../../fakes/world.ts';

let world: World;
beforeEach(() => {
  world = World.held();
});

const declined = () => world.network.declines.map(({ leaseId, reason }) => [leaseId, reason]);
const finishAll = () => {
  for (const { id } of world.containers.jobs()) world.containers.finish(id);
};

describe('the end of the agent', () => {
  test('gives back what is not finished, so that another device gets it now', async () => {
    const { agent, id } = await world.running();
    await agent.stop();
    expect(declined()).toEqual([[id, 'stopped']]);
    expect(world.stateOf(id)).toBe('dropped');
    expect(world.workspace.open.size).toBe(0);
  });

  test('gives it back even while the engine hangs', async () => {
    const { agent, id } = await world.running();
    Object.assign(world.containers, { list: () => new Promise(() => undefined) });
    agent.wake();
    await world.clock.advance(100);
    const stopped = agent.stop();
    await world.clock.advance(0);
    expect(declined()).toEqual([[id, 'stopped']]);
    await world.clock.advance(6_000);
    await stopped;
  });

  test('keeps what the coordinator cannot be told of: the next start goes on with it', async () => {
    const { agent, id } = await world.running();
    world.network.become(false);
    await agent.stop();
    expect(world.stateOf(id)).toBe('held');
    world.network.become(true);
    const next = await world.start();
    await world.until(() => world.containers.started.length === 2 && world.containers.fed(), 'started again');
    finishAll();
    await world.until(() => world.stateOf(id) === 'credited', 'credited');
    expect(declined()).toEqual([]);
    await next.stop();
  });

  test('never gives back what is finished', async () => {
    world.network.automaticVerdicts = false;
    const { agent, id } = await world.running();
    finishAll();
    await world.until(() => world.stateOf(id) === 'finished', 'finished');
    await agent.stop();
    expect(declined()).toEqual([]);
    expect(world.stateOf(id)).toBe('finished');
  });

  test('nor a result that waits for room on the disk', async () => {
    const { agent, id } = await world.running();
    world.disk.full = true;
    finishAll();
    const problems = () => agent.snapshot().problems.map(({ kind }) => kind);
    await world.until(() => problems().includes('ledger-unwritable'), 'the disk is full');
    const stopped = agent.stop();
    await world.clock.advance(6_000);
    await stopped;
    expect(declined()).toEqual([]);
    expect(world.stateOf(id)).toBe('held');
  });
});
