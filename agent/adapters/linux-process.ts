import { readFileSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What one process is. */
export type Details = {
  readonly name: string;
  readonly path: string | null;
  /** Target of the exe link, or the short name where that is another user's secret: differs once it became another program. */
  readonly exe: string;
  readonly parent: number;
  /** Steam's AppId, of its launcher only. */
  readonly launches: string | null;
  /** Its command line says more than its file, and may change without an exec, as Wine's does. */
  readonly mayRetitle: boolean;
};

/** PF_KTHREAD of linux/sched.h. */
const KERNEL_THREAD = 0x200000;
const DELETED = ' (deleted)';
/** Container engines name control groups after the whole id: docker-ID.scope, /docker/ID, libpod-ID.scope, cri-containerd-ID.scope. */
const CONTAINER_ID = /(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/;
/** These run something else, which only the command line names. */
const RUNNERS =
  /^(wine.*|.*-preloader|reaper|bash|dash|sh|zsh|busybox|python[\d.]*|perl|ruby|java|mono(-sgen)?(64|32)?|dotnet|node|love|qemu-.*|box64|box86|FEX.*)$/;

const base = (path: string): string => path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);

/** Cheap enough to be asked of every process again and again. '' when it is gone. `before`: what was answered last time. */
export function exeOf(root: string, pid: number, before = '/'): string {
  if (!before.startsWith('/')) return shortName(root, pid);
  try {
    return readlinkSync(join(root, String(pid), 'exe'));
  } catch {
    return shortName(root, pid);
  }
}

function shortName(root: string, pid: number): string {
  try {
    return readFileSync(join(root, String(pid), 'comm'), 'utf8').trim();
  } catch {
    return '';
  }
}

/** null: a thread of the kernel, or inside a container. The format of `stat` is that of proc(5). */
export async function inspect(root: string, pid: number): Promise<Details | null | 'gone'> {
  let stat: string;
  let group: string;
  try {
    stat = readFileSync(join(root, String(pid), 'stat'), 'latin1');
    group = readFileSync(join(root, String(pid), 'cgroup'), 'latin1');
  } catch {
    return 'gone';
  }
  // The name may hold spaces and brackets: what follows the last bracket is fixed.
  const [state, parent, , , , , flags] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (state === 'Z' || state === 'X') return 'gone';
  if ((Number(flags) & KERNEL_THREAD) !== 0 || CONTAINER_ID.test(group)) return null;

  const exe = exeOf(root, pid);
  if (exe === '') return 'gone';
  const file = exe.startsWith('/') ? exe.replace(DELETED, '') : null;
  const mayRetitle = file !== null && RUNNERS.test(base(file));
  const args = file === null || mayRetitle ? await commandLine(root, pid) : [];
  const path = program(args) ?? file;
  return {
    ...{ exe, path, mayRetitle },
    name: path === null ? exe : base(path),
    parent: Number(parent),
    launches: base(path ?? '') === 'reaper' ? steamLaunch(args) : null,
  };
}

/** Not read in place: it waits for a lock on the other's memory, which may be held for long. */
async function commandLine(root: string, pid: number): Promise<readonly string[]> {
  try {
    return (await readFile(join(root, String(pid), 'cmdline'), 'utf8')).split('\0');
  } catch {
    return [];
  }
}

/** What is really run: a Windows program, the script of an interpreter, or another user's program that was started by its path. */
function program(args: readonly string[]): string | null {
  const windows = args.slice(0, 3).find((arg) => /^[a-z]:[\\/].*\.exe$/i.test(arg));
  if (windows !== undefined) return /^z:/i.test(windows) ? windows.slice(2).replaceAll('\\', '/') : windows;
  // Chromium joins all its arguments into the first.
  const [first = '', ...rest] = [args[0]?.split(' --')[0] ?? '', ...args.slice(1)];
  if (!RUNNERS.test(base(first))) return first.startsWith('/') ? first : null;
  const at = rest.findIndex((arg) => !arg.startsWith('-'));
  const inline = rest.slice(0, at).some((arg) => /^-[a-z]?[cem]$/i.test(arg));
  const script = rest[at];
  return !inline && script?.startsWith('/') === true && !script.startsWith('/dev/') ? script : null;
}

/** `reaper SteamLaunch AppId=620 -- …`: everything below it belongs to that game. */
function steamLaunch(args: readonly string[]): string | null {
  const at = args.indexOf('SteamLaunch');
  if (at < 0 || at > 2) return null;
  return /^AppId=(\d+)$/.exec(args[at + 1] ?? '')?.[1] ?? null;
}
