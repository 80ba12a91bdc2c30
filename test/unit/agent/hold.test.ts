import { Readable } from 'node:stream';
import { beforeEach, describe, expect, test } from 'vitest';
import { linesOf } from '../../../agent/adapters/docker-stream.ts';
import { fail } from '../../../core/errors.ts';
import { LABEL } from '../../../core/sandbox.ts';
import { World } from '../../fakes/world.ts';

let world: World;
beforeEach(() => {
  world = World.held();
});

describe('work that must hold ends when it cannot be frozen', () => {
  test('because the engine refuses to freeze', async () => {
    const { agent, id } = await world.running();
    world.containers.freeze = async () => fail('REFUSED', 'the engine refused: the freezer is not available');
    world.sensors.idle = 0;
    await world.clock.advance(200);
    expect(world.containers.jobs()).toEqual([]);
    expect(world.stateOf(id)).toBe('held');
    await agent.stop();
  });

  test('because the ledger cannot be read and no decision is possible', async () => {
    const { agent } = await world.running();
    world.unreadable = true;
    world.sensors.idle = 0;
    await world.clock.advance(1_500);
    expect(world.containers.jobs()).toEqual([]);
    world.unreadable = false;
    await agent.stop();
  });
});

test('the return of the owner is not kept waiting by slow gauges', async () => {
  let asked = false;
  const read = (): Promise<boolean> => {
    asked = true;
    return new Promise((resolve) => world.clock.after(2_000, () => resolve(false)));
  };
  const slow = { name: 'slow', read, timeoutMs: 3_000, every: { rest: 5_000, ready: 5_000, watch: 5_000 } };
  Object.assign(world.sensors.sources, { onBattery: [slow] });
  const { agent } = await world.running();
  asked = false;
  await world.until(() => asked, 'the gauge is read again');
  world.sensors.idle = 0;
  await world.clock.advance(150);
  expect(world.containers.jobs()[0]?.state).toBe('paused');
  await agent.stop();
});

describe('a removal that takes long', () => {
  /** Removals wait until told. */
  function slowly(): { readonly asked: string[]; readonly go: () => void } {
    const { remove } = world.containers;
    const asked: string[] = [];
    const waiting: (() => void)[] = [];
    world.containers.remove = async (id) => {
      asked.push(id);
      await new Promise<void>((resolve) => waiting.push(resolve));
      return remove(id);
    };
    const go = () => {
      world.containers.remove = remove;
      for (const resolve of waiting) resolve();
    };
    return { asked, go };
  }
  const orphan = async (lease: string) => {
    const entry = world.containers.started[0];
    if (entry === undefined) throw new Error('nothing has started');
    await world.containers.run({ ...entry, Labels: { ...entry.Labels, [LABEL.lease]: lease } });
  };

  test('does not keep a freeze waiting', async () => {
    const { agent } = await world.running();
    const { asked, go } = slowly();
    await orphan(`0x${'5'.repeat(64)}`);
    await world.until(() => asked.length === 1, 'the orphan is being removed');
    world.sensors.idle = 0;
    await world.clock.advance(150);
    expect(world.containers.jobs()[0]?.state).toBe('paused');
    expect(asked).toHaveLength(1);
    go();
    await world.until(() => world.containers.jobs().length === 1, 'removed');
    await agent.stop();
  });

  test('keeps its lease from being started a second time meanwhile', async () => {
    const { id } = await world.running();
    world = world.kill();
    const { asked, go } = slowly();
    const agent = await world.start();
    await world.until(() => asked.length === 1 && agent.snapshot().reason === null, 'the orphan is being removed');
    await world.clock.advance(20_000);
    expect(world.containers.started).toHaveLength(1);
    expect(asked).toHaveLength(1);
    go();
    await world.until(() => world.containers.started.length === 2, 'started again');
    expect(world.stateOf(id)).toBe('held');
    await agent.stop();
  });
});

test.each<[string, (never: () => Promise<never>) => void]>([
  ['removes nothing', (never) => Object.assign(world.containers, { remove: never })],
  ['lists nothing', (never) => Object.assign(world.containers, { list: never })],
])('an engine that hangs and %s does not keep the agent from ending', async (_name, hang) => {
  const { agent } = await world.running();
  hang(() => new Promise(() => undefined));
  agent.wake();
  await world.clock.advance(100);
  let ended = false;
  const stopped = agent.stop().then(() => {
    ended = true;
  });
  await world.until(() => ended, 'ended', 6_000);
  await stopped;
  expect(world.disk.open).toBe(0);
  expect(world.containers.closed).toBe(true);
});

test('a settings file that breaks does not make the device leave its network', async () => {
  await world.settings.update((settings) => ({ ...settings, coordinatorUrl: 'http://192.0.2.1:7350' }));
  const { agent } = await world.running();
  world.settings.breakFile('limits.cpuPercent: too big');
  await world.until(() => agent.snapshot().problems.some((problem) => problem.kind === 'settings-broken'), 'shown');
  await world.clock.advance(1_000);
  expect(world.network.links()).toBe(1);
  expect(world.network.enrolled).toBe(1);
  expect(world.containers.jobs()[0]?.state).toBe('paused');
  await agent.stop();
});

test('a slider moved while a container is being started counts', async () => {
  const agent = await world.ready();
  const run = world.containers.run;
  let start = (): void => undefined;
  world.containers.run = async (spec) => {
    await new Promise<void>((resolve) => {
      start = resolve;
    });
    return run(spec);
  };
  const asked: boolean[] = [];
  const hasImage = world.containers.hasImage;
  world.containers.hasImage = (image) => {
    asked.push(true);
    return hasImage(image);
  };
  world.issue();
  await world.until(() => asked.length > 0, 'about to start');
  await world.clock.advance(200);
  await agent.commands.updateSettings({ limits: { cpuPercent: 10 } });
  await world.clock.advance(200);
  start();
  await world.until(() => world.containers.cores()[0] === 0.4, 'the limit holds', 5_000);
  await agent.stop();
});

test('limits that the engine refuses end the container: it starts again within them', async () => {
  const { agent, id } = await world.running();
  world.containers.setLimits = async () => fail('REFUSED', 'the engine refused: device or resource busy');
  await agent.commands.updateSettings({ limits: { memoryMiB: 512 } });
  await world.until(() => world.containers.started.length === 2, 'started again');
  expect(world.containers.jobs()[0]?.limits.Memory).toBe(512 * 1024 * 1024);
  expect(world.stateOf(id)).toBe('held');
  await agent.stop();
});

describe('images', () => {
  test('are looked for again after a look that failed', async () => {
    const hasImage = world.containers.hasImage;
    let failures = 1;
    world.containers.hasImage = (image) =>
      failures-- > 0 ? Promise.reject(new Error('socket hang up')) : hasImage(image);
    const agent = await world.start();
    await world.until(() => world.network.slots === 1, 'asks for work');
    await agent.stop();
  });

  test('are looked for again when one that was there is gone', async () => {
    const agent = await world.ready();
    const images = [...world.containers.images];
    world.containers.images.clear();
    world.issue();
    await world.until(() => world.network.declines.length === 1, 'declined');
    await world.until(() => agent.snapshot().reason?.kind === 'lane-not-offered', 'not offered any more');
    expect(world.network.slots).toBe(0);
    for (const image of images) world.containers.images.add(image);
    await world.until(() => world.network.slots === 1, 'offered again');
    await agent.stop();
  });
});

test.each([
  ['in one line', 'x'.repeat(64 * 1024)],
  ['in many lines', '{"progress":0.1}\n'.repeat(4096)],
])('a job that talks without end %s is cut off', async (_name, talk) => {
  const stream = Readable.from(
    (function* () {
      for (;;) yield Buffer.from(talk);
    })(),
  );
  let taken = 0;
  const listening = (async () => {
    for await (const line of linesOf(stream)) {
      taken += line.length;
      if (taken > 8 * 1024 * 1024) return;
    }
  })();
  await expect(listening).rejects.toMatchObject({ code: 'WORKLOAD_FAILED' });
});
