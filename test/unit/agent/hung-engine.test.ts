import { beforeEach, describe, expect, test } from 'vitest';
import type { Agent } from '../../../agent/api.ts';
import { fail } from '../../../core/errors.ts';
import { ENTRY, World } from '../../fakes/world.ts';

let world: World;
beforeEach(() => {
  world = World.held();
  world.entry = { ...ENTRY, control: true };
});

const never = <T>(): Promise<T> => new Promise(() => undefined);
/** What the work has been told since its input. */
const told = () => world.containers.jobs().map(({ input }) => Buffer.from(input.at(-1) ?? []).toString());
/** The engine answers nothing any more. */
const hang = () => Object.assign(world.containers, { freeze: never, thaw: never, remove: never, list: never });

/** An agent with one job that listens at its door. */
async function running(): ReturnType<World['running']> {
  const job = await world.running();
  await world.clock.advance(1_000);
  return job;
}

async function ends(agent: Agent): Promise<void> {
  let over = false;
  const stopped = agent.stop().then(() => {
    over = true;
  });
  await world.until(() => over, 'ended', 6_000);
  await stopped;
}

describe('an engine that hangs does not keep work running', () => {
  test('when a round fails: it is told to stop at once, and a second later its door is closed', async () => {
    const { agent, id } = await running();
    hang();
    world.unreadable = true;
    world.sensors.idle = 0;
    await world.clock.advance(100);
    expect(told()).toEqual(['stop\n']);
    expect(world.containers.shuts).toEqual([]);
    await world.clock.advance(1_000);
    expect(world.containers.shuts).toHaveLength(1);
    world.unreadable = false;
    expect(world.stateOf(id)).toBe('held');
    await ends(agent);
  });

  test('when the device leaves its network', async () => {
    const { agent } = await running();
    hang();
    await world.settings.update((settings) => ({ ...settings, coordinatorUrl: 'http://192.0.2.1:7350' }));
    await world.clock.advance(100);
    expect(told()).toEqual(['stop\n']);
    await world.clock.advance(1_000);
    expect(world.containers.shuts).toHaveLength(1);
    await ends(agent);
  });

  test('when the network takes its lease back', async () => {
    const { agent, id } = await running();
    hang();
    world.network.tell({ type: 'cancel', leaseId: id, reason: 'another one was quicker' });
    await world.clock.advance(100);
    expect(told()).toEqual(['stop\n']);
    await world.clock.advance(1_000);
    expect(world.containers.shuts).toHaveLength(1);
    await ends(agent);
  });

  test('when the agent ends, though a round still waits for it', async () => {
    const { agent } = await running();
    hang();
    agent.wake();
    await world.clock.advance(100);
    const ending = ends(agent);
    await world.clock.advance(100);
    expect(told()).toEqual(['stop\n']);
    await world.clock.advance(1_000);
    expect(world.containers.shuts).toHaveLength(1);
    await ending;
  });

  test('when its container comes up after all was ended', async () => {
    const agent = await world.ready();
    const run = world.containers.run;
    let go = (): void => undefined;
    let asked = false;
    world.containers.run = async (spec) => {
      asked = true;
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      return run(spec);
    };
    world.issue();
    await world.until(() => asked, 'the container is being started');
    world.unreadable = true;
    agent.wake();
    await world.clock.advance(100);
    hang();
    go();
    await world.clock.advance(1_200);
    expect(world.containers.shuts).toHaveLength(1);
    world.unreadable = false;
    await ends(agent);
  });
});

describe('an engine that hangs does not hold up the rounds', () => {
  /** An agent with one job that is frozen, and room for another. */
  async function frozen(): Promise<Agent> {
    const agent = await world.start({ slots: { cpu: 2 } });
    await world.until(() => world.network.slots === 2, 'asks for work');
    world.issue();
    await world.until(() => agent.snapshot().running[0]?.phase === 'running' && world.containers.fed(), 'runs');
    world.sensors.idle = 0;
    await world.until(() => world.containers.jobs()[0]?.state === 'paused', 'frozen');
    return agent;
  }
  const started = () => world.containers.started.length;

  test('when it does not thaw: it is asked once, and other work begins', async () => {
    const agent = await frozen();
    let asked = 0;
    let go = (): void => undefined;
    const thaw = world.containers.thaw;
    world.containers.thaw = async (id) => {
      asked += 1;
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      await thaw(id);
    };
    world.sensors.idle = 3_600_000;
    await world.until(() => asked === 1, 'it is being thawed');
    world.issue('another');
    await world.until(() => started() === 2, 'the other one begins', 1_000);
    await world.clock.advance(5_000);
    expect(asked).toBe(1);
    go();
    await world.until(() => agent.snapshot().running.every(({ phase }) => phase === 'running'), 'both run', 1_000);
    await agent.stop();
  });

  test('when it does not list what it runs: it is asked once, and all goes on when it answers', async () => {
    const agent = await frozen();
    const list = world.containers.list;
    let asked = 0;
    let go = (): void => undefined;
    world.containers.list = async (device) => {
      asked += 1;
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      return list(device);
    };
    world.sensors.idle = 3_600_000;
    await world.until(() => asked === 1, 'it is asked');
    await world.until(() => world.network.slots === 1, 'asks for more work', 4_000);
    world.issue('another');
    await world.until(() => started() === 2, 'the other one begins', 1_000);
    await world.clock.advance(10_000);
    expect(asked).toBe(1);
    expect(world.containers.calls).not.toContain('thaw');
    world.containers.list = list;
    go();
    await world.until(() => agent.snapshot().running.every(({ phase }) => phase === 'running'), 'both run', 1_000);
    await agent.stop();
  });
});

test('a thaw that the engine carries out without saying so leaves no work stopped', async () => {
  const { agent } = await running();
  const { thaw } = world.containers;
  world.sensors.idle = 0;
  await world.until(() => agent.snapshot().running[0]?.phase === 'frozen', 'frozen');
  let lost = 0;
  world.containers.thaw = async (id) => {
    await thaw(id);
    lost += 1;
    if (lost === 1) fail('ENGINE_AWAY', 'the connection was lost');
  };
  world.sensors.idle = 3_600_000;
  await world.until(() => lost > 0, 'thawed without a word', 120_000);
  await world.until(() => agent.snapshot().running[0]?.phase === 'running', 'running', 120_000);
  expect(told().at(-1)).toBe('thaw\n');
  await agent.stop();
});
