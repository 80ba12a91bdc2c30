import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReadyWork, type Waiting } from '../../../coordinator/ready.ts';
import { randomHex32 } from '../../support/random.ts';

const job = (consumer: string, change: Partial<Waiting> = {}): Waiting => ({
  ...{ jobId: randomHex32(), consumer, kind: 'a', priority: 0, price: 10n },
  ...change,
});
const any = (): boolean => true;

function filled(...list: readonly Waiting[]): ReadyWork<Waiting> {
  const ready = new ReadyWork<Waiting>();
  for (const one of list) ready.add(one);
  return ready;
}
const many = (count: number, consumer: string, change: Partial<Waiting> = {}): readonly Waiting[] =>
  Array.from({ length: count }, () => job(consumer, change));
const taken = (ready: ReadyWork<Waiting>, count: number): readonly string[] =>
  Array.from({ length: count }, () => ready.take(['a'], any)?.consumer ?? 'none');
const shareOf = (list: readonly string[], consumer: string): number => list.filter((one) => one === consumer).length;

describe('consumers take turns', () => {
  test('one with a long queue does not keep out one who comes later', () => {
    const ready = filled(...many(1_000, 'large'));
    taken(ready, 500);
    ready.add(job('small'));
    expect(taken(ready, 2)).toContain('small');
  });
  test('by what their work costs, not by its count', () => {
    const ready = filled(...many(500, 'dear', { price: 40n }), ...many(500, 'cheap', { price: 10n }));
    const list = taken(ready, 250);
    expect(shareOf(list, 'cheap') / shareOf(list, 'dear')).toBeCloseTo(4, 0);
  });
  test('who ordered nothing for long has not saved up turns', () => {
    const ready = filled(...many(1_000, 'steady'));
    taken(ready, 600);
    for (const one of many(200, 'late')) ready.add(one);
    const list = taken(ready, 100);
    expect(shareOf(list, 'late')).toBeLessThanOrEqual(51);
  });
  test('who orders job by job is not always next', () => {
    const ready = filled(...many(400, 'one'), ...many(400, 'two'), ...many(400, 'three'));
    const list: string[] = [];
    for (let turn = 0; turn < 200; turn++) {
      if (list.at(-1) === 'drop' || turn === 0) ready.add(job('drop'));
      list.push(...taken(ready, 1));
    }
    expect(shareOf(list, 'drop')).toBeLessThanOrEqual(55);
  });
  test('a priority moves a job among its consumer’s own, and takes nothing from others', () => {
    const urgent = job('one', { priority: 9 });
    const ready = filled(...many(50, 'one'), ...many(50, 'two'), urgent);
    const first = [ready.take(['a'], any), ready.take(['a'], any)];
    expect(first).toContain(urgent);
    expect(first.map((one) => one?.consumer).sort()).toEqual(['one', 'two']);
  });
});

describe('what is taken', () => {
  test('suits who asks; what does not suit stays, in its place', () => {
    const [heavy, light] = [job('one'), job('one')];
    const ready = filled(heavy, light);
    expect(ready.take(['a'], (one) => one !== heavy)).toBe(light);
    expect(ready.take(['b'], any)).toBeNull();
    expect(ready.take(['b', 'a'], any)).toBe(heavy);
    expect(ready.take(['a'], any)).toBeNull();
  });
  test('of one consumer and priority comes in its order, each job once, and the sizes are right', () => {
    const part = fc.record({
      consumer: fc.constantFrom('one', 'two', 'three'),
      kind: fc.constantFrom('a', 'b'),
      priority: fc.integer({ min: 0, max: 9 }),
      price: fc.bigInt({ min: 0n, max: 100n }),
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(part, fc.constantFrom('a', 'b')), { maxLength: 300 }), (steps) => {
        const ready = new ReadyWork<Waiting>();
        const model: Waiting[] = [];
        for (const step of steps) {
          if (typeof step !== 'string') {
            const added = job(step.consumer, step);
            ready.add(added);
            model.push(added);
            continue;
          }
          const got = ready.take([step], any);
          const waiting = model.filter(({ kind }) => kind === step);
          expect(got === null).toBe(waiting.length === 0);
          if (got === null) continue;
          const own = waiting.filter(({ consumer }) => consumer === got.consumer);
          const top = Math.max(...own.map(({ priority }) => priority));
          expect(got).toBe(own.find(({ priority }) => priority === top));
          model.splice(model.indexOf(got), 1);
        }
        expect(ready.size).toBe(model.length);
        expect(ready.sizeOf('a') + ready.sizeOf('b')).toBe(model.length);
      }),
    );
  });
});

test('a million jobs come and go, and nothing is kept of them', () => {
  const ready = new ReadyWork<Waiting>();
  const one = job('one');
  let got = 0;
  for (let round = 0; round < 1_000; round++) {
    for (let count = 0; count < 1_000; count++) ready.add(one);
    while (ready.take(['a'], any) !== null) got += 1;
  }
  expect([got, ready.size]).toEqual([1_000_000, 0]);
});
