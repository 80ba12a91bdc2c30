import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Process, Source } from '../../../agent/ports.ts';
import type { Sensed } from '../../../core/signals.ts';
import { Gauge } from '../../fakes/sources.ts';
import { SensesStage } from '../../support/senses.ts';

const MINUTE = 60_000;
const never = <T>(): Promise<Sensed<T>> => new Promise(() => undefined);

let stage: SensesStage;
beforeEach(() => {
  stage = new SensesStage();
});
afterEach(() => stage.close());

describe('a source', () => {
  test('that is not there is unavailable, and one that was not asked is unknown', () => {
    expect(stage.open({}).read()).toMatchObject({
      idleMs: 'unavailable',
      onBattery: 'unavailable',
      games: 'unavailable',
    });
    stage.close();
    expect(stage.open({ onBattery: [new Gauge(async () => false)] }).read().onBattery).toBe('unknown');
  });

  test('that hangs is unknown after its time, is not asked twice at once, and counts again when it answers', async () => {
    let answer = (_value: Sensed<boolean>): void => undefined;
    const gauge = new Gauge<boolean>(async () => false);
    const hub = stage.open({ onBattery: [gauge] });
    await stage.attend('watch');
    expect(hub.read().onBattery).toBe(false);
    gauge.answer = () => new Promise((resolve) => (answer = resolve));
    await stage.clock.advance(1_400);
    expect(hub.read().onBattery).toBe(false);
    await stage.clock.advance(200);
    expect(hub.read().onBattery).toBe('unknown');
    gauge.cry?.();
    await stage.clock.advance(5 * MINUTE);
    expect(gauge.mostAtOnce).toBe(1);
    gauge.answer = async () => true;
    answer(true);
    await stage.clock.advance(0);
    expect(hub.read().onBattery).toBe(true);
    expect(stage.told).toEqual(['power', 'power', 'power']);
  });

  test('that hangs from the beginning keeps nothing waiting but its own time', async () => {
    const hub = stage.open({
      onBattery: [new Gauge(never<boolean>)],
      freeDiskBytes: [new Gauge(async () => 5)],
      idle: [stage.person(MINUTE), { name: 'stuck', timeoutMs: 500, idleMs: never<number> }],
    });
    await stage.attend('ready', 600);
    expect(hub.read()).toMatchObject({ onBattery: 'unknown', freeDiskBytes: 5, idleMs: 'unknown' });
  });

  test.each<[string, () => Promise<Sensed<number>>]>([
    ['throws', () => Promise.reject(new Error('no such tool'))],
    [
      'throws before it begins',
      () => {
        throw new Error('no such tool');
      },
    ],
    ['answers NaN', async () => Number.NaN],
    ['answers Infinity', async () => Number.POSITIVE_INFINITY],
    ['answers less than nothing', async () => -1],
    ['answers a word', async () => JSON.parse('"much"')],
    ['answers null', async () => JSON.parse('null')],
    ['answers nothing', async () => JSON.parse('[]')[0]],
  ])('that %s is unknown, is asked less and less often, and counts again when it answers', async (_what, bad) => {
    const gauge = new Gauge<number>(bad);
    const person = { name: 'idle', timeoutMs: 500, idleMs: vi.fn(bad) };
    const hub = stage.open({ freeDiskBytes: [gauge], cpuByOthersPercent: [new Gauge(bad)], idle: [person] });
    await stage.attend('watch');
    expect(hub.read()).toMatchObject({ freeDiskBytes: 'unknown', cpuByOthersPercent: 'unknown', idleMs: 'unknown' });
    await stage.clock.advance(10 * MINUTE);
    expect(gauge.reads).toBeLessThan(30);
    expect(person.idleMs.mock.calls.length).toBeLessThan(400);
    expect(hub.read().idleMs).toBe('unknown');
    gauge.answer = async () => 7;
    person.idleMs.mockImplementation(async () => 4_000);
    await stage.clock.advance(31_000);
    expect(hub.read().freeDiskBytes).toBe(7);
    expect(hub.read().idleMs).toEqual(expect.any(Number));
  });

  test.each<[string, unknown]>([
    ['a list of nothing', [null]],
    ['a list without names', [{ pid: 1 }]],
    ['parents that are no list', [{ pid: 1, name: 'a', path: null, launchedBy: 'steam', launcherId: null }]],
    ['a path that is a number', [{ pid: 1, name: 'a', path: 7, launchedBy: [], launcherId: null }]],
  ])('that answers %s where programs are asked for is unknown', async (_what, garbage) => {
    const hub = stage.open({ processes: [new Gauge<readonly Process[]>(async () => garbage as readonly Process[])] });
    await stage.attend('watch');
    expect(hub.read().games).toBe('unknown');
    expect(hub.programs()).toEqual([]);
  });

  test('that cries without end is heard, and stops nothing', async () => {
    const gauge = new Gauge<boolean>(async () => false);
    gauge.answer = async () => {
      gauge.cry?.();
      return false;
    };
    const hub = stage.open({ onBattery: [gauge] });
    await stage.attend('watch');
    await stage.clock.advance(2_000);
    expect(hub.read().onBattery).toBe(false);
    expect(gauge.reads).toBeGreaterThan(10);
    expect(gauge.reads).toBeLessThan(200);
    expect(gauge.mostAtOnce).toBe(1);
  });

  test('that cannot tell of changes is read at its pace, and one that cannot be closed stays alone with that', async () => {
    const gauge = new Gauge<boolean>(async () => false);
    const broken: Source<boolean> = {
      ...{ name: 'broken', every: gauge.every, timeoutMs: 500, read: gauge.read },
      onChange: () => {
        throw new Error('no such signal');
      },
      close: () => {
        throw new Error('closed already');
      },
    };
    const hub = stage.open({ onBattery: [broken] });
    await stage.attend('watch');
    gauge.answer = async () => true;
    await stage.clock.advance(1_100);
    expect(hub.read().onBattery).toBe(true);
  });

  test('that tells of a change is read at once', async () => {
    const gauge = new Gauge<boolean>(async () => false);
    const hub = stage.open({ onBattery: [gauge] });
    await stage.attend('watch');
    gauge.answer = async () => true;
    gauge.cry?.();
    await stage.clock.advance(0);
    expect(hub.read().onBattery).toBe(true);
    expect(stage.told.at(-1)).toBe('power');
  });

  test('is not read while nothing depends on it, and is read anew before it counts again', async () => {
    const gauge = new Gauge<boolean>(async () => false);
    const person = stage.tellingPerson(MINUTE);
    const hub = stage.open({ onBattery: [gauge], idle: [person] });
    await stage.attend('watch');
    await stage.attend('rest');
    const before = [gauge.reads, person.asked];
    await stage.clock.advance(60 * MINUTE);
    expect([gauge.reads, person.asked]).toEqual(before);
    expect([gauge.cry, person.listeners.size]).toEqual([null, 0]);
    gauge.answer = async () => true;
    person.inputAt = stage.clock.now();
    await stage.attend('ready');
    expect(hub.read()).toMatchObject({ onBattery: true, idleMs: 0 });
  });

  test('in doubt shows among the sensors, and in the log', async () => {
    const gauge = new Gauge<boolean>(async () => false);
    const hub = stage.open({ onBattery: [gauge] });
    await stage.attend('watch');
    const power = () => hub.views().find(({ sensor }) => sensor === 'power');
    expect(power()).toEqual({ sensor: 'power', state: 'ok', sources: ['gauge'] });
    gauge.answer = () => Promise.reject(new Error('gone'));
    await stage.clock.advance(1_100);
    expect(power()).toMatchObject({ state: 'unknown' });
    expect(stage.log).toHaveBeenCalledWith('warn', 'sensor-silent', { sensor: 'power', source: 'gauge' });
    expect(hub.views().find(({ sensor }) => sensor === 'metered')).toMatchObject({ state: 'unavailable' });
  });
});

test('a locked screen and a full one are taken from whatever source says so', async () => {
  const [one, two] = [new Gauge<boolean>(async () => true), new Gauge<boolean>(async () => true)];
  const [none, game] = [
    new Gauge<{ readonly name: string } | null>(async () => null),
    new Gauge<{ readonly name: string } | null>(async () => ({ name: 'Big Window' })),
  ];
  const hub = stage.open({ locked: [one, two], fullscreen: [none, game] });
  await stage.attend('watch');
  expect(hub.read()).toMatchObject({ locked: true, fullscreen: { name: 'Big Window' } });
  two.answer = async () => false;
  two.cry?.();
  await stage.clock.advance(0);
  expect(hub.read().locked).toBe(false);
});
