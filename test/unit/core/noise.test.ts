import { expect, test } from 'vitest';
import { falseSwitches, noisyLoad, THRESHOLD_PERCENT, worstFiveMinutes } from '../../bench/yield/noise.ts';

const SEEDS = Array.from({ length: 100 }, (_, seed) => seed);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

test('the noise is noise: it crosses the threshold all the time, and a seed makes it again', () => {
  const crossings = SEEDS.map((seed) => {
    const load = noisyLoad(seed);
    expect(load).toHaveLength(3_600);
    return load.filter((at, index) => at > THRESHOLD_PERCENT !== (load[index - 1] ?? at) > THRESHOLD_PERCENT).length;
  });
  expect(mean(crossings)).toBeGreaterThan(200);
  expect(noisyLoad(7)).toEqual(noisyLoad(7));
  expect(noisyLoad(7)).not.toEqual(noisyLoad(8));
});

test('makes work stop or go on at most once in five minutes, where the published rule of others flaps', () => {
  const rates = SEEDS.map(falseSwitches);
  for (const { ours } of rates) expect(ours).toBeLessThanOrEqual(1);
  expect(mean(rates.map(({ control }) => control))).toBeGreaterThan(2);
  expect(mean(rates.map(({ ours }) => ours))).toBeLessThan(mean(rates.map(({ control }) => control)) / 5);
});

test('not even in the worst five minutes of any hour are there more than four', () => {
  for (const seed of SEEDS.slice(0, 30)) expect(worstFiveMinutes(seed)).toBeLessThanOrEqual(4);
});
