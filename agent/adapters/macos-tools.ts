import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { GpuReading, Sensed } from '../../core/signals.ts';
import type { Source } from '../ports.ts';

const run = promisify(execFile);
const PACE = { rest: 60_000, ready: 10_000, watch: 2_000 } as const;

type Tool = (command: string, args: readonly string[]) => Promise<string>;
const tool: Tool = async (command, args) =>
  (await run(command, [...args], { encoding: 'utf8', timeout: 5_000, maxBuffer: 4 * 1024 ** 2 })).stdout;

const source = <T>(name: string, read: () => Promise<Sensed<T>>): Source<T> => ({
  ...{ name, read, every: PACE, timeoutMs: 6_000 },
});

/** `pmset -g batt`, see pmset(1). */
export function parseBattery(text: string): Sensed<boolean> {
  if (!/-InternalBattery-|'UPS Power'/.test(text)) return text.includes('Now drawing from') ? 'unavailable' : 'unknown';
  const from = /Now drawing from '([^']+)'/.exec(text)?.[1];
  return from === undefined ? 'unknown' : from !== 'AC Power';
}

/** `pmset -g assertions`: who keeps the display awake. */
export function parseAssertions(text: string): Sensed<{ readonly name: string } | null> {
  const awake = /^\s*PreventUserIdleDisplaySleep\s+(\d+)/m.exec(text)?.[1];
  if (awake === undefined) return 'unknown';
  if (awake === '0') return null;
  const holder = /^\s*pid \d+\((.+?)\): .*(?:PreventUserIdleDisplaySleep|NoDisplaySleepAssertion) named:/m.exec(
    text,
  )?.[1];
  return { name: holder ?? 'macOS' };
}

/** `ioreg -r -w 0 -c IOAccelerator`: drivers publish "PerformanceStatistics" without promising their names. */
export function parseAccelerators(text: string): readonly GpuReading[] {
  return [...text.matchAll(/"PerformanceStatistics" = \{([^}]*)\}/g)].map(([, statistics = ''], index): GpuReading => {
    const figure = (name: string): Sensed<number> => {
      const found = statistics.split(',').find((part) => part.startsWith(`"${name}"=`));
      return found === undefined ? 'unavailable' : Number(found.slice(name.length + 3));
    };
    return {
      ...{ id: `accelerator-${index}`, name: /"model" = "([^"]+)"/.exec(text)?.[1] ?? 'GPU' },
      // Docker's virtual machine on macOS has no graphics card.
      place: { vendor: 'other', render: null, compute: null },
      busyByOthersPercent: figure('Device Utilization %'),
      memoryBytes: 'unavailable',
      memoryByOthersBytes: figure('In use system memory'),
      temperatureC: figure('Temperature(C)'),
    };
  });
}

export const macosPower = (ask: Tool = tool): Source<boolean> =>
  source('pmset', async () => parseBattery(await ask('/usr/bin/pmset', ['-g', 'batt'])));

export const macosAwake = (ask: Tool = tool): Source<{ readonly name: string } | null> =>
  source('pmset', async () => parseAssertions(await ask('/usr/bin/pmset', ['-g', 'assertions'])));

export const macosGpus = (ask: Tool = tool): Source<readonly GpuReading[]> =>
  source('IOAccelerator', async () => {
    const found = parseAccelerators(await ask('/usr/sbin/ioreg', ['-r', '-w', '0', '-c', 'IOAccelerator']));
    return found.length === 0 ? 'unavailable' : found;
  });
