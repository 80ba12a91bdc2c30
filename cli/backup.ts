import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { type BackupSummary, backup } from '../coordinator/backup.ts';
import { openBlobs } from '../coordinator/blobs.ts';
import { type Db, openDb } from '../coordinator/db.ts';
import { openPostgres } from '../coordinator/db-postgres.ts';
import { restore } from '../coordinator/restore.ts';
import type { Hex32 } from '../core/primitives.ts';
import type { Logger } from './log.ts';

type At = {
  readonly dataDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
};

/** Where the coordinator has them: in the database that the environment names, else in its folder. */
async function withBooks<T>({ dataDir, env, log }: At, use: (db: Db) => Promise<T>): Promise<T> {
  const { DATABASE_URL: url } = env;
  const db = url ? await openPostgres(url, log) : await openDb(dataDir);
  try {
    return await use(db);
  } finally {
    await db.close();
  }
}

export const backupBooks = (at: At, path: string): Promise<BackupSummary> =>
  withBooks(at, (db) => backup(db, path, Date.now()));

export async function restoreBooks(at: At, path: string) {
  const { blobs, ...restored } = await withBooks(at, (db) => restore(db, path, Date.now()));
  return { ...restored, neededFiles: blobs.length, missingFiles: await missing(at.dataDir, blobs) };
}

/** Of the files that open jobs need, those that are not in the folder; null: there is no such folder, they are in a bucket. */
async function missing(dataDir: string, needed: readonly Hex32[]): Promise<number | null> {
  const folder = join(dataDir, 'blobs');
  const isThere = await access(folder).then(
    () => true,
    () => false,
  );
  if (!isThere) return null;
  const blobs = await openBlobs(folder, 0, () => Date.now());
  let count = 0;
  for (const hash of needed) if ((await blobs.size(hash)) === null) count += 1;
  return count;
}
