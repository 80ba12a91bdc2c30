import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem, userInfo } from 'node:os';
import { dirname } from 'node:path';
import type { IdleSource, Sensors, Source } from '../ports.ts';
import { cpuByOthers } from './cpu.ts';
import { linuxDesktop } from './linux-desktop.ts';
import { linuxProcesses } from './linux-processes.ts';
import { nvidiaGpus } from './nvidia.ts';
import { hwmonTemperature, sysfsGpus, sysfsPower } from './sysfs.ts';

const SLOW = { rest: 60_000, ready: 10_000, watch: 5_000 } as const;

const NO_DESKTOP = { idle: [], locked: [], fullscreen: [], media: [], onBattery: [], metered: [] } as const;

export type SensorOptions = {
  /** Who tells of input; null: the system's own ways, which Linux alone has here. */
  readonly idle: readonly IdleSource[] | null;
  /** Whose file system's free space counts. */
  readonly folder: string;
  /** Cumulative processor seconds of our containers; without it nobody could tell ours from others', and nothing is said of either. */
  readonly ourCpuSeconds?: () => Promise<number>;
};

/** What a machine tells of itself. */
export function systemSensors(options: SensorOptions): Sensors {
  const linux = process.platform === 'linux';
  const desktop = linux
    ? linuxDesktop({ environment: process.env, user: userInfo().uid, ours: [process.pid] })
    : NO_DESKTOP;
  return {
    sources: {
      idle: options.idle ?? desktop.idle,
      locked: [...desktop.locked],
      fullscreen: [...desktop.fullscreen],
      processes: linux ? [linuxProcesses()] : [],
      media: [...desktop.media],
      cpuByOthersPercent: options.ourCpuSeconds === undefined ? [] : [cpuByOthers({ ours: options.ourCpuSeconds })],
      gpus: [...(linux ? [sysfsGpus()] : []), ...(process.platform === 'darwin' ? [] : [nvidiaGpus()])],
      onBattery: [linux ? sysfsPower() : power, ...desktop.onBattery],
      temperatureC: linux ? [hwmonTemperature()] : [],
      metered: [...desktop.metered],
      freeDiskBytes: [disk(options.folder)],
    },
    machine: async () => ({ cpuCores: availableParallelism(), memoryBytes: totalmem() }),
  };
}

const power: Source<boolean> = {
  name: 'systeminformation',
  every: SLOW,
  timeoutMs: 10_000,
  read: async () => {
    // Loaded where it is asked only: it would cost megabytes at rest on systems that tell by themselves.
    const { battery } = await import('systeminformation');
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
