import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Gauge, type Person } from '../../fakes/sources.ts';
import { SensesStage } from '../../support/senses.ts';

const MINUTE = 60_000;

let stage: SensesStage;
beforeEach(() => {
  stage = new SensesStage();
});
afterEach(() => stage.close());

describe('somebody who comes back', () => {
  test('is noticed within 50 ms by asking, while work runs', async () => {
    const person = stage.person(10 * MINUTE);
    const hub = stage.open({ idle: [person] });
    await stage.attend('watch');
    expect(hub.read().idleMs).toBeGreaterThanOrEqual(10 * MINUTE);
    await stage.clock.advance(1_000);
    stage.told = [];
    person.inputAt = stage.clock.now();
    await stage.clock.advance(55);
    expect(stage.told).toEqual(['idle']);
    expect(hub.read().idleMs).toBeLessThan(100);
  });

  test('is told of in the same turn where the system tells, and nothing is asked meanwhile', async () => {
    const person = stage.tellingPerson(10 * MINUTE);
    const hub = stage.open({ idle: [person] });
    await stage.attend('watch');
    const asked = person.asked;
    await stage.clock.advance(MINUTE);
    expect(person.asked - asked).toBeLessThan(10);
    expect(hub.read().idleMs).toBeGreaterThanOrEqual(11 * MINUTE);
    stage.told = [];
    person.touch();
    expect(stage.told).toEqual(['idle']);
    expect(hub.read().idleMs).toBe(0);
    await stage.clock.advance(9_000);
    expect(hub.read().idleMs).toBeLessThan(10_000);
    await stage.clock.advance(4 * MINUTE);
    expect(hub.read().idleMs).toBeGreaterThan(3 * MINUTE);
    expect(person.listeners.size).toBe(1);
  });

  test('is noticed though the promise to tell was lost', async () => {
    const person = stage.tellingPerson(10 * MINUTE);
    const hub = stage.open({ idle: [person] });
    await stage.attend('watch');
    person.listeners.clear();
    await stage.clock.advance(MINUTE);
    person.inputAt = stage.clock.now();
    await stage.clock.advance(10_000);
    expect(hub.read().idleMs).toBeLessThanOrEqual(10_000);
  });

  test.each<[string, (listener: () => void) => () => void]>([
    [
      'cannot promise',
      () => {
        throw new Error('no such signal');
      },
    ],
    [
      'tells before it has promised',
      (listener) => {
        listener();
        return () => undefined;
      },
    ],
  ])('is noticed where a source %s', async (_what, onReturn) => {
    const person = Object.assign(stage.person(10 * MINUTE), { onReturn });
    const hub = stage.open({ idle: [person] });
    await stage.attend('watch');
    await stage.clock.advance(MINUTE);
    person.inputAt = stage.clock.now();
    await stage.clock.advance(10_100);
    expect(hub.read().idleMs).toBeLessThan(10_200);
  });

  test('counts from whichever source saw it last, and a source in doubt puts all in doubt', async () => {
    const [here, afar] = [stage.person(10 * MINUTE), stage.person(30 * MINUTE)];
    const hub = stage.open({ idle: [here, afar] });
    await stage.attend('watch');
    afar.inputAt = stage.clock.now();
    await stage.clock.advance(100);
    expect(hub.read().idleMs).toBeLessThan(200);
    afar.idleMs = () => Promise.reject(new Error('gone'));
    await stage.clock.advance(11_000);
    expect(hub.read().idleMs).toBe('unknown');
  });
});

describe('a source of idle time that does not measure', () => {
  test('because it says 0 for ever becomes unknown, and never idle', async () => {
    const stuck = { name: 'stuck', timeoutMs: 500, idleMs: async () => 0 };
    const hub = stage.open({ idle: [stuck, stage.person(60 * MINUTE)] });
    await stage.attend('ready');
    expect(hub.read().idleMs).toBe(0);
    for (let minute = 0; minute < 60; minute++) {
      await stage.clock.advance(MINUTE);
      const { idleMs } = hub.read();
      expect(idleMs === 'unknown' || Number(idleMs) <= 10_000, `after ${minute} minutes: ${idleMs}`).toBe(true);
    }
    expect(hub.read().idleMs).toBe('unknown');
    expect(hub.views().find(({ sensor }) => sensor === 'idle')).toMatchObject({ state: 'unknown' });
  });

  test('because it grows for ever while the screen is unlocked again and again becomes unknown, until it measures', async () => {
    const blind = stage.person(60 * MINUTE);
    const screen = new Gauge<boolean>(async () => false);
    const hub = stage.open({ idle: [blind], locked: [screen] });
    await stage.attend('ready');
    for (let time = 0; time < 3; time++) {
      for (const locked of [true, false]) {
        screen.answer = async () => locked;
        screen.cry?.();
        await stage.clock.advance(MINUTE);
      }
    }
    expect(hub.read().idleMs).toBe('unknown');
    expect(stage.log).toHaveBeenCalledWith('warn', 'idle-source-blind', { source: 'person' });
    await stage.clock.advance(10 * MINUTE);
    expect(hub.read().idleMs).toBe('unknown');
    blind.inputAt = stage.clock.now();
    await stage.clock.advance(MINUTE);
    expect(hub.read().idleMs).toEqual(expect.any(Number));
  });

  test('is not suspected where somebody unlocks the screen by typing', async () => {
    const person = stage.person(60 * MINUTE);
    const screen = new Gauge<boolean>(async () => false);
    const hub = stage.open({ idle: [person], locked: [screen] });
    await stage.attend('ready');
    for (let time = 0; time < 6; time++) {
      for (const locked of [true, false]) {
        if (!locked) person.inputAt = stage.clock.now();
        screen.answer = async () => locked;
        screen.cry?.();
        await stage.clock.advance(5 * MINUTE);
      }
    }
    expect(hub.read().idleMs).toEqual(expect.any(Number));
  });
});

describe('after a rest the idle time is read anew', () => {
  /** Answers what was so when it was asked, when told. */
  function slowly() {
    const person = stage.person(10 * MINUTE);
    const { idleMs } = person;
    const waiting: (() => void)[] = [];
    person.idleMs = async () => {
      const seen = await idleMs();
      await new Promise<void>((resolve) => waiting.push(resolve));
      return seen;
    };
    const answer = () => {
      for (const resolve of waiting.splice(0)) resolve();
    };
    return { person, idleMs, waiting, answer };
  }
  /** Somebody was away, and the next question whether they still are is open. */
  async function askedAgain() {
    const { person, waiting, answer } = slowly();
    const hub = stage.open({ idle: [person] });
    const first = stage.attend('watch');
    await stage.clock.advance(10);
    answer();
    await first;
    await stage.clock.advance(60);
    expect(waiting).toHaveLength(1);
    return { person, hub, waiting, answer };
  }
  /** Looks again after a rest that somebody used to come back; `during`: what happens while the answer is waited for. */
  async function backFromRest(person: Person, during: () => Promise<void>): Promise<void> {
    await stage.attend('rest');
    person.inputAt = stage.clock.now();
    const looked = stage.attend('watch');
    await during();
    await looked;
  }

  test('though a question from before it is still open: its answer is of before', async () => {
    const { person, hub, waiting, answer } = await askedAgain();
    await backFromRest(person, async () => {
      answer();
      await stage.clock.advance(10);
      expect(waiting).toHaveLength(1);
      answer();
    });
    expect(hub.read().idleMs).toBeLessThan(1_000);
  });

  test('and is unknown while no answer comes', async () => {
    const { person, hub, answer } = await askedAgain();
    await backFromRest(person, async () => {
      await stage.clock.advance(300);
      answer();
    });
    expect(hub.read().idleMs).toBe('unknown');
    answer();
    await stage.clock.advance(0);
  });
});

test('an answer that comes long after its time is not believed: who came back meanwhile is not in it', async () => {
  const person = stage.person(10 * MINUTE);
  const hub = stage.open({ idle: [person] });
  await stage.attend('watch');
  const { idleMs } = person;
  let answer = (_idle: number): void => undefined;
  person.idleMs = () =>
    new Promise((resolve) => {
      answer = resolve;
    });
  await stage.clock.advance(1_000);
  expect(hub.read().idleMs).toBe('unknown');
  person.inputAt = stage.clock.now();
  await stage.clock.advance(20_000);
  person.idleMs = idleMs;
  answer(10 * MINUTE);
  await stage.clock.advance(10);
  expect(hub.read().idleMs).toBe('unknown');
  await stage.clock.advance(2_100);
  expect(hub.read().idleMs).toBeLessThan(25_000);
});
