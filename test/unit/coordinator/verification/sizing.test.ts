import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isWorthMore,
  multiplicationsOf,
  type Product,
  productFor,
  timeFor,
} from '../../../../coordinator/verification/sizing.ts';

const GIB = 1024 ** 3;
const PRODUCTS: readonly Product[] = [512, 1024, 2048, 4096].flatMap((size) =>
  [1, 4, 16, 64].map((rounds) => ({ size, rounds })),
);

describe('what a GPU is given to prove', () => {
  it('is small at first, and grows with what it has proven until ten seconds of it are asked for', () => {
    const sizes: Product[] = [];
    // A GPU that needs two seconds to begin and does 10^11 multiplications a second.
    for (let rate: number | null = null; ; ) {
      const next = productFor(PRODUCTS, 8 * GIB, rate);
      if (next === null) expect.fail('there is none');
      const before = sizes.at(-1);
      if (before !== undefined && !isWorthMore(next, before)) break;
      sizes.push(next);
      rate = multiplicationsOf(next) / (2 + multiplicationsOf(next) / 1e11);
    }
    expect(multiplicationsOf(sizes[0] ?? expect.unreachable())).toBeLessThan(2e10);
    expect(multiplicationsOf(sizes.at(-1) ?? expect.unreachable())).toBeGreaterThan(2e11);
    expect(sizes.length).toBeLessThan(6);
  });

  it('is never more than can be judged in some seconds', () => {
    expect(productFor(PRODUCTS, 80 * GIB, 1e15)).toEqual({ size: 4096, rounds: 4 });
  });

  it('fits a quarter of its memory, always', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 8 * GIB }), fc.option(fc.double({ min: 1, max: 1e13 })), (memory, rate) => {
        const product = productFor(PRODUCTS, memory, rate);
        if (product === null) expect(12 * 512 ** 2).toBeGreaterThan(memory / 4);
        else expect(12 * product.size ** 2).toBeLessThanOrEqual(memory / 4);
      }),
    );
  });

  it('is nothing without memory, and the smallest for one that is slower than any', () => {
    expect(productFor(PRODUCTS, 1000, null)).toBeNull();
    expect(productFor(PRODUCTS, GIB, 1)).toEqual({ size: 512, rounds: 1 });
    expect(productFor([], GIB, null)).toBeNull();
  });

  it('has to be answered within a minute and four times what it should take', () => {
    expect(timeFor({ size: 1000, rounds: 1 }, 1e9)).toBe(64_000);
  });
});
