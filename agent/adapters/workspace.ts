import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hex32 } from '../../core/primitives.ts';
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
    async prepare() {
      await mkdir(path, { recursive: true, mode: 0o700 });
    },
    async sweep(keep) {
      const failures: unknown[] = [];
      for (const name of await readdir(path)) {
        const leaseId = hex32.safeParse(`0x${name}`);
        if (leaseId.success && keep(leaseId.data)) continue;
        await rm(join(path, name), { recursive: true, force: true }).catch((error: unknown) => failures.push(error));
      }
      if (failures.length > 0) throw new AggregateError(failures, `${failures.length} folders could not be removed`);
    },
  };
}
