import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem, userInfo } from 'node:os';
import { dirname } from 'node:path';
import { battery } from 'systeminformation';
import type { IdleSource, Sensors, Source } from '../ports.ts';
import { linuxDesktop } from './linux-desktop.ts';
import { linuxProcesses } from './linux-processes.ts';

const SLOW = { rest: 60_000, ready: 10_000, watch: 5_000 } as const;

const NO_DESKTOP = { idle: [], locked: [], fullscreen: [], media: [], onBattery: [], metered: [] } as const;

/**
 * What a machine tells of itself. `idle`: who tells of input; null: the system's own ways, which Linux alone has here. `folder`:
 * whose file system's free space counts.
 */
export function systemSensors(options: {
  readonly idle: readonly IdleSource[] | null;
  readonly folder: string;
}): Sensors {
  const desktop =
    process.platform === 'linux'
      ? linuxDesktop({ environment: process.env, user: userInfo().uid, ours: [process.pid] })
      : NO_DESKTOP;
  return {
    sources: {
      idle: options.idle ?? desktop.idle,
      locked: [...desktop.locked],
      fullscreen: [...desktop.fullscreen],
      processes: process.platform === 'linux' ? [linuxProcesses()] : [],
      media: [...desktop.media],
      cpuByOthersPercent: [],
      gpus: [],
      onBattery: [power, ...desktop.onBattery],
      temperatureC: [],
      metered: [...desktop.metered],
      freeDiskBytes: [disk(options.folder)],
    },
    machine: async () => ({ cpuCores: availableParallelism(), memoryBytes: totalmem() }),
  };
}

const power: Source<boolean> = {
  name: 'systeminformation',
  every: SLOW,
  timeoutMs: 5_000,
  read: async () => {
    const { hasBattery, acConnected } = await battery();
    return hasBattery ? !acConnected : 'unavailable';
  },
};

const disk = (path: string): Source<number> => ({
  name: 'statfs',
  every: SLOW,
  timeoutMs: 3_000,
  read: async () => {
    // The folder may not be there yet: then its parent's file system is the one it will be on.
    for (const place of [path, dirname(path)]) {
      try {
        const { bavail, bsize } = await statfs(place);
        return bavail * bsize;
      } catch {}
    }
    return 'unknown';
  },
});
