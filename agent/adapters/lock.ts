import { closeSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { fail } from '../../core/errors.ts';
import { errnoOf } from './files.ts';

/** Linux tells when a process began: a number that was given to another process since is told apart. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function isAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') return false;
  }
  return start === '' || startOf(pid) === start;
}

/** Files this process holds: a second agent within it is refused as one outside is. */
const held = new Set<string>();

/** Whether a living process, this one or another, holds the lock. A file that cannot be read names nobody. */
export function isHeld(path: string): boolean {
  if (held.has(path)) return true;
  const [pid, start = ''] = read(path).split(' ');
  return Number(pid) !== process.pid && Number(pid) > 0 && isAlive(Number(pid), start);
}

/**
 * Takes a folder for this process; returns what gives it back. One that died, however, holds nothing. Throws CONFLICT.
 */
export function takeLock(path: string): () => void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = openSync(path, 'wx', 0o600);
      writeSync(file, `${process.pid} ${startOf(process.pid)}`);
      closeSync(file);
      held.add(path);
      return () => {
        if (held.delete(path)) unlinkSync(path);
      };
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
    if (isHeld(path)) {
      const [pid] = read(path).split(' ');
      fail('CONFLICT', `another Idlemesh (process ${pid}) already uses ${dirname(path)}; end it first`, { path });
    }
    try {
      unlinkSync(path);
    } catch {}
  }
  return fail('CONFLICT', `${path} cannot be taken`, { path });
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};
