import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createShaper } from '../../../agent/shaper.ts';
import { flowOf, GIB, NO_USAGE, totalSince, withBytes } from '../../../core/traffic.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeTrafficStore, trafficOf } from '../../fakes/traffic.ts';
import { World } from '../../fakes/world.ts';

const MIB = 1024 * 1024;

/** Streams that each want as much as they can get; answers what each has had. */
function greedy(shaper: ReturnType<typeof createShaper>, sizes: readonly number[]) {
  const had = sizes.map(() => 0);
  const over = new AbortController();
  sizes.forEach((size, at) => {
    const pass = shaper.stream();
    void (async () => {
      for (;;) {
        await pass(size, over.signal);
        had[at] = (had[at] ?? 0) + size;
      }
    })().catch(() => undefined);
  });
  return { had, stop: () => over.abort() };
}

describe('a shaper', () => {
  test('keeps to its rate, over any time', async () => {
    const clock = new FakeClock();
    const shaper = createShaper(clock);
    shaper.limit(flowOf(8));
    const { had, stop } = greedy(shaper, [65_536]);
    await clock.advance(10_000);
    stop();
    const [bytes = 0] = had;
    expect(bytes).toBeGreaterThan(9_700_000);
    expect(bytes).toBeLessThanOrEqual(10_000_000 + 100_000);
  });

  test('gives streams that want as much the same, whatever the size of their pieces', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1_000, max: 200_000 }), { minLength: 2, maxLength: 6 }),
        async (sizes) => {
          const clock = new FakeClock();
          const shaper = createShaper(clock);
          shaper.limit(flowOf(16));
          const { had, stop } = greedy(shaper, sizes);
          await clock.advance(4_000);
          stop();
          const whole = had.map((bytes, at) => bytes + (sizes[at] ?? 0));
          // To within one chunk of each and one piece of the shaper.
          expect(Math.min(...whole) + 32_768).toBeGreaterThanOrEqual(Math.max(...had) - 32_768);
        },
      ),
      { numRuns: 25, examples: [[[1_000, 32_769]], [[1_000, 200_000, 1_000]]] },
    );
  });

  test('a stream that comes later has no claim to the past', async () => {
    const clock = new FakeClock();
    const shaper = createShaper(clock);
    shaper.limit(flowOf(8));
    const first = greedy(shaper, [32_768]);
    await clock.advance(5_000);
    const before = first.had[0] ?? 0;
    const second = greedy(shaper, [32_768]);
    await clock.advance(4_000);
    first.stop();
    second.stop();
    expect(((first.had[0] ?? 0) - before) / (second.had[0] ?? 1)).toBeGreaterThan(0.9);
  });

  test('a new rate acts at once on what waits, and no rate lets it all go', async () => {
    const clock = new FakeClock();
    const shaper = createShaper(clock);
    shaper.limit(flowOf(1));
    const pass = shaper.stream();
    let done = 0;
    const transfer = (async () => {
      for (; done < 10 * MIB; done += MIB) await pass(MIB);
    })();
    await clock.advance(2_000);
    expect(done).toBe(0);
    shaper.limit(flowOf(80));
    await clock.advance(500);
    expect(done).toBeGreaterThan(3 * MIB);
    shaper.limit(flowOf(null));
    await transfer;
    expect(done).toBe(10 * MIB);
    expect(clock.pending()).toBe(0);
  });

  test('what passed beside it is waited for', async () => {
    const clock = new FakeClock();
    const shaper = createShaper(clock);
    shaper.limit(flowOf(8));
    shaper.charge(2_100_000);
    let passed = false;
    void shaper
      .stream()(1_000)
      .then(() => {
        passed = true;
      });
    await clock.advance(1_900);
    expect(passed).toBe(false);
    await clock.advance(400);
    expect(passed).toBe(true);
  });

  test('what is cancelled waits no longer', async () => {
    const clock = new FakeClock();
    const shaper = createShaper(clock);
    shaper.limit(flowOf(1));
    const over = new AbortController();
    const waiting = shaper.stream()(10 * MIB, over.signal);
    over.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('the meter', () => {
  test('has on disk a second later what has passed, and goes on from there', async () => {
    const clock = new FakeClock();
    const store = new FakeTrafficStore();
    const traffic = trafficOf(clock, store);
    await traffic.load();
    const pass = traffic.passage('cpu');
    await pass('in', 1_000);
    traffic.add('session', 'out', 50);
    await clock.advance(1_000);
    expect(totalSince(store.usage ?? NO_USAGE, '')).toEqual({ in: 1_000, out: 50 });
    // As `kill -9` leaves it: what came after the last write is lost.
    await pass('in', 7);
    const next = trafficOf(clock, store);
    next.add('session', 'in', 3);
    await next.load();
    expect(next.view(1)).toMatchObject({ monthBytesIn: 1_003, monthBytesOut: 50 });
    await next.close();
    expect(store.usage?.days.map(({ carriers }) => carriers.session)).toEqual([{ in: 3, out: 50 }]);
    await traffic.close();
    expect(clock.pending()).toBe(0);
  });

  test('tells the rate of now, which goes to nothing when nothing passes', async () => {
    const clock = new FakeClock();
    const traffic = trafficOf(clock);
    let told = 0;
    traffic.onChange(() => {
      told += 1;
    });
    for (let second = 0; second < 5; second++) {
      traffic.add('cpu', 'out', 5_000);
      await clock.advance(1_000);
    }
    expect(traffic.view(1).outPerSecond).toBe(5_000);
    expect(told).toBe(5);
    await clock.advance(10_000);
    expect(traffic.view(1).outPerSecond).toBe(0);
    expect(told).toBeLessThan(12);
    expect(clock.pending()).toBe(0);
  });

  test('a disk that takes nothing is tried again, and said once', async () => {
    const clock = new FakeClock();
    const store = new FakeTrafficStore();
    let full = true;
    const save = store.save;
    store.save = async (usage) => (full ? Promise.reject(new Error('no space')) : save(usage));
    const traffic = trafficOf(clock, store);
    traffic.add('cpu', 'in', 9);
    await clock.advance(5_000);
    full = false;
    await clock.advance(1_500);
    expect(totalSince(store.usage ?? NO_USAGE, '').in).toBe(9);
    await traffic.close();
  });
});

test('who comes back has the line at once, and the owner’s slider acts on a transfer in progress', async () => {
  const world = new World();
  const agent = await world.start();
  await world.until(() => agent.snapshot().presence === 'sharing', 'it shares');
  let sent = 0;
  const pass = world.meter.passage('cpu');
  const over = new AbortController();
  void (async () => {
    for (;;) {
      await pass('out', 10_000, over.signal);
      sent += 10_000;
    }
  })().catch(() => undefined);
  const inASecond = async (): Promise<number> => {
    const before = sent;
    await world.clock.advance(1_000);
    return sent - before;
  };
  await inASecond();
  expect(await inASecond()).toBeGreaterThan(2_300_000);
  world.sensors.idle = 0;
  await world.until(() => agent.snapshot().presence === 'waiting', 'somebody is back');
  await inASecond();
  expect(await inASecond()).toBeLessThan(200_000);
  await agent.commands.updateSettings({ limits: { network: { busyUpMbps: 8 } } });
  const faster = await inASecond();
  expect(faster).toBeGreaterThan(700_000);
  expect(faster).toBeLessThan(1_300_000);
  over.abort();
  await agent.stop();
});

test('days are told apart, with what was kept at the end of each, and are there again after a restart', async () => {
  const clock = new FakeClock();
  const store = new FakeTrafficStore();
  const traffic = trafficOf(clock, store);
  await traffic.load();
  traffic.add('bandwidth', 'out', 700);
  traffic.stored(5_000);
  await clock.advance(24 * 3_600_000);
  traffic.add('bandwidth', 'out', 20);
  traffic.add('storage', 'in', 3);
  traffic.stored(6_000);
  await clock.advance(1_000);
  await traffic.close();
  const next = trafficOf(clock, store);
  await next.load();
  const days = next.days(3).map(({ carriers, stored }) => [carriers.bandwidth.out, carriers.storage.in, stored]);
  expect(days).toEqual([
    [0, 0, null],
    [700, 0, 5_000],
    [20, 3, 6_000],
  ]);
  await next.close();
  expect(clock.pending()).toBe(0);
});

test('the owner says where what others keep lies, sees what passed by day, and what is lent', async () => {
  const world = new World();
  const agent = await world.start();
  expect(await agent.commands.useFolder('/media/large')).toEqual({ ok: true, value: null });
  expect(await agent.commands.useFolder('not/absolute')).toMatchObject({ ok: false, failure: { code: 'BAD_INPUT' } });
  expect(agent.snapshot().settings.limits.storage.folder).toBe('/media/large');
  await agent.commands.updateSettings({ limits: { storage: { lendGiB: 7 }, network: { resetDay: 9 } } });
  const { storage, traffic } = agent.snapshot();
  // This build has nothing that could keep anything.
  expect(storage).toMatchObject({ state: 'off', lentBytes: 7 * GIB, usedBytes: 'unknown', score: null });
  expect(new Date((traffic?.resetsAt ?? 0) + world.clock.utcOffsetMinutes() * 60_000).getUTCDate()).toBe(9);
  world.meter.add('storage', 'in', 300);
  const days = await agent.commands.dailyTraffic({ days: 2 });
  expect(days.ok && days.value.map(({ carriers }) => carriers.storage.in)).toEqual([0, 300]);
  await agent.stop();
});

describe('the month’s data', () => {
  test('when it is used up: nothing new begins, and what is in hand is finished and delivered', async () => {
    const world = World.held();
    const { agent, id } = await world.running();
    await agent.commands.updateSettings({ limits: { network: { monthlyCapGiB: 1 } } });
    expect(agent.snapshot().traffic).toMatchObject({ capBytes: GIB });
    world.meter.add('cpu', 'in', GIB - 1024);
    await world.clock.advance(2_000);
    expect(agent.snapshot().running[0]?.phase).toBe('running');
    world.containers.finish(world.containers.jobs()[0]?.id ?? '');
    await world.until(() => world.stateOf(id) === 'credited', 'credited');
    const held = agent.snapshot().lanes.find(({ lane }) => lane === 'cpu')?.decision;
    expect(held).toMatchObject({ kind: 'hold', reason: { kind: 'data-cap', capBytes: GIB } });
    expect(world.network.slots).toBe(0);
    await agent.commands.updateSettings({ limits: { network: { monthlyCapGiB: null } } });
    await world.until(() => agent.snapshot().presence === 'sharing', 'it goes on');
    await agent.stop();
  });

  test('begins anew with the month', async () => {
    const world = new World();
    // The clock of the world stands in the middle of January: its zone is far enough in the east for half past eleven on the 31st.
    world.clock.offset = 16 * 24 * 60 + 11.5 * 60;
    world.traffic.usage = withBytes(NO_USAGE, '2026-01-20', 'cpu', 'in', 2 * GIB);
    const agent = await world.start();
    await agent.commands.updateSettings({ limits: { network: { monthlyCapGiB: 2 } } });
    await world.until(() => agent.snapshot().reason?.kind === 'data-cap', 'held');
    await world.clock.advance(25 * 60_000);
    expect(agent.snapshot().reason?.kind).toBe('data-cap');
    await world.clock.advance(7 * 60_000);
    expect(agent.snapshot().presence).toBe('sharing');
    await agent.stop();
  });
});
