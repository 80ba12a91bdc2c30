import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Workspace } from '../ports.ts';

/** A folder for each lease in work, readable by this account only. */
export function folderWorkspace(path: string): Workspace {
  const of = (leaseId: string): string => join(path, leaseId.slice(2));
  return {
    path,
    of,
    async create(leaseId) {
      await mkdir(of(leaseId), { recursive: true, mode: 0o700 });
      return of(leaseId);
    },
    remove: (leaseId) => rm(of(leaseId), { recursive: true, force: true }),
    async clear() {
      await rm(path, { recursive: true, force: true });
      await mkdir(path, { recursive: true, mode: 0o700 });
    },
  };
}
