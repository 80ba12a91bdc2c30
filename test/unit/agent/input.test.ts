import { appendFile, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Agent } from '../../../agent/api.ts';
import { holds } from '../../../agent/job-io.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { sha256 } from '../../fakes/network.ts';
import { World } from '../../fakes/world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
const until = (condition: () => boolean, what: string) => world.until(condition, what);

/** A lease whose container was given back because its owner came back, and which waits here for them to go. */
async function waiting(): Promise<{ readonly agent: Agent; readonly id: Hex32 }> {
  world.containers.automatic = false;
  const agent = await world.ready();
  const id = world.issue();
  await until(() => agent.snapshot().running[0]?.phase === 'running' && world.containers.fed(), 'running');
  world.sensors.idle = 0;
  await world.clock.advance(595_000);
  await until(() => world.containers.jobs().length === 0, 'memory given back');
  await until(() => agent.snapshot().running.length === 0, 'no runner');
  expect(world.stateOf(id)).toBe('held');
  return { agent, id };
}

function leave(): void {
  world.containers.automatic = true;
  world.sensors.idle = 3_600_000;
}

describe('a lease that starts again', () => {
  test('has its input already, and nothing but its input', async () => {
    const { agent, id } = await waiting();
    expect(await readdir(world.workspace.of(id))).toEqual(['input']);
    leave();
    await until(() => world.stateOf(id) === 'credited', 'done after all');
    expect(world.network.downloads).toHaveLength(1);
    await until(() => world.workspace.open.size === 0, 'no file left');
    await agent.stop();
  });

  test.each([
    ['is another', (path: string) => writeFile(path, 'Some input')],
    ['has grown', (path: string) => appendFile(path, '!')],
    ['has gone', (path: string) => rm(path)],
  ])('fetches an input that %s once more', async (_what, spoil) => {
    const { agent, id } = await waiting();
    await spoil(join(world.workspace.of(id), 'input'));
    leave();
    await until(() => world.stateOf(id) === 'credited', 'done after all');
    expect(world.network.downloads).toHaveLength(2);
    await agent.stop();
  });

  // /dev/full: the kernel's own file that has no room.
  test.runIf(process.platform === 'linux')('gives a full disk its input back, and fetches it once more', async () => {
    const { agent, id } = await waiting();
    await symlink('/dev/full', join(world.workspace.of(id), 'output'));
    leave();
    await until(() => world.stateOf(id) === 'credited', 'done after all');
    expect(world.logged).toContainEqual(
      expect.objectContaining({ event: 'job-ended-early', fields: expect.objectContaining({ code: 'DISK_FULL' }) }),
    );
    expect(world.network.downloads).toHaveLength(2);
    await agent.stop();
  });

  test('leaves no file behind when it is cancelled while it waits', async () => {
    const { agent, id } = await waiting();
    world.network.tell({ type: 'cancel', leaseId: id, reason: 'consumer' });
    await until(() => world.stateOf(id) === 'dropped', 'dropped');
    await until(() => world.workspace.open.size === 0, 'no file left');
    await agent.stop();
  });

  test('that nobody could be told of goes on with its files after the next start', async () => {
    const { agent, id } = await waiting();
    world.network.become(false);
    await agent.stop();
    expect(world.stateOf(id)).toBe('held');
    expect(await readdir(world.workspace.path)).toEqual([id.slice(2)]);
    world.network.become(true);
    const next = await world.start();
    leave();
    await until(() => world.stateOf(id) === 'credited', 'done after all');
    expect(world.network.downloads).toHaveLength(1);
    await next.stop();
  });
});

describe('a file is taken for an input', () => {
  test('only as the very bytes it is known by', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'idlemesh-input-'));
    const path = join(folder, 'input');
    const wanted = { sha256: sha256(Buffer.from('abc')), bytes: 3 };
    expect(await holds(path, wanted)).toBe(false);
    await writeFile(path, 'abd');
    expect(await holds(path, wanted)).toBe(false);
    await writeFile(path, 'abc');
    expect(await holds(path, wanted)).toBe(true);
    expect(await holds(path, { ...wanted, bytes: 4 })).toBe(false);
    expect(await holds(folder, wanted)).toBe(false);
    await rm(folder, { recursive: true });
  });
});
