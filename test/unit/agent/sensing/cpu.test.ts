import { beforeEach, describe, expect, it } from 'vitest';
import { type CpuOptions, cpuByOthers, parseProcStat } from '../../../../agent/adapters/cpu.ts';

describe('processor time of others', () => {
  let at: number;
  let busy: number;
  let ours: number;
  const CORES = 4;
  const options: CpuOptions = {
    now: () => at,
    own: () => 0,
    ours: async () => ours,
    times: async () => ({ busy, total: (at / 1_000) * CORES }),
  };
  /** A second in which so many core-seconds were spent. */
  const second = (others: number, us: number): void => {
    at += 1_000;
    busy += others + us;
    ours += us;
  };
  beforeEach(() => {
    at = 1_000_000;
    busy = 5_000;
    ours = 100;
  });

  it('is a percentage of all cores, without ours', async () => {
    const source = cpuByOthers(options);
    await source.read();
    second(1, 2);
    expect(await source.read()).toBeCloseTo(25);
    second(0, 4);
    expect(await source.read()).toBeCloseTo(0);
  });
  it('never leaves 0 to 100, and does not count a container that ended against others', async () => {
    const source = cpuByOthers(options);
    await source.read();
    second(1, 0);
    expect(await source.read()).toBeCloseTo(25);
    // The engine forgets its seconds in the middle of a busy interval.
    second(0, 4);
    ours = 0;
    expect(await source.read()).toBeCloseTo(25);
    second(0, 4);
    expect(await source.read()).toBeCloseTo(0);
    // The engine's figure may run ahead of the kernel's.
    second(0, 1);
    ours += 5;
    expect(await source.read()).toBe(0);
    second(9, 0);
    expect(await source.read()).toBe(100);
  });
  it('answers what it knew when asked twice at once, and forgets what is old', async () => {
    const source = cpuByOthers(options);
    await source.read();
    second(1, 0);
    await source.read();
    expect(await source.read()).toBeCloseTo(25);
    at += 3_600_000;
    busy += 4 * 3_600;
    // The hour says nothing of now, and no time passes in between.
    expect(await source.read()).toBe('unknown');
    second(0, 0);
    expect(await source.read()).toBe(0);
  });
  it('has a first answer without doubt', async () => {
    const value = await cpuByOthers().read();
    expect(value).toBeGreaterThanOrEqual(0);
    expect(value).toBeLessThanOrEqual(100);
  });
  it('fails when the engine does not tell', async () => {
    const source = cpuByOthers({ ...options, ours: async () => Promise.reject(new Error('away')) });
    await expect(source.read()).rejects.toThrow('away');
  });
  it('reads the line of the kernel', () => {
    const text = 'cpu  713917 2801 224328 2250975 10381 7 3298 887 5 1\ncpu0 1 2 3\n';
    expect(parseProcStat(text)).toEqual({
      busy: expect.closeTo(9443.51, 6),
      total: expect.closeTo(9443.51 + 22509.75 + 103.81 + 8.87, 6),
    });
  });
});
