import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { answeringEngine, callEngine } from '../../../scripts/lib/engine.mjs';

const SLOT_BYTES = 16;

/** Milliseconds of CLOCK_MONOTONIC, the clock of every process of this machine, in containers too. */
export const monotonic = (): number => Number(process.hrtime.bigint()) / 1e6;

/** One container of spinners (test/bench/spinner), watched from outside it. */
export type Watched = {
  readonly id: string;
  readonly pid: number;
  /** When its processes last ran an instruction of their own, slot by slot. */
  readonly stamps: () => readonly number[];
  /** The kernel runs nothing of it: frozen whole, or gone. */
  readonly stopped: () => boolean;
  readonly gone: () => boolean;
  readonly close: () => void;
};

type Details = { readonly State?: { readonly Pid?: number; readonly Status?: string } };

/** Throws where this user may not look into the container's processes. */
export async function watchContainer(id: string, slots: number): Promise<Watched> {
  const place = await answeringEngine();
  if (place === undefined) throw new Error('no engine answers');
  const { text } = await callEngine(place, 'GET', `/containers/${id}/json`);
  const pid = (JSON.parse(text) as Details).State?.Pid ?? 0;
  if (pid === 0) throw new Error(`container ${id} does not run`);
  const stamps = `/proc/${pid}/root/tmp/stamps`;
  const freezer = freezerOf(pid);
  const file = openSync(stamps, 'r');
  const bytes = Buffer.alloc(SLOT_BYTES * slots);
  const gone = (): boolean => !existsSync(`/proc/${pid}`);
  return {
    id,
    pid,
    gone,
    stamps() {
      const got = readSync(file, bytes, 0, bytes.length, 0);
      return Array.from({ length: Math.floor(got / SLOT_BYTES) }, (_, slot) => {
        const at = slot * SLOT_BYTES;
        return Number(bytes.readBigInt64LE(at)) * 1e3 + Number(bytes.readBigInt64LE(at + 8)) / 1e6;
      });
    },
    stopped() {
      try {
        return freezer.test(readFileSync(freezer.path, 'utf8'));
      } catch {
        return gone();
      }
    },
    close: () => closeSync(file),
  };
}

/** Where the kernel says that a process's control group is frozen. Source: cgroups(7), cgroup-v1/freezer-subsystem, cgroup-v2. */
function freezerOf(pid: number): { readonly path: string; readonly test: (text: string) => boolean } {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
  const old = lines.map((line) => /^\d+:freezer:(.+)$/.exec(line)?.[1]).find((found) => found !== undefined);
  if (old !== undefined) {
    return { path: `/sys/fs/cgroup/freezer${old}/freezer.state`, test: (text) => text.trim() === 'FROZEN' };
  }
  const unified = lines.map((line) => /^0::(.+)$/.exec(line)?.[1]).find((found) => found !== undefined) ?? '/';
  return { path: `/sys/fs/cgroup${unified}/cgroup.events`, test: (text) => /^frozen 1$/m.test(text) };
}
