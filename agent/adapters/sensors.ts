import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem, userInfo } from 'node:os';
import { dirname } from 'node:path';
import type { IdleSource, Sensors, Source } from '../ports.ts';
import { cpuByOthers } from './cpu.ts';
import { type DesktopHelper as Desktop, desktopHelper } from './desktop-helper.ts';
import { linuxDesktop } from './linux-desktop.ts';
import { linuxProcesses } from './linux-processes.ts';
import { macosAwake, macosGpus, macosPower } from './macos-tools.ts';
import { nvidiaGpus, nvidiaInstalled } from './nvidia.ts';
import { hwmonTemperature, sysfsGpus, sysfsPower } from './sysfs.ts';

const SLOW = { rest: 60_000, ready: 10_000, watch: 5_000 } as const;

const NO_DESKTOP: Desktop = {
  idle: [],
  locked: [],
  fullscreen: [],
  media: [],
  processes: [],
  onBattery: [],
  metered: [],
};

export type SensorOptions = {
  /** Who tells of input; null: the system's own ways. */
  readonly idle: readonly IdleSource[] | null;
  /** Whose file system's free space counts. */
  readonly folder: string;
  /** Where the helper scripts of Windows and macOS lie; without them these systems tell little. */
  readonly scripts?: string;
  /** Cumulative processor seconds of our containers; without it nobody could tell ours from others', and nothing is said of either. */
  readonly ourCpuSeconds?: () => Promise<number>;
};

/** What a machine tells of itself. */
export function systemSensors(options: SensorOptions): Sensors {
  const linux = process.platform === 'linux';
  const mac = process.platform === 'darwin';
  const desktop: Desktop = linux
    ? {
        ...linuxDesktop({ environment: process.env, user: userInfo().uid, ours: [process.pid] }),
        processes: [linuxProcesses()],
      }
    : ((options.scripts === undefined ? null : desktopHelper(options.scripts)) ?? NO_DESKTOP);
  return {
    sources: {
      idle: options.idle ?? desktop.idle,
      locked: [...desktop.locked],
      fullscreen: [...desktop.fullscreen],
      processes: [...desktop.processes],
      media: [...desktop.media, ...(mac ? [macosAwake()] : [])],
      cpuByOthersPercent: options.ourCpuSeconds === undefined ? [] : [cpuByOthers({ ours: options.ourCpuSeconds })],
      gpus: mac ? [macosGpus()] : [...(linux ? [sysfsGpus()] : []), ...(nvidiaInstalled() ? [nvidiaGpus()] : [])],
      onBattery: [linux ? sysfsPower() : mac ? macosPower() : power, ...desktop.onBattery],
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
