import { expect, test } from 'vitest';
import { Group } from '../../../coordinator/group.ts';

function stage(options: { readonly most?: number; readonly lanes?: number; readonly bad?: number } = {}) {
  const goes: (readonly number[])[] = [];
  const open: (() => void)[] = [];
  const group = new Group<number, number>(
    async (items) => {
      goes.push(items);
      await new Promise<void>((resolve) => open.push(resolve));
      if (items.includes(options.bad ?? -1)) throw new Error('bad');
      return items.map((item) => item * 2);
    },
    { most: options.most ?? 100, ...(options.lanes === undefined ? {} : { lanes: options.lanes }) },
  );
  /** Ends what runs, until nothing does. */
  const finish = async (): Promise<void> => {
    const over = group.settled();
    let done = false;
    void over.then(() => {
      done = true;
    });
    while (!done) {
      for (const resolve of open.splice(0)) resolve();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { goes, group, finish };
}

test('what comes while one is under way goes together, in order, and each has its own result', async () => {
  const { goes, group, finish } = stage();
  const results = [1, 2, 3, 4].map((item) => group.add(item));
  expect(group.waiting).toBe(3);
  await finish();
  expect(await Promise.all(results)).toEqual([2, 4, 6, 8]);
  expect(goes).toEqual([[1], [2, 3, 4]]);
});

test('a go has a largest size, and no more run at once than may', async () => {
  const { goes, group, finish } = stage({ most: 2, lanes: 2 });
  const results = [1, 2, 3, 4, 5, 6, 7].map((item) => group.add(item));
  expect(goes).toEqual([[1], [2]]);
  await finish();
  expect(await Promise.all(results)).toEqual([2, 4, 6, 8, 10, 12, 14]);
  expect(Math.max(...goes.map((go) => go.length))).toBe(2);
});

test('one that fails does not fail the others of its go', async () => {
  const { group, finish } = stage({ bad: 3 });
  const results = [1, 2, 3, 4].map((item) => group.add(item).catch((error: unknown) => String(error)));
  await finish();
  expect(await Promise.all(results)).toEqual([2, 4, 'Error: bad', 8]);
});
