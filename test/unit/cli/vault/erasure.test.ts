import { randomBytes, randomInt } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { erasure } from '../../../../cli/vault/erasure.ts';

/** A stripe with its parity. */
async function made(k: number, n: number, size: number) {
  const code = await erasure(k, n);
  const stripe = Buffer.alloc(n * size, 1);
  randomBytes(k * size).copy(stripe);
  code.encode(stripe);
  return { code, stripe };
}

function without(stripe: Buffer, lost: readonly number[], n: number): { damaged: Buffer; present: boolean[] } {
  const [damaged, size] = [Buffer.from(stripe), stripe.length / n];
  for (const index of lost) randomBytes(size).copy(damaged, index * size);
  return { damaged, present: Array.from({ length: n }, (_, index) => !lost.includes(index)) };
}

test('any ten of sixteen shards give all of them, thousands of times over', async () => {
  const { code, stripe } = await made(10, 16, 64);
  for (let turn = 0; turn < 3000; turn++) {
    const lost = new Set<number>();
    while (lost.size < 6) lost.add(randomInt(16));
    const { damaged, present } = without(stripe, [...lost], 16);
    code.rebuild(damaged, present);
    if (!damaged.equals(stripe)) expect.fail(`turn ${turn}: another stripe without ${[...lost]}`);
  }
});

test('codes of other sizes do, too', async () => {
  const shape = fc.tuple(
    fc.integer({ min: 1, max: 20 }),
    fc.integer({ min: 1, max: 10 }),
    fc.integer({ min: 1, max: 3000 }),
  );
  await fc.assert(
    fc.asyncProperty(shape, fc.infiniteStream(fc.nat()), async ([k, parity, size], numbers) => {
      const n = k + parity;
      const { code, stripe } = await made(k, n, size);
      const lost = new Set([...numbers.take(parity)].map((number) => number % n));
      const { damaged, present } = without(stripe, [...lost], n);
      code.rebuild(damaged, present);
      expect(damaged.equals(stripe)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test('of too few shards nothing is made', async () => {
  const { code, stripe } = await made(10, 16, 64);
  const { damaged, present } = without(stripe, [0, 1, 2, 3, 4, 5, 6], 16);
  const before = Buffer.from(damaged);
  expect(() => code.rebuild(damaged, present)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
  expect(damaged.equals(before)).toBe(true);
});

test('when all are there nothing changes', async () => {
  const { code, stripe } = await made(10, 16, 64);
  const { damaged, present } = without(stripe, [], 16);
  code.rebuild(damaged, present);
  expect(damaged.equals(stripe)).toBe(true);
});
