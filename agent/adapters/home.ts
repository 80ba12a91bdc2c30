import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { dirname, isAbsolute } from 'node:path';
import type { Life } from '../../core/leftovers.ts';
import { errnoOf } from './files.ts';
import { isHeld } from './lock.ts';

const quietly = (read: () => string): string => {
  try {
    return read();
  } catch {
    return '';
  }
};

/**
 * Tells machines apart that use one engine, and containers and users on one machine: a path means something only where it was
 * written. Nobody can read the parts out of it.
 */
function placeHere(): string {
  const parts = [
    hostname(),
    quietly(() => readFileSync('/etc/machine-id', 'utf8').trim()),
    // Another mount namespace has other folders under the same names.
    quietly(() => readlinkSync('/proc/self/ns/mnt')),
    quietly(() => userInfo().username),
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/** Where an agent's lock lies, as a label of what it makes on the engine. */
export const homeOf = (lockFile: string): string => `${placeHere()}:${lockFile}`;

/** Whether the agent that wrote this label lives. What cannot be looked at is not judged. */
export function livesAt(home: string): Life {
  const colon = home.indexOf(':');
  const path = home.slice(colon + 1);
  if (colon < 0 || home.slice(0, colon) !== placeHere() || !isAbsolute(path)) return 'unknown';
  try {
    if (isHeld(path)) return 'alive';
    statSync(dirname(path));
    return 'dead';
  } catch (error) {
    // The data folder is gone: nobody can hold its lock.
    return ['ENOENT', 'ENOTDIR'].includes(errnoOf(error)) ? 'dead' : 'unknown';
  }
}
