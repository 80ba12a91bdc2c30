import { beforeEach, describe, expect, test } from 'vitest';
import type { Agent } from '../../../agent/api.ts';
import { World } from '../../fakes/world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});

const problems = (agent: Agent): readonly string[] => agent.snapshot().problems.map((problem) => problem.kind);
const until = (condition: () => boolean, what: string, limit?: number) => world.until(condition, what, limit);

describe('a fault is shown with its reason, work waits, and all goes on when the cause goes', () => {
  async function recovers(agent: Agent): Promise<void> {
    await until(() => agent.snapshot().problems.length === 0, 'no problem left');
    const id = world.issue('after the fault');
    await until(() => world.stateOf(id) === 'credited', 'work goes on');
    expect([...world.network.credits.values()].every((count) => count === 1)).toBe(true);
    await agent.stop();
  }

  test('no engine at start', async () => {
    world.containers.state = { kind: 'absent', detail: 'connect ENOENT' };
    const agent = await world.start();
    await until(() => problems(agent).includes('engine-absent'), 'shown');
    expect(agent.snapshot()).toMatchObject({ presence: 'attention', reason: { kind: 'engine-absent' } });
    world.containers.become({ kind: 'ready', version: '1' });
    await until(() => world.network.slots === 1, 'asks for work');
    await recovers(agent);
  });

  test('an engine that this user may not use', async () => {
    world.containers.state = { kind: 'forbidden', detail: 'connect EACCES /var/run/docker.sock' };
    const agent = await world.start();
    await until(() => problems(agent).includes('engine-forbidden'), 'shown');
    expect(agent.snapshot()).toMatchObject({ presence: 'attention', reason: { kind: 'engine-forbidden' } });
    world.containers.state = { kind: 'ready', version: '2' };
    await until(() => world.network.slots === 1, 'found again by back-off');
    await recovers(agent);
  });

  test('an engine that is unfit', async () => {
    world.containers.state = { kind: 'unfit', why: { kind: 'no-limit', of: 'memory' } };
    const agent = await world.start();
    await until(() => agent.snapshot().reason?.kind === 'engine-unfit', 'shown');
    world.containers.state = { kind: 'ready', version: '2' };
    await until(() => world.network.slots === 1, 'found again by back-off');
    await recovers(agent);
  });

  test('the engine goes away in the middle of a job', async () => {
    world.containers.automatic = false;
    const agent = await world.ready();
    const id = world.issue();
    await until(() => world.containers.jobs().length === 1 && world.containers.fed(), 'running');
    world.containers.become({ kind: 'absent', detail: 'stopped' });
    await until(() => problems(agent).includes('engine-absent'), 'shown');
    expect(world.stateOf(id)).toBe('held');
    world.containers.automatic = true;
    world.containers.become({ kind: 'ready', version: '1' });
    await until(() => world.stateOf(id) === 'credited', 'done after all');
    expect(world.network.declines).toEqual([]);
    await recovers(agent);
  });

  test('an image that is missing: not offered until it is there', async () => {
    const images = [...world.containers.images];
    world.containers.images.clear();
    const agent = await world.start();
    await until(() => agent.snapshot().reason?.kind === 'lane-not-offered', 'shown');
    for (const image of images) world.containers.images.add(image);
    await until(() => world.network.slots === 1, 'asks for work');
    await recovers(agent);
  });

  test('the coordinator is away at start', async () => {
    world.network.up = false;
    const agent = await world.start();
    await until(() => problems(agent).includes('coordinator-away'), 'shown');
    expect(agent.snapshot().reason).toEqual({ kind: 'coordinator-away' });
    world.network.become(true);
    await until(() => world.network.slots === 1, 'connected');
    await recovers(agent);
  });

  test('the network comes back with its chain at another address', async () => {
    const agent = await world.ready();
    await until(() => agent.snapshot().wallet?.balance === 0n, 'balance known');
    world.network.become(false);
    await until(() => problems(agent).includes('coordinator-away'), 'shown');
    world.network.info.rpcUrl = 'http://127.0.0.1:2';
    world.chain.at = 'http://127.0.0.1:2';
    world.network.become(true);
    await until(() => agent.snapshot().wallet?.balance === 0n && problems(agent).length === 0, 'balance known again');
    await recovers(agent);
  });

  test('the coordinator goes away in the middle of a job: the result waits and is sent once it is back', async () => {
    world.containers.automatic = false;
    const agent = await world.ready();
    const id = world.issue();
    await until(() => world.containers.jobs().length === 1 && world.containers.fed(), 'running');
    world.network.become(false);
    world.containers.finish(world.containers.jobs()[0]?.id ?? '');
    await until(() => problems(agent).includes('coordinator-away'), 'shown');
    await world.clock.advance(60_000);
    expect(world.stateOf(id)).toBe('held');
    world.containers.automatic = true;
    world.network.become(true);
    await until(() => world.stateOf(id) === 'credited', 'credited');
    expect(world.containers.started).toHaveLength(1);
    await recovers(agent);
  });

  test('a coordinator that refuses the device', async () => {
    world.network.refusal = 'this owner is not welcome';
    const agent = await world.start();
    await until(() => problems(agent).includes('coordinator-refused'), 'shown');
    expect(agent.snapshot().coordinator).toEqual({ kind: 'refused', detail: 'this owner is not welcome' });
    world.network.refusal = null;
    await until(() => world.network.slots === 1, 'asked again');
    await recovers(agent);
  });

  test('the chain is away', async () => {
    world.chain.up = false;
    const agent = await world.start();
    await until(() => problems(agent).includes('chain-away'), 'shown');
    expect(agent.snapshot().wallet).toMatchObject({ balance: 'unknown', claimable: 'unknown' });
    expect(agent.snapshot().presence).toBe('sharing');
    world.chain.up = true;
    await until(() => agent.snapshot().wallet?.balance === 0n, 'balance known');
    await recovers(agent);
  });

  test('the chain goes away while nothing happens', async () => {
    const agent = await world.ready();
    await until(() => agent.snapshot().wallet?.balance === 0n, 'balance known');
    world.chain.up = false;
    await world.clock.advance(31_000);
    await until(() => problems(agent).includes('chain-away'), 'shown');
    world.chain.up = true;
    await until(() => agent.snapshot().wallet?.balance === 0n, 'balance known again');
    await recovers(agent);
  });

  test('the disk is full when a result is to be kept: nothing is sent before it is on disk', async () => {
    world.containers.automatic = false;
    const agent = await world.ready();
    const id = world.issue();
    await until(() => world.containers.jobs().length === 1 && world.containers.fed(), 'running');
    world.disk.full = true;
    world.containers.finish(world.containers.jobs()[0]?.id ?? '');
    await until(() => problems(agent).includes('ledger-unwritable'), 'shown');
    expect(agent.snapshot().reason).toEqual({ kind: 'ledger-unwritable' });
    await world.clock.advance(30_000);
    expect(world.network.results.size).toBe(0);
    world.containers.automatic = true;
    world.disk.full = false;
    await until(() => world.stateOf(id) === 'credited', 'credited');
    await recovers(agent);
  });

  test('the disk is full when a verdict, a report and a receipt arrive: each is kept once there is room', async () => {
    world.network.automaticVerdicts = false;
    const agent = await world.ready();
    const id = world.issue();
    await until(() => world.stateOf(id) === 'finished', 'finished');
    world.disk.full = true;
    world.network.accept(id);
    await until(() => problems(agent).includes('ledger-unwritable'), 'shown');
    await world.clock.advance(10_000);
    expect(world.network.reports.size).toBe(0);
    world.disk.full = false;
    world.network.automaticVerdicts = true;
    await until(() => world.stateOf(id) === 'credited', 'credited');
    await recovers(agent);
  });

  test('the disk is full at start', async () => {
    world.disk.full = true;
    const agent = await world.start();
    await until(() => problems(agent).includes('ledger-unwritable'), 'shown');
    world.disk.full = false;
    await until(() => world.network.slots === 1, 'connected after all');
    await recovers(agent);
  });

  test('little disk is left', async () => {
    world.sensors.disk = 1024;
    const agent = await world.start();
    await until(() => problems(agent).includes('disk-low'), 'shown');
    world.sensors.disk = 100 * 1024 ** 3;
    await until(() => world.network.slots === 1, 'asks for work');
    await recovers(agent);
  });

  test('the settings file is broken by hand and repaired', async () => {
    const agent = await world.ready();
    const good = agent.snapshot().settings;
    world.settings.breakFile('limits.cpuPercent: too big');
    await until(() => problems(agent).includes('settings-broken'), 'shown');
    await until(() => world.network.slots === 0, 'nothing more is asked for');
    expect(await agent.commands.shareMode('now')).toMatchObject({ ok: false, failure: { code: 'SETTINGS_BROKEN' } });
    world.settings.repairFile(good);
    await until(() => world.network.slots === 1, 'asks for work');
    await recovers(agent);
  });

  test('the settings cannot be saved: a pause holds all the same, and says so', async () => {
    const agent = await world.ready();
    world.settings.unwritable = true;
    expect(await agent.commands.pause('resumed')).toMatchObject({ ok: false, failure: { code: 'DISK_FULL' } });
    await until(() => agent.snapshot().presence === 'paused', 'paused');
    await until(() => world.network.slots === 0, 'nothing more is asked for');
    expect(await agent.commands.shareMode('now')).toMatchObject({ ok: false });
    await until(() => agent.snapshot().presence === 'sharing', 'shares');
    world.settings.unwritable = false;
    await recovers(agent);
  });

  test('the vault is locked', async () => {
    world.vault.locked = true;
    const agent = await world.start();
    await until(() => problems(agent).includes('vault-unreadable'), 'shown');
    world.vault.locked = false;
    await until(() => world.network.slots === 1, 'connected');
    await recovers(agent);
  });
});
