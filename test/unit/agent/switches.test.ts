import { beforeEach, describe, expect, test } from 'vitest';
import { createSwitchBook } from '../../../agent/switches.ts';
import type { SwitchEntry } from '../../../core/ipc.ts';
import { World } from '../../fakes/world.ts';

const MINUTE = 60_000;
type State = SwitchEntry['to'];

let world: World;
beforeEach(() => {
  world = new World();
});
/** Oldest first. */
const written = () => world.history.entries.toReversed();
const kinds = () => written().map(({ to }) => (to === 'run' ? to : to.kind));
const unsure: State = { kind: 'idle-unknown' };
const inUse: State = { kind: 'in-use', resumesAt: 0 };

describe('the history of switches', () => {
  /** One lane, as the book is told of it. */
  function lane() {
    const book = createSwitchBook(world.ports());
    let state: State = 'run';
    const turn = (to: State): void => {
      book.add([{ at: world.clock.now(), lane: 'cpu', gpu: null, from: state, to }]);
      state = to;
    };
    return { book, turn };
  }

  test('tells of every switch at an ordinary pace', async () => {
    const { book, turn } = lane();
    for (let time = 0; time < 40; time++) {
      turn(inUse);
      turn('run');
      await world.clock.advance(MINUTE);
    }
    book.close();
    expect(written()).toHaveLength(80);
    expect(written().every(({ from, to }) => from !== to)).toBe(true);
  });

  test('is not drowned by what flaps: few are written, each follows from the one before, and the last is what holds', async () => {
    const { book, turn } = lane();
    for (let time = 0; time < 6_000; time++) {
      turn(unsure);
      await world.clock.advance(50);
      turn(time === 5_999 ? inUse : 'run');
      await world.clock.advance(50);
    }
    expect(written().length).toBeLessThan(50);
    await world.clock.advance(MINUTE);
    expect(kinds().at(-1)).toBe('in-use');
    const all = written();
    expect(all.map(({ from }) => from)).toEqual(['run', ...all.slice(0, -1).map(({ to }) => to)]);
    expect(world.clock.pending()).toBe(0);
    book.close();
  });

  test('says at its end what still waits', async () => {
    const { book, turn } = lane();
    for (let time = 0; time < 20; time++) {
      turn(unsure);
      turn('run');
    }
    turn(inUse);
    expect(kinds().at(-1)).not.toBe('in-use');
    book.close();
    expect(kinds().at(-1)).toBe('in-use');
    expect(world.clock.pending()).toBe(0);
  });
});

test('a sensor that cannot make up its mind fills no history', async () => {
  world = World.held();
  const { agent } = await world.running();
  let asked = 0;
  const flap = async () => (asked++ % 2 === 0 ? ('unknown' as const) : 3_600_000);
  Object.assign(world.sensors.sources.idle[0] ?? {}, { idleMs: flap });
  await world.clock.advance(10 * MINUTE);
  expect(asked).toBeGreaterThan(100);
  expect(written().length).toBeLessThan(50);
  await agent.stop();
});
