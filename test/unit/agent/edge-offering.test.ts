import { expect, it } from 'vitest';
import type { EdgeDoor, EdgeUsage } from '../../../agent/edge/door.ts';
import { createEdgeOffering } from '../../../agent/edge/offering.ts';
import { fail } from '../../../core/errors.ts';
import type { EdgeOffer } from '../../../core/wire-content.ts';
import { FakeClock } from '../../fakes/clock.ts';

const MINUTE = 60_000;

function stage() {
  const clock = new FakeClock();
  const told: (EdgeOffer | null)[] = [];
  const state = { usedBytes: 0, budgetBytes: 1_000, serving: true, fails: false, session: true };
  const nothing = async () => fail('INTERNAL', 'not in this test');
  const usage = async (): Promise<EdgeUsage> => {
    if (state.fails) fail('WORKLOAD_FAILED', 'it is over');
    return { usedBytes: state.usedBytes, budgetBytes: state.budgetBytes, chunks: 0, evicted: 0, corrupt: 0 };
  };
  const door: EdgeDoor = { put: nothing, get: nothing, missing: nothing, remove: nothing, resize: nothing, usage };
  const offering = createEdgeOffering({
    clock,
    door: () => (state.serving ? door : null),
    tell(offer) {
      if (state.session) told.push(offer);
      return state.session;
    },
  });
  const after = async (ms: number) => {
    await clock.advance(ms);
    return told.splice(0);
  };
  return { clock, state, offering, after };
}

it('says what is lent when it changed enough, and every half hour', async () => {
  const { state, offering, after, clock } = stage();
  offering.joined();
  expect(await after(0)).toEqual([{ freeBytes: 1_000, usedBytes: 0 }]);
  state.usedBytes = 40;
  expect(await after(5 * MINUTE)).toEqual([]);
  state.usedBytes = 60;
  expect(await after(2 * MINUTE)).toEqual([{ freeBytes: 940, usedBytes: 60 }]);
  state.budgetBytes = 1_001;
  expect(await after(2 * MINUTE)).toEqual([{ freeBytes: 941, usedBytes: 60 }]);
  expect(await after(62 * MINUTE)).toHaveLength(2);
  offering.close();
  expect(await after(62 * MINUTE)).toEqual([]);
  expect(clock.pending()).toBe(0);
});

it('takes the offer back when nothing is served, or the service is over', async () => {
  const { state, offering, after } = stage();
  offering.joined();
  await after(0);
  state.fails = true;
  offering.changed();
  expect(await after(0)).toEqual([null]);
  state.fails = false;
  offering.changed();
  expect(await after(0)).toHaveLength(1);
  state.serving = false;
  offering.changed();
  offering.changed();
  expect(await after(10)).toEqual([null]);
  offering.close();
});

it('tells each session anew, and one that is away when it is back', async () => {
  const { state, offering, after } = stage();
  state.session = false;
  offering.joined();
  expect(await after(0)).toEqual([]);
  state.session = true;
  offering.joined();
  expect(await after(0)).toHaveLength(1);
  offering.joined();
  expect(await after(0)).toHaveLength(1);
  offering.close();
});
