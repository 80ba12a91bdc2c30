import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Popularity } from '../../../workloads/edge/popularity.mjs';

describe('the popularity of chunks', () => {
  it('throws out what is asked for least, and of equals what was asked for longest ago', () => {
    const popularity = new Popularity();
    for (const name of ['a', 'b', 'c', 'd']) popularity.add(name, 10);
    for (const name of ['c', 'c', 'a', 'b']) popularity.hit(name);
    expect(popularity.evict(30)).toEqual(['d']);
    expect(popularity.evict(10)).toEqual(['a', 'b']);
    expect([popularity.bytes, popularity.size, popularity.has('c')]).toEqual([10, 1, true]);
  });

  it('forgets what was popular once, when others are asked for now', () => {
    const popularity = new Popularity();
    popularity.add('old', 10);
    for (let hit = 0; hit < 50; hit++) popularity.hit('old');
    for (let turn = 0; turn < 1_000 && popularity.has('old'); turn++) {
      popularity.add(`new ${turn}`, 10);
      popularity.hit(`new ${turn}`);
      popularity.hit(`new ${turn}`);
      popularity.evict(40);
    }
    expect(popularity.has('old')).toBe(false);
  });

  it('is not emptied of what is popular by a flood of what nobody asks for', () => {
    const popularity = new Popularity();
    popularity.add('liked', 10);
    for (let hit = 0; hit < 5; hit++) popularity.hit('liked');
    for (let turn = 0; turn < 1_000; turn++) {
      popularity.add(`junk ${turn}`, 10);
      popularity.evict(100);
    }
    expect(popularity.has('liked')).toBe(true);
  });

  it('keeps its sums, whatever happens', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), name: fc.nat(20), bytes: fc.integer({ min: 1, max: 100 }) }),
      fc.record({ do: fc.constantFrom('hit' as const, 'remove' as const), name: fc.nat(20), bytes: fc.constant(0) }),
      fc.record({ do: fc.constant('evict' as const), name: fc.constant(0), bytes: fc.nat(500) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const popularity = new Popularity();
        const model = new Map<string, number>();
        for (const { do: what, name, bytes } of steps) {
          const hash = String(name);
          if (what === 'hit') popularity.hit(hash);
          if (what === 'remove') {
            popularity.remove(hash);
            model.delete(hash);
          }
          if (what === 'add') {
            popularity.add(hash, bytes);
            model.set(hash, bytes);
          }
          if (what === 'evict') {
            const fits = popularity.bytes <= bytes;
            const out = popularity.evict(bytes);
            if (fits) expect(out).toEqual([]);
            for (const gone of out) expect(model.delete(gone)).toBe(true);
            expect(popularity.bytes).toBeLessThanOrEqual(bytes);
          }
          expect(popularity.size).toBe(model.size);
          expect(popularity.bytes).toBe([...model.values()].reduce((sum, one) => sum + one, 0));
        }
      }),
    );
  });
});
