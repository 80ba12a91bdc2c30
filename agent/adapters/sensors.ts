import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { battery } from 'systeminformation';
import type { IdleSource, Sensors, Source } from '../ports.ts';

const SLOW = { rest: 60_000, ready: 10_000, watch: 5_000 } as const;

/** What a machine tells of itself. `folder`: whose file system's free space counts. */
export function systemSensors(options: { readonly idle: readonly IdleSource[]; readonly folder: string }): Sensors {
  return {
    sources: {
      idle: options.idle,
      locked: [],
      fullscreen: [],
      processes: [],
      media: [],
      cpuByOthersPercent: [],
      gpus: [],
      onBattery: [power],
      temperatureC: [],
      metered: [],
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
