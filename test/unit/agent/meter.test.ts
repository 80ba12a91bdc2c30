import { expect, test } from 'vitest';
import { cpuMeter } from '../../../agent/adapters/docker-meter.ts';
import { randomAddress } from '../../support/random.ts';

const device = randomAddress();

function metered() {
  const used = new Map<string, number | null>();
  const asked: string[] = [];
  const meter = cpuMeter(async (id) => {
    asked.push(id);
    return used.get(id) ?? null;
  });
  return { used, asked, meter };
}

test('asks nothing while nothing runs', async () => {
  const { asked, meter } = metered();
  expect(await meter.seconds(device)).toBe(0);
  expect(asked).toEqual([]);
});
test('adds up what runs, and keeps what has ended', async () => {
  const { used, meter } = metered();
  meter.begins('a', device);
  meter.begins('b', device);
  meter.begins('c', randomAddress());
  used.set('a', 2).set('b', 3).set('c', 100);
  expect(await meter.seconds(device)).toBe(5);
  meter.ended('a');
  used.set('b', 4);
  expect(await meter.seconds(device)).toBe(6);
  used.set('b', null);
  expect(await meter.seconds(device)).toBe(6);
  meter.ended('b');
  meter.ended('b');
  expect(await meter.seconds(device)).toBe(6);
});
test('one that ends while it is asked about is counted once, and an engine that restarts its count takes nothing back', async () => {
  const { used, meter } = metered();
  meter.begins('a', device);
  used.set('a', 2);
  expect(await meter.seconds(device)).toBe(2);
  used.set('a', 7);
  const asking = meter.seconds(device);
  meter.ended('a');
  expect(await asking).toBe(2);
  meter.begins('a', device);
  used.set('a', 1);
  expect(await meter.seconds(device)).toBe(3);
});
