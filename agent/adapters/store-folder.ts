import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, realpath, statfs } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { asFailure, fail } from '../../core/errors.ts';
import type { Drives } from '../ports.ts';

const OWN = 'idlemesh-storage';

/** Tells places apart in names of volumes. */
export const placeKeyOf = (folder: string | null): string =>
  folder === null ? '' : createHash('sha256').update(resolve(folder)).digest('hex').slice(0, 12);

/**
 * Makes the folder of a store within the one that the owner picked, and answers its path. Only its owner can enter the outer one; the
 * inner one can be written to by the sandbox's user, who enters through the engine alone. Throws REFUSED for a link or a file in its place, and DISK_FULL.
 */
export async function makeStoreFolder(picked: string, workload: string): Promise<string> {
  const outer = join(resolve(picked), OWN);
  const inner = join(outer, workload);
  try {
    await mkdir(outer, { recursive: true, mode: 0o700 });
    await chmod(outer, 0o700);
    await mkdir(inner, { recursive: true });
    for (const path of [outer, inner]) {
      const info = await lstat(path);
      // A link would have the engine, which may be root, write wherever it leads.
      if (!info.isDirectory()) fail('REFUSED', `${path} is no folder; move it away`, { path });
    }
    await chmod(inner, 0o777);
    return await realpath(inner);
  } catch (error) {
    const { code, message } = asFailure(error);
    if (code !== 'INTERNAL') throw error;
    return fail('DISK_FULL', `${outer} cannot be made: ${message}; pick another folder`, { path: outer }, error);
  }
}

/** Where Linux's engine keeps its volumes; elsewhere they lie in a file on the disk of the owner's home. */
const ENGINE_FOLDER = '/var/lib/docker';

export const systemDrives: Drives = {
  prepare: makeStoreFolder,
  keyOf: placeKeyOf,
  async freeBytes(picked) {
    try {
      const { bavail, bsize } = await statfs(picked ?? ENGINE_FOLDER);
      return bavail * bsize;
    } catch {
      return null;
    }
  },
};
