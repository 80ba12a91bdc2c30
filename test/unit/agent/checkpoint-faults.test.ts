import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Agent } from '../../../agent/api.ts';
import { checkpointsIn, forsake } from '../../../agent/checkpoints.ts';
import { fail } from '../../../core/errors.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { ENTRY, World } from '../../fakes/world.ts';

let world: World;
beforeEach(() => {
  world = World.held();
  world.entry = { ...ENTRY, checkpoint: true };
});
const until = (condition: () => boolean, what: string) => world.until(condition, what);
const container = (): string => world.containers.jobs()[0]?.id ?? 'none';
const given = (): string => `${world.containers.checkpointsOf(container())}`;

async function runs(agent: Agent, start: number): Promise<void> {
  const ready = () => world.containers.started.length === start && world.containers.fed();
  await until(() => ready() && agent.snapshot().running[0]?.phase === 'running', `start ${start}`);
}

/** A job that has handed out one checkpoint, which is kept. */
async function underWay(): Promise<{ readonly agent: Agent; readonly id: Hex32 }> {
  const { agent, id } = await world.running();
  world.containers.put(container(), '{"frame":"checkpoint","bytes":3}\none');
  await until(() => readFileSync(checkpointsIn(world.workspace.of(id)), 'utf8').includes('"sha256"'), 'kept');
  return { agent, id };
}

/** Its owner comes back for longer than work may rest in memory, and goes. */
async function ended(agent: Agent, start: number): Promise<void> {
  world.sensors.idle = 0;
  await world.clock.advance(595_000);
  await until(() => world.containers.jobs().length === 0 && agent.snapshot().running.length === 0, 'given back');
  world.sensors.idle = 3_600_000;
  await runs(agent, start);
  expect(given()).toContain('one');
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
    const { agent, id } = await underWay();
    await ended(agent, 2);
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
    const { agent, id } = await underWay();
    await ended(agent, 2);
    world.network.blobs.set = () => fail('REFUSED', 'not wanted any more');
    world.containers.finish(container());
    await until(() => world.stateOf(id) === 'dropped' || world.containers.started.length === 3, 'ended');
    expect(world.containers.started).toHaveLength(2);
    await agent.stop();
  });

  test('and is killed from outside goes on from them, however often its owner came back before', async () => {
    const { agent } = await underWay();
    await ended(agent, 2);
    await ended(agent, 3);
    world.containers.end(container(), 137);
    await runs(agent, 4);
    expect(world.network.declines).toEqual([]);
    expect(given()).toContain('one');
    await agent.stop();
  });
});
