import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { z } from 'zod';
import { asFailure, fail } from '../core/errors.ts';
import { migrate } from './migrations.ts';

type Scalar = string | number | bigint | boolean | null;
/** A list is one parameter, for `unnest`: many rows in one statement. */
export type Param = Scalar | readonly Scalar[];

/** Statements within a transaction, or each in its own. Rows are checked by a schema: the database is an edge too. */
export type Sql = {
  readonly query: <T>(row: z.ZodType<T>, text: string, params?: readonly Param[]) => Promise<readonly T[]>;
  /** Answers how many rows it touched. */
  readonly exec: (text: string, params?: readonly Param[]) => Promise<number>;
};

export type Db = Sql & {
  /** All of `work` or none of it. `work` must use the `sql` it is given: the outer one waits for it to end. */
  readonly tx: <T>(work: (sql: Sql) => Promise<T>) => Promise<T>;
  readonly close: () => Promise<void>;
};

/** NUMERIC(78,0) arrives as text. */
export const amountColumn = z.string().transform((text) => BigInt(text));
/** BIGINT arrives as number, bigint or text by driver and size. */
export const integerColumn = z.union([z.number(), z.bigint(), z.string()]).transform(Number).pipe(z.number().int());

export async function one<T>(
  sql: Sql,
  row: z.ZodType<T>,
  text: string,
  params: readonly Param[] = [],
): Promise<T | null> {
  return (await sql.query(row, text, params))[0] ?? null;
}

type Driver = Pick<PGlite, 'query'>;

const sqlOver = (driver: () => Driver): Sql => ({
  async query(row, text, params = []) {
    const { rows } = await driver().query(text, [...params]);
    return z.array(row).parse(rows);
  },
  async exec(text, params = []) {
    return (await driver().query(text, [...params])).affectedRows ?? 0;
  },
});

/**
 * Opens the embedded database in `dataDir` and brings its tables up to date. PGlite has one connection and does not lock
 * its folder, so a second opener would corrupt it: the lock file refuses it with CONFLICT.
 */
export async function openDb(dataDir: string): Promise<Db> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const unlock = await lock(join(dataDir, 'lock'));
  try {
    const pg = await PGlite.create(join(dataDir, 'db'));
    const db: Db = {
      ...sqlOver(() => pg),
      // PGlite runs one transaction at a time and rolls back before it rethrows.
      tx: async (work) => await pg.transaction((inner) => work(sqlOver(() => inner))),
      async close() {
        await pg.close();
        await unlock();
      },
    };
    await migrate(db);
    return db;
  } catch (error) {
    await unlock();
    throw asFailure(error);
  }
}

/** Lock files of this process: after a restart in a container a stale one may carry our own process id. */
const lockedHere = new Set<string>();

async function lock(path: string): Promise<() => Promise<void>> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      await writeFile(path, `${process.pid} ${await startOf(process.pid)}`, { flag: 'wx' });
      lockedHere.add(path);
      return async () => {
        lockedHere.delete(path);
        await rm(path, { force: true });
      };
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST') throw error;
      const [pid, start = ''] = (await readFile(path, 'utf8').catch(() => '')).split(' ');
      const holder = Number(pid);
      if (lockedHere.has(path) || (holder !== process.pid && (await isRunning(holder, start)))) {
        fail('CONFLICT', `a coordinator (process ${holder}) already uses this folder; stop it first`, { path, holder });
      }
      await rm(path, { force: true });
    }
  }
  fail('CONFLICT', 'another coordinator took this folder at the same moment', { path });
}

async function isRunning(pid: number, start: string): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  return start === '' || (await startOf(pid)) === start;
}

/** Linux tells when a process began: a number that another process has been given since is told apart. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
