import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Agent } from '../../../agent/api.ts';
import { checkpointsIn, forsake } from '../../../agent/checkpoints.ts';
import { fail } from '../../../core/errors.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import type { World } from '../../fakes/world.ts';
import { checkpointWorld, keptText, onlyContainer } from '../../support/checkpoint-stage.ts';

let world: World;
beforeEach(() => {
  world = checkpointWorld();
});
const until = (condition: () => boolean, what: string) => world.until(condition, what);

const container = (): string => onlyContainer(world);
/** The bodies of the checkpoints that the job was given. */
const given = (): readonly string[] =>
  [...`${world.containers.checkpointsOf(container())}`.matchAll(/\n(\w*)/g)].map((match) => match[1] ?? '');
const runs = (agent: Agent) =>
  until(() => agent.snapshot().running[0]?.phase === 'running' && world.containers.fed(), 'running');

/** The job hands out a checkpoint, and it is kept. */
async function hands(agent: Agent, id: Hex32, body: string, progress: number): Promise<void> {
  world.containers.say(container(), JSON.stringify({ progress }));
  await until(() => agent.snapshot().running[0]?.progress === progress, 'progress');
  world.containers.put(container(), `{"frame":"checkpoint","bytes":${body.length}}\n${body}`);
  await until(() => keptText(world, id).includes(`"progress":${progress}`), 'kept');
}

/** A job with two checkpoints. */
async function underWay(): Promise<{ readonly agent: Agent; readonly id: Hex32 }> {
  const { agent, id } = await world.running();
  expect(given()).toEqual([]);
  await hands(agent, id, 'one', 0.25);
  await hands(agent, id, 'two', 0.5);
  return { agent, id };
}

/** Its owner comes back for longer than work may rest in memory, and goes. */
async function ended(agent: Agent): Promise<void> {
  world.sensors.idle = 0;
  await world.clock.advance(595_000);
  await until(() => world.containers.jobs().length === 0 && agent.snapshot().running.length === 0, 'given back');
  world.sensors.idle = 3_600_000;
  await runs(agent);
}

describe('work that hands out checkpoints', () => {
  test('goes on from them when it was ended for its owner, and from the new ones after that', async () => {
    const { agent, id } = await underWay();
    world.containers.put(container(), '{"frame":"checkpoint","bytes":9}\ntorn');
    await ended(agent);
    expect(given()).toEqual(['one', 'two']);
    expect(agent.snapshot().running[0]?.progress).toBe(0.5);
    await hands(agent, id, 'three', 0.75);
    await ended(agent);
    expect(given()).toEqual(['one', 'two', 'three']);
    world.containers.finish(container());
    await until(() => world.stateOf(id) === 'credited', 'credited');
    await until(() => world.workspace.open.size === 0, 'no file left');
    expect(world.network.downloads).toHaveLength(1);
    await agent.stop();
  });

  test('goes on from them after kill -9', async () => {
    const { id } = await underWay();
    world = world.kill();
    world.containers.automatic = false;
    const agent = await world.start();
    await runs(agent);
    expect(given()).toEqual(['one', 'two']);
    expect(world.network.downloads).toHaveLength(1);
    world.containers.finish(container());
    await until(() => world.stateOf(id) === 'credited', 'credited');
    await agent.stop();
  });

  test('that fails with them gets one try without', async () => {
    const { agent, id } = await underWay();
    await ended(agent);
    world.containers.end(container(), 1);
    await until(() => world.containers.started.length === 3 && world.containers.fed(), 'from scratch');
    await runs(agent);
    expect(given()).toEqual([]);
    expect(agent.snapshot().running[0]?.progress).toBe(0);
    expect(world.network.declines).toEqual([]);
    await hands(agent, id, 'again', 0.25);
    await ended(agent);
    expect(given()).toEqual(['again']);
    world.containers.end(container(), 1);
    await until(() => world.stateOf(id) === 'dropped', 'dropped');
    expect(world.network.declines).toMatchObject([{ reason: 'failed' }]);
    await until(() => world.workspace.open.size === 0, 'no file left');
    await agent.stop();
  });

  test('that fails without them fails at once', async () => {
    const { agent, id } = await world.running();
    await hands(agent, id, 'one', 0.25);
    world.containers.end(container(), 1);
    await until(() => world.stateOf(id) === 'dropped', 'dropped');
    expect(world.containers.started).toHaveLength(1);
    await agent.stop();
  });

  test.each([
    ['is not in frames', 'just bytes\n', 'not in frames'],
    ['is two results', '{"frame":"output","bytes":1}\nx{"frame":"output","bytes":1}\ny', 'more than one result'],
    ['is larger than it may be', `{"frame":"output","bytes":2000000}\n${'x'.repeat(2_000_000)}`, 'larger than'],
    ['hands out too large checkpoints', '{"frame":"checkpoint","bytes":3000000}\n', 'checkpoints are larger'],
  ])('and whose output %s is declined', async (_what, bytes, why) => {
    const { agent, id } = await world.running();
    world.containers.put(container(), bytes);
    await until(() => world.stateOf(id) === 'dropped', 'dropped');
    expect(world.network.declines[0]?.detail).toContain(why);
    await agent.stop();
  });

  test('and says that it is done without a result is declined', async () => {
    const { agent, id } = await world.running();
    world.containers.put(container(), '{"frame":"output","bytes":5}\nhalf');
    world.containers.say(container(), '{"done":true}');
    world.containers.end(container(), 0);
    await until(() => world.stateOf(id) === 'dropped', 'dropped');
    expect(world.network.declines[0]?.detail).toContain('without a result');
    await agent.stop();
  });
});

test('files of what is not in work any more go when the books are open, and those of other things with them', async () => {
  const { id } = await underWay();
  world = world.kill();
  const gone: Hex32 = `0x${'a'.repeat(64)}`;
  await writeFile(join(await world.workspace.create(gone), 'input'), 'old');
  await writeFile(join(world.workspace.path, 'stray'), 'x');
  const agent = await world.start();
  await runs(agent);
  // Nothing waits for them to go.
  await until(() => readdirSync(world.workspace.path).length === 1, 'swept');
  expect(await readdir(world.workspace.path)).toEqual([id.slice(2)]);
  await agent.stop();
});

async function runsAgain(agent: Agent, start: number): Promise<void> {
  const ready = () => world.containers.started.length === start && world.containers.fed();
  await until(() => ready() && agent.snapshot().running[0]?.phase === 'running', `start ${start}`);
}

/** A job that has handed out one checkpoint, which is kept. */
async function withOne(): Promise<{ readonly agent: Agent; readonly id: Hex32 }> {
  const { agent, id } = await world.running();
  world.containers.put(container(), '{"frame":"checkpoint","bytes":3}\none');
  await until(() => keptText(world, id).includes('"sha256"'), 'kept');
  return { agent, id };
}

/** Its owner comes back for longer than work may rest in memory, and goes. */
async function endedOnce(agent: Agent, start: number): Promise<void> {
  world.sensors.idle = 0;
  await world.clock.advance(595_000);
  await until(() => world.containers.jobs().length === 0 && agent.snapshot().running.length === 0, 'given back');
  world.sensors.idle = 3_600_000;
  await runsAgain(agent, start);
  expect(given()).toEqual(['one']);
}

/** Puts in the place of a file what can neither be opened as one nor be removed as one. */
async function obstruct(path: string): Promise<void> {
  await rm(path, { force: true });
  await mkdir(path);
  await writeFile(join(path, 'in-the-way'), 'x');
}

describe('checkpoints that the disk fails', () => {
  test('when they are opened cost a job its checkpoints, not its life', async () => {
    const agent = await world.ready();
    const { create } = world.workspace;
    world.workspace.create = async (leaseId) => {
      const folder = await create(leaseId);
      await mkdir(checkpointsIn(folder), { recursive: true });
      return folder;
    };
    const id = world.issue();
    await until(
      () => world.containers.started.length > 0 && (world.containers.fed() || world.stateOf(id) === 'dropped'),
      'begun',
    );
    world.containers.finish(container());
    await until(() => ['credited', 'dropped'].includes(world.stateOf(id)), 'ended');
    expect(world.network.declines).toEqual([]);
    expect(world.stateOf(id)).toBe('credited');
    await agent.stop();
  });

  test('when they are to be taken away end the lease; it does not stay in work for ever', async () => {
    const { agent, id } = await withOne();
    await endedOnce(agent, 2);
    await obstruct(checkpointsIn(world.workspace.of(id)));
    world.containers.end(container(), 1);
    await until(() => world.containers.started.length === 3 || world.stateOf(id) === 'dropped', 'again, or given up');
    await agent.stop();
  });

  test('when they are to be taken away leave the one try without them', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'idlemesh-checkpoints-'));
    await obstruct(checkpointsIn(folder));
    await forsake(folder).catch(() => undefined);
    const left = existsSync(checkpointsIn(folder));
    expect(existsSync(join(folder, 'from-scratch'))).toBe(!left);
    await rm(folder, { recursive: true });
  });
});

describe('work that has gone on from checkpoints', () => {
  test('is not done all over again because its result is refused', async () => {
    const { agent, id } = await withOne();
    await endedOnce(agent, 2);
    world.network.blobs.set = () => fail('REFUSED', 'not wanted any more');
    world.containers.finish(container());
    await until(() => world.stateOf(id) === 'dropped' || world.containers.started.length === 3, 'ended');
    expect(world.containers.started).toHaveLength(2);
    await agent.stop();
  });

  test('and is killed from outside goes on from them, however often its owner came back before', async () => {
    const { agent } = await withOne();
    await endedOnce(agent, 2);
    await endedOnce(agent, 3);
    world.containers.end(container(), 137);
    await runsAgain(agent, 4);
    expect(world.network.declines).toEqual([]);
    expect(given()).toEqual(['one']);
    await agent.stop();
  });
});

test('a network that is left by mistake finds the files of its leases still there', async () => {
  const { agent, id } = await underWay();
  world.network.become(false);
  await world.settings.update((settings) => ({ ...settings, coordinatorUrl: 'http://192.0.2.1:7350' }));
  agent.wake();
  await until(() => agent.snapshot().running.length === 0, 'left');
  await world.clock.advance(5_000);
  expect((await readdir(world.workspace.of(id))).toSorted()).toEqual(['checkpoints', 'input']);
  await agent.stop();
});
