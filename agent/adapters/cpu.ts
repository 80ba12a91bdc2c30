import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type { Source } from '../ports.ts';

/** Between the two samples of a first read: long enough for a figure, short enough for a start. */
const FIRST_MS = 200;
/** A sample older than this says nothing of now. */
const STALE_MS = 12_000;

/** Seconds since the machine started, summed over all cores. */
export type CpuTimes = { readonly busy: number; readonly total: number };

export type CpuOptions = {
  /** Cumulative processor seconds of our containers. When it fails, what others use is not known. */
  readonly ours?: () => Promise<number>;
  readonly times?: () => Promise<CpuTimes>;
  /** Processor seconds of this process, which also counts as ours. */
  readonly own?: () => number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
};

type Sample = CpuTimes & { readonly at: number; readonly ours: number };

/** Processor time of others between two reads, as a percentage of all cores. */
export function cpuByOthers(options: CpuOptions = {}): Source<number> {
  const { now = () => performance.now(), own = ownSeconds } = options;
  const times = options.times ?? (process.platform === 'linux' ? procTimes : osTimes);
  let before: Sample | null = null;
  let last: number | null = null;

  async function sample(): Promise<Sample> {
    // In this order, so that the time of asking the engine falls into the next interval with the work done in it.
    const ours = (await options.ours?.()) ?? 0;
    return { ...(await times()), ours: ours + own(), at: now() };
  }
  return {
    name: process.platform === 'linux' ? '/proc/stat' : 'os',
    every: { rest: 10_000, ready: 5_000, watch: 1_000 },
    timeoutMs: 3_000,
    async read() {
      if (before === null || now() - before.at > STALE_MS) {
        before = await sample();
        last = null;
        await pause(FIRST_MS);
      }
      const after = await sample();
      const total = after.total - before.total;
      const ours = after.ours - before.ours;
      // Counted in hundredths of a second: too soon to tell.
      if (total <= 0) return last ?? 'unknown';
      const busy = after.busy - before.busy;
      before = after;
      // A container that ended took its seconds along: this interval cannot be told apart.
      if (ours < 0 && last !== null) return last;
      last = Math.max(0, Math.min(100, (100 * (busy - Math.max(0, ours))) / total));
      return last;
    },
  };
}

const ownSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** USER_HZ, which the kernel fixes at 100 for all that read /proc on the architectures we build for. */
const TICKS = 100;

/** The first line of /proc/stat, see proc(5): waiting, idle and stolen time is not busy, guests are counted in user time. */
export function parseProcStat(text: string): CpuTimes {
  const [user, nice, system, idle, iowait, irq, softirq, steal] = (text.split('\n', 1)[0] ?? '')
    .split(/\s+/)
    .slice(1, 9)
    .map((ticks) => Number(ticks) / TICKS);
  const busy = (user ?? Number.NaN) + (nice ?? 0) + (system ?? 0) + (irq ?? 0) + (softirq ?? 0);
  return { busy, total: busy + (idle ?? 0) + (iowait ?? 0) + (steal ?? 0) };
}

const procTimes = async (): Promise<CpuTimes> => parseProcStat(await readFile('/proc/stat', 'utf8'));

async function osTimes(): Promise<CpuTimes> {
  let busy = 0;
  let total = 0;
  for (const { times } of cpus()) {
    const used = (times.user + times.nice + times.sys + times.irq) / 1_000;
    busy += used;
    total += used + times.idle / 1_000;
  }
  return { busy, total };
}
