import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Threads that live shorter than this may go uncounted. Milliseconds. */
const LOOK_EVERY_MS = 1_000;
/** USER_HZ: the same on every Linux that Electron runs on. */
const TICKS_PER_S = 100;

/** What a tree of processes used while it was watched. */
export type Usage = {
  readonly seconds: number;
  /** Of one core, from the scheduler's nanoseconds of every thread; children that came and went in clock ticks. */
  readonly cpuPercent: number;
  /** The same from clock ticks alone, to check the other by: coarse, but what threads used that have ended is in it. */
  readonly cpuTicksPercent: number;
  /** Times a thread gave the processor up by itself, per second. */
  readonly wakeupsPerS: number;
  /** Proportional share of memory of the whole tree, the median of the looks. */
  readonly pssMb: number;
  /** The most processes seen at once. */
  readonly processes: number;
  readonly renderers: number;
};

type Stat = {
  readonly parent: number;
  /** Clock ticks of its own. */
  readonly ticks: number;
  /** Clock ticks of its children that have ended, and of theirs. */
  readonly reaped: number;
  readonly start: string;
};

/** Of `/proc/PID/stat`; source: proc(5). */
export function parseStat(text: string): Stat {
  // The name in parentheses may hold anything, parentheses and spaces too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const number = (at: number): number => Number(fields[at]);
  return {
    parent: number(1),
    ticks: number(11) + number(12),
    reaped: number(13) + number(14),
    start: fields[19] ?? '',
  };
}

/** Kilobytes of a line such as `Pss:   177 kB` in `/proc/PID/smaps_rollup`. */
export function parsePss(rollup: string): number {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? Number.NaN);
}

/** Of `/proc/PID/task/TID/status`. */
export function parseVoluntarySwitches(status: string): number {
  return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1] ?? Number.NaN);
}

/** `root` and all that descends from it. */
export function treeOf(root: number, parents: ReadonlyMap<number, number>): readonly number[] {
  const tree = new Set([root]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const [pid, parent] of parents) {
      if (tree.has(pid) || !tree.has(parent)) continue;
      tree.add(pid);
      grown = true;
    }
  }
  return [...tree];
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Adds up counters that only grow. One seen first while the watch lasts began within it, from zero. */
export class Growth {
  readonly #last = new Map<string, number>();
  #opening = true;
  total = 0;

  look(counters: ReadonlyMap<string, number>): void {
    for (const [key, value] of counters) {
      const before = this.#last.get(key) ?? (this.#opening ? value : 0);
      this.total += value - before;
      this.#last.set(key, value);
    }
    this.#opening = false;
  }
}

/** Ticks of children that began and ended unseen, from one look to the next. */
export function unseenTicks(before: ReadonlyMap<string, Stat>, now: ReadonlyMap<string, Stat>): number {
  let ticks = 0;
  for (const [key, { reaped }] of now) ticks += reaped - (before.get(key)?.reaped ?? 0);
  // Whoever was seen and has ended is in its parent's sum with its whole life, of which all but the last moment is counted.
  for (const [key, gone] of before) if (!now.has(key)) ticks -= gone.ticks + gone.reaped;
  return Math.max(0, ticks);
}

const read = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It has ended since it was listed.
    return null;
  }
};

function tree(root: number): ReadonlyMap<number, Stat> {
  const stats = new Map<number, Stat>();
  for (const name of readdirSync('/proc')) {
    const text = /^\d+$/.test(name) ? read(`/proc/${name}/stat`) : null;
    if (text !== null) stats.set(Number(name), parseStat(text));
  }
  const pids = treeOf(root, new Map([...stats].map(([pid, { parent }]) => [pid, parent])));
  return new Map(
    pids.flatMap((pid): [number, Stat][] => {
      const stat = stats.get(pid);
      return stat === undefined ? [] : [[pid, stat]];
    }),
  );
}

/** Kinds of Chromium's processes carry their kind in their command line; the first has none. */
export const kindsOf = (root: number): readonly string[] =>
  [...tree(root).keys()].map((pid) => /--type=([a-z-]+)/.exec(read(`/proc/${pid}/cmdline`) ?? '')?.[1] ?? 'main');

export const pssMbOf = (root: number): number =>
  [...tree(root).keys()].reduce((sum, pid) => {
    const rollup = read(`/proc/${pid}/smaps_rollup`);
    return sum + (rollup === null ? 0 : parsePss(rollup) / 1024);
  }, 0);

/** Watches several trees over the same time. Memory is looked at before and after only: the look itself holds its subject up. */
export async function watch(roots: readonly number[], ms: number): Promise<readonly Usage[]> {
  const seen = roots.map((root) => ({
    root,
    cpu: new Growth(),
    ticks: new Growth(),
    wakeups: new Growth(),
    stats: new Map<string, Stat>(),
    unseen: 0,
    pss: [pssMbOf(root)],
    processes: 0,
    renderers: 0,
  }));
  const look = (): void => {
    for (const arm of seen) {
      const now = tree(arm.root);
      const [cpu, wakeups, ticks] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()];
      for (const [pid, stat] of now) {
        ticks.set(`${pid} ${stat.start}`, stat.ticks);
        for (const thread of threadsOf(pid)) {
          const schedstat = read(`/proc/${pid}/task/${thread}/schedstat`);
          const status = read(`/proc/${pid}/task/${thread}/status`);
          if (schedstat !== null) cpu.set(`${pid} ${stat.start} ${thread}`, Number(schedstat.split(' ')[0]));
          if (status !== null) wakeups.set(`${pid} ${stat.start} ${thread}`, parseVoluntarySwitches(status));
        }
      }
      const stats = new Map([...now].map(([pid, stat]) => [`${pid} ${stat.start}`, stat]));
      arm.unseen += arm.stats.size === 0 ? 0 : unseenTicks(arm.stats, stats);
      arm.stats = stats;
      arm.cpu.look(cpu);
      arm.ticks.look(ticks);
      arm.wakeups.look(wakeups);
      arm.processes = Math.max(arm.processes, now.size);
      arm.renderers = Math.max(arm.renderers, kindsOf(arm.root).filter((kind) => kind === 'renderer').length);
    }
  };
  const began = performance.now();
  look();
  while (performance.now() - began < ms) {
    await delay(Math.min(LOOK_EVERY_MS, ms - (performance.now() - began)));
    look();
  }
  const seconds = (performance.now() - began) / 1000;
  return seen.map((arm) => ({
    seconds,
    cpuPercent: ((arm.cpu.total / 1e9 + arm.unseen / TICKS_PER_S) / seconds) * 100,
    cpuTicksPercent: ((arm.ticks.total + arm.unseen) / TICKS_PER_S / seconds) * 100,
    wakeupsPerS: arm.wakeups.total / seconds,
    pssMb: median([...arm.pss, pssMbOf(arm.root)]),
    processes: arm.processes,
    renderers: arm.renderers,
  }));
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}
