import { beforeEach, describe, expect, test } from 'vitest';
import type { Lease } from '../../../core/wire.ts';
import { World } from '../../fakes/world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});

const until = (condition: () => boolean, what: string, limit?: number) => world.until(condition, what, limit);

describe('one job', () => {
  test('is fetched, run, uploaded, reported and credited, and leaves nothing behind', async () => {
    const agent = await world.ready();
    const id = world.issue();
    await until(() => world.stateOf(id) === 'credited', 'credited');
    const { earnings, running } = agent.snapshot();
    expect(earnings).toMatchObject({ credited: 12n, today: 12n, verifying: 0n, jobsToday: 1 });
    expect(running).toEqual([]);
    expect([...world.network.credits.values()]).toEqual([1]);
    await until(() => world.containers.jobs().length === 0, 'no container left');
    await until(() => world.workspace.open.size === 0, 'no file left');
    await agent.stop();
    expect(world.clock.pending()).toBe(0);
    expect(world.disk.open).toBe(0);
    expect(world.containers.listeners()).toBe(0);
    expect(world.settings.listeners()).toBe(0);
    expect(world.network.links()).toBe(0);
  });

  test('shows its progress and price while it runs', async () => {
    world.containers.automatic = false;
    const agent = await world.ready();
    const id = world.issue();
    await until(() => world.containers.jobs().length === 1 && world.containers.fed(), 'running');
    const [job] = world.containers.jobs();
    world.containers.say(job?.id ?? '', '{"progress":0.42}');
    await until(() => agent.snapshot().running[0]?.progress === 0.42, 'progress shown');
    expect(agent.snapshot().running[0]).toMatchObject({
      leaseId: id,
      phase: 'running',
      price: 12n,
      workload: 'transcode',
    });
    expect(agent.snapshot().presence).toBe('sharing');
    await agent.stop();
    expect(world.containers.jobs()).toEqual([]);
    expect(world.stateOf(id)).toBe('dropped');
  });

  test('that fails is declined with the reason it gave, and the device goes on', async () => {
    world.containers.automatic = false;
    const agent = await world.ready();
    const id = world.issue();
    await until(() => world.containers.jobs().length === 1 && world.containers.fed(), 'running');
    const container = world.containers.jobs()[0]?.id ?? '';
    world.containers.say(container, '{"error":"not a video"}');
    world.containers.end(container, 1);
    await until(() => world.stateOf(id) === 'dropped', 'dropped');
    expect(world.network.declines).toMatchObject([{ leaseId: id, reason: 'failed', detail: 'not a video' }]);
    world.containers.automatic = true;
    const next = world.issue('another');
    await until(() => world.stateOf(next) === 'credited', 'the next is credited');
    await agent.stop();
  });

  test.each([
    ['exceeds its time', (w: World) => w.clock.advance(61_000), '60 s'],
    ['runs out of memory', async (w: World) => w.containers.end(w.containers.jobs()[0]?.id ?? '', 0, true), 'memory'],
    [
      'exits without a result',
      async (w: World) => w.containers.end(w.containers.jobs()[0]?.id ?? '', 0),
      'exit code 0',
    ],
  ])('that %s is declined', async (_name, happen, detail) => {
    world.containers.automatic = false;
    const agent = await world.ready();
    const id = world.issue();
    await until(() => world.containers.jobs().length === 1 && world.containers.fed(), 'running');
    await happen(world);
    await until(() => world.stateOf(id) === 'dropped', 'dropped');
    expect(world.network.declines[0]?.detail).toContain(detail);
    await agent.stop();
  });

  test('frozen time does not count against its limit', async () => {
    world.containers.automatic = false;
    const agent = await world.ready();
    const id = world.issue();
    await until(() => agent.snapshot().running[0]?.phase === 'running', 'running');
    await world.clock.advance(40_000);
    world.sensors.idle = 0;
    await until(() => agent.snapshot().running[0]?.phase === 'frozen', 'frozen');
    await world.clock.advance(100_000);
    world.sensors.idle = 3_600_000;
    await until(() => agent.snapshot().running[0]?.phase === 'running', 'thawed');
    await world.clock.advance(10_000);
    world.containers.finish(world.containers.jobs()[0]?.id ?? '');
    await until(() => world.stateOf(id) === 'credited', 'credited');
    await agent.stop();
  });

  test.each<[string, Partial<Lease>, string]>([
    ['an unknown workload', { workload: 'mine' }, 'unknown-workload'],
    ['another version', { version: '9.9.9' }, 'unknown-workload'],
    ['another image', { image: `sha256:${'0'.repeat(64)}` }, 'unknown-workload'],
    ['a parameter that is not listed', { params: { height: '4320' } }, 'unknown-workload'],
    ['a parameter that is missing', { params: {} }, 'unknown-workload'],
    ['too much input', { inputBytes: 300 * 1024 * 1024 }, 'too-large'],
    ['a deadline that has passed', { deadline: 1 }, 'stopped'],
  ])('with %s is declined and never starts', async (_name, lease, reason) => {
    const agent = await world.ready();
    const id = world.issue('input', lease);
    await until(() => world.network.declines.length === 1, 'declined');
    expect(world.network.declines[0]).toMatchObject({ leaseId: id, reason });
    expect(world.stateOf(id)).toBe('none');
    expect(world.containers.started).toEqual([]);
    await agent.stop();
  });
});

describe('work that takes longer than its lease', () => {
  test('is given more time as long as it runs and the network grants it, and is dropped when it does not', async () => {
    world.containers.automatic = false;
    world.network.renewsBy = 10_000;
    const agent = await world.ready();
    const id = world.issue('input', { deadline: world.network.now() + 10_000 });
    await until(() => world.containers.jobs().length === 1 && world.containers.fed(), 'running');
    await world.clock.advance(45_000);
    expect(world.stateOf(id)).toBe('held');
    const asked = world.network.received.filter(({ type }) => type === 'renew');
    expect(asked.length).toBeGreaterThanOrEqual(8);
    expect(asked.length).toBeLessThanOrEqual(12);
    world.network.renewsBy = 0;
    await until(() => world.stateOf(id) === 'dropped', 'dropped at its deadline', 11_000);
    await agent.stop();
  });
});

describe('a clock that differs from the network’s', () => {
  const HOURS = 3_600_000;
  test.each([
    ['ahead', -5 * HOURS],
    ['behind', 5 * HOURS],
  ])('by hours (%s) makes no difference to a lease', async (_name, difference) => {
    world.network.now = () => world.clock.now() + difference;
    world.containers.automatic = false;
    const agent = await world.ready();
    const id = world.issue('input', { deadline: world.network.now() + 60_000 });
    await until(() => world.containers.jobs().length === 1 && world.containers.fed(), 'running');
    expect(world.network.declines).toEqual([]);
    await world.clock.advance(40_000);
    expect(world.stateOf(id)).toBe('held');
    await until(() => world.stateOf(id) === 'dropped', 'dropped at its deadline', 25_000);
    await agent.stop();
  });

  test('is asked again when it was set in the middle of a session', async () => {
    const agent = await world.ready();
    world.network.now = () => world.clock.now() - 5 * HOURS;
    world.issue('first');
    await until(() => world.network.declines.length === 1, 'declined');
    const id = world.issue('second');
    await until(() => world.stateOf(id) === 'credited', 'credited');
    expect(world.network.declines).toHaveLength(1);
    await agent.stop();
  });
});

describe('the owner', () => {
  test('returns: work is frozen within 150 ms, released after ten minutes, and starts again later', async () => {
    world.containers.automatic = false;
    const agent = await world.ready();
    const id = world.issue();
    await until(() => agent.snapshot().running[0]?.phase === 'running', 'running');
    world.sensors.idle = 0;
    await world.clock.advance(150);
    expect(world.containers.jobs()[0]?.state).toBe('paused');
    await until(() => agent.snapshot().reason?.kind === 'in-use', 'the reason is shown');
    await world.clock.advance(595_000);
    expect(world.containers.jobs()).toHaveLength(1);
    await until(() => world.containers.jobs().length === 0, 'memory given back');
    expect(world.stateOf(id)).toBe('held');
    world.sensors.idle = 3_600_000;
    world.containers.automatic = true;
    await until(() => world.stateOf(id) === 'credited', 'done after all');
    await agent.stop();
  });

  test('pauses and resumes', async () => {
    const agent = await world.ready();
    expect(await agent.commands.pause('hour')).toEqual({ ok: true, value: null });
    await until(() => agent.snapshot().presence === 'paused', 'paused');
    await until(() => world.network.slots === 0, 'nothing more is asked for');
    await world.clock.advance(3_601_000);
    await until(() => agent.snapshot().presence === 'sharing', 'the pause ends by itself');
    await agent.commands.pause('resumed');
    await until(() => agent.snapshot().presence === 'paused', 'paused again');
    await agent.commands.shareMode('now');
    await until(() => agent.snapshot().presence === 'sharing', 'share now ends a pause');
    await agent.stop();
  });

  test('moves a slider: the running container follows at once', async () => {
    world.containers.automatic = false;
    const agent = await world.ready();
    world.issue();
    await until(() => world.containers.jobs().length === 1 && world.containers.fed(), 'running');
    expect(world.containers.cores()).toEqual([2]);
    await agent.commands.updateSettings({ limits: { cpuPercent: 10, memoryMiB: 512 } });
    await until(() => world.containers.cores()[0] === 0.4, 'limits follow');
    expect(world.containers.jobs()[0]?.limits.Memory).toBe(512 * 1024 * 1024);
    expect(await agent.commands.updateSettings({ limits: { cpuPercent: 1000 } })).toMatchObject({ ok: false });
    await agent.stop();
  });

  test('sees pushed snapshots, coalesced, with growing revisions and none while nothing changes', async () => {
    const agent = await world.ready();
    const revs: number[] = [];
    const unsubscribe = agent.onSnapshot((snapshot) => revs.push(snapshot.rev));
    world.issue();
    await until(() => agent.snapshot().earnings.credited > 0n, 'credited');
    await world.clock.advance(10_000);
    expect(revs).toEqual([...new Set(revs)].sort((a, b) => a - b));
    const before = revs.length;
    await world.clock.advance(30_000);
    expect(revs.length).toBe(before);
    unsubscribe();
    await agent.stop();
  });
});
