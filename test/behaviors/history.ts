import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { History } from '../../agent/ports.ts';
import type { SwitchEntry } from '../../core/ipc.ts';
import type { UnixMs } from '../../core/primitives.ts';
import { NOON } from './leases.ts';

const DAY = 24 * 60 * 60_000;
type Entry = Omit<SwitchEntry, 'id'>;

/** The clock of whatever keeps the history. */
export type HistoryStorage = {
  readonly open: (now: () => UnixMs) => History;
  readonly clean: () => Promise<void>;
};

export const aSwitch = (change: Partial<Entry> = {}): Entry => ({
  ...{ at: NOON, lane: 'cpu', gpu: null, from: 'run', to: { kind: 'game', name: 'Some Game 2' } },
  ...change,
});

/** What every history must do; `open` gives a new one on the same storage. */
export function historyBehaviour(name: string, make: () => Promise<HistoryStorage>): void {
  describe(`history: ${name}`, () => {
    let storage: HistoryStorage;
    let history: History;
    let now: UnixMs;
    const add = (change: Partial<Entry>): void => {
      now = change.at ?? now;
      history.append(aSwitch({ at: now, ...change }));
    };
    beforeEach(async () => {
      now = NOON;
      storage = await make();
      history = storage.open(() => now);
    });
    afterEach(async () => {
      history.close();
      await storage.clean();
    });
    const ids = (before: number | null, limit = 200) => history.page({ before, limit }).entries.map(({ id }) => id);

    test('is empty at first', () => {
      expect(history.page({ before: null, limit: 10 })).toEqual({ entries: [], more: false });
    });
    test('tells what was appended, newest first, with every field', () => {
      const first = aSwitch({ lane: 'gpu', gpu: 'GPU-1', from: { kind: 'settling', after: 'game', resumesAt: NOON } });
      const second = aSwitch({ at: NOON + 1, from: { kind: 'paused', until: 'resumed' }, to: 'run' });
      history.append(first);
      history.append(second);
      const { entries } = history.page({ before: null, limit: 10 });
      expect(entries).toEqual([
        { ...second, id: expect.any(Number) },
        { ...first, id: expect.any(Number) },
      ]);
    });
    test('is paged by id, without gaps and without doubles, also when more comes meanwhile', () => {
      for (let count = 0; count < 7; count++) add({ at: NOON + count });
      const first = history.page({ before: null, limit: 3 });
      add({ at: NOON + 8 });
      const second = history.page({ before: first.entries.at(-1)?.id ?? null, limit: 3 });
      const third = history.page({ before: second.entries.at(-1)?.id ?? null, limit: 3 });
      expect([first.more, second.more, third.more]).toEqual([true, true, false]);
      const times = [...first.entries, ...second.entries, ...third.entries].map(({ at }) => at - NOON);
      expect(times).toEqual([6, 5, 4, 3, 2, 1, 0]);
      expect(history.page({ before: third.entries.at(-1)?.id ?? null, limit: 3 }).entries).toEqual([]);
    });
    test('says that there is no more exactly at the end', () => {
      for (let count = 0; count < 4; count++) add({});
      expect(history.page({ before: null, limit: 4 }).more).toBe(false);
      expect(history.page({ before: null, limit: 3 }).more).toBe(true);
    });
    test('survives a restart and goes on counting', () => {
      add({});
      add({});
      const known = ids(null);
      history.close();
      history = storage.open(() => now);
      expect(ids(null)).toEqual(known);
      add({});
      expect(ids(null)[0]).toBeGreaterThan(known[0] ?? Number.POSITIVE_INFINITY);
    });
    test('lets go of the oldest beyond ten thousand, and of what is older than 90 days', () => {
      for (let count = 0; count < 10_350; count++) history.append(aSwitch({ at: NOON + count }));
      const newest = ids(null)[0] ?? 0;
      expect(newest).toBeGreaterThanOrEqual(10_350);
      expect(ids(newest - 10_100)).toEqual([]);
      expect(ids(newest - 9_990).length).toBeGreaterThan(0);
      now = NOON + 95 * DAY;
      for (let count = 0; count < 200; count++) add({ at: now });
      expect(history.page({ before: null, limit: 200 })).toMatchObject({ more: false });
      expect(ids(null)).toHaveLength(200);
    });
  });
}
