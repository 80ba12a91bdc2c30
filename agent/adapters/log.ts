import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { plainJson } from '../../core/plain-text.ts';
import type { Log } from '../ports.ts';

const MAX_BYTES = 2 * 1024 * 1024;

const plain = (_key: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Error ? value.message : value;
};

/** JSON lines in `folder`, at most two files of 2 MiB. A disk that takes no more takes no log either: never an error. */
export function fileLog(folder: string): Log {
  const path = join(folder, 'agent.log');
  let bytes = 0;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    bytes = statSync(path).size;
  } catch {}
  return (level, event, fields) => {
    try {
      if (bytes > MAX_BYTES) {
        renameSync(path, `${path}.1`);
        bytes = 0;
      }
      const line = `${plainJson(JSON.stringify({ at: new Date().toISOString(), level, event, ...fields }, plain))}\n`;
      appendFileSync(path, line, { mode: 0o600 });
      bytes += Buffer.byteLength(line);
    } catch {}
  };
}
