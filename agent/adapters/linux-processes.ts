import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Process, Source } from '../ports.ts';
import { type Details, exeOf, inspect } from './linux-process.ts';

/** A process that is younger may be about to become another program. */
const YOUNG_MS = 3_000;
/** All processes are looked at again within this time: one may exec late, end, or die unburied. */
const ROUND_MS = 5_000;
/** Ends leave no trace in the number of the newest process. */
const LIST_MS = 1_000;
const MAX_PARENTS = 12;

type Entry = {
  /** null: a thread of the kernel, or it runs in a container. */
  details: Details | null;
  readonly seenAt: number;
  /** Stays when the launcher ends before the game. */
  launcherId: string | null;
  shown: Process | null;
};

export type LinuxProcessesOptions = {
  readonly root?: string;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
};

/**
 * Programs from /proc, without privileges. A read costs one pread while nothing is forked: the last number in /proc/loadavg is
 * the newest process; only when it has moved is the folder listed. See proc(5).
 */
export function linuxProcesses(options: LinuxProcessesOptions = {}): Source<readonly Process[]> {
  const { root = '/proc', now = () => performance.now() } = options;
  const entries = new Map<number, Entry>();
  const buffer = Buffer.alloc(128);
  let descriptor: number | null = null;
  let newest = '';
  let listedAt = Number.NEGATIVE_INFINITY;
  let checkedAt = 0;
  /** Pids still to be looked at in this round. */
  let round: number[] = [];
  let shown: readonly Process[] | null = null;

  /** Whether something was forked since the last call. The file is made anew for every read at its start. */
  function moved(): boolean {
    descriptor ??= openSync(join(root, 'loadavg'), 'r');
    const text = buffer.toString('latin1', 0, readSync(descriptor, buffer, 0, buffer.length, 0));
    const last = text.slice(text.lastIndexOf(' ') + 1);
    if (last === newest) return false;
    newest = last;
    return true;
  }

  /** Drops those that ended, and answers those that are new. */
  function list(): readonly number[] {
    const alive = new Set<number>();
    for (const name of readdirSync(root)) {
      const pid = Number(name);
      if (Number.isInteger(pid) && pid > 0) alive.add(pid);
    }
    for (const [pid, { details }] of entries) {
      if (alive.has(pid)) continue;
      entries.delete(pid);
      if (details !== null) shown = null;
    }
    return [...alive].filter((pid) => !entries.has(pid));
  }

  async function learn(pid: number, at: number): Promise<void> {
    const found = await inspect(root, pid);
    const known = entries.get(pid);
    if (found === 'gone') {
      if (entries.delete(pid) && known?.details !== null) shown = null;
    } else if (known === undefined) {
      entries.set(pid, { details: found, seenAt: at, launcherId: null, shown: null });
      if (found !== null) shown = null;
    } else if (!alike(known.details, found)) {
      known.details = found;
      known.shown = null;
      shown = null;
    }
  }

  /** Those that may have become another program since they were last looked at. */
  function doubtful(at: number): readonly number[] {
    const share = Math.min(1, (at - checkedAt) / ROUND_MS);
    checkedAt = at;
    if (round.length === 0) round = [...entries.keys()];
    const due = new Set(round.splice(0, Math.ceil(entries.size * share)));
    for (const [pid, { seenAt }] of entries) if (at - seenAt < YOUNG_MS) due.add(pid);
    return [...due].filter((pid) => {
      const details = entries.get(pid)?.details;
      return details != null && (details.mayRetitle || exeOf(root, pid, details.exe) !== details.exe);
    });
  }

  function build(): readonly Process[] {
    const list: Process[] = [];
    for (const [pid, entry] of entries) {
      const { details } = entry;
      if (details === null) continue;
      const launchedBy: string[] = [];
      let { parent } = details;
      for (let depth = 0; depth < MAX_PARENTS && parent > 1; depth += 1) {
        const above = entries.get(parent)?.details;
        if (above == null) break;
        launchedBy.push(above.name);
        entry.launcherId ??= above.launches;
        parent = above.parent;
      }
      const { launcherId } = entry;
      if (entry.shown === null || entry.shown.launcherId !== launcherId || !equal(entry.shown.launchedBy, launchedBy)) {
        entry.shown = { pid, name: details.name, path: details.path, launchedBy, launcherId };
      }
      list.push(entry.shown);
    }
    return list;
  }

  return {
    name: '/proc',
    every: { rest: 10_000, ready: 2_000, watch: 100 },
    timeoutMs: 2_000,
    async read() {
      const at = now();
      const forked = moved();
      const again = doubtful(at);
      let fresh: readonly number[] = [];
      if (forked || at - listedAt >= LIST_MS) {
        listedAt = at;
        fresh = list();
      }
      await Promise.all([...again, ...fresh].map((pid) => learn(pid, at)));
      shown ??= build();
      return shown;
    },
    close() {
      if (descriptor !== null) closeSync(descriptor);
      descriptor = null;
    },
  };
}

const equal = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((value, index) => value === b[index]);

function alike(a: Details | null, b: Details | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.name === b.name &&
    a.path === b.path &&
    a.exe === b.exe &&
    a.parent === b.parent &&
    a.launches === b.launches &&
    a.mayRetitle === b.mayRetitle
  );
}
