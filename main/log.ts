import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Log } from '../agent/ports.ts';

const LIMIT_BYTES = 4 * 1024 * 1024;

/** One JSON line per event, in a file of at most 4 MiB and the one before it. A disk that refuses costs the log only. */
export function createFileLog(path: string, clock: Pick<Clock, 'now'>): Log {
  let bytes = -1;
  return (level, event, fields) => {
    if (level === 'debug') return;
    const line = `${JSON.stringify({ at: new Date(clock.now()).toISOString(), level, event, ...fields }, plain)}\n`;
    try {
      if (bytes < 0) bytes = prepare(path);
      if (bytes + line.length > LIMIT_BYTES) {
        renameSync(path, `${path}.1`);
        bytes = 0;
      }
      appendFileSync(path, line, { mode: 0o600 });
      bytes += line.length;
    } catch {
      bytes = -1;
    }
  };
}

function prepare(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value);
