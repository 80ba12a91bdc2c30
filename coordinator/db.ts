import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { z } from 'zod';
import { asFailure, fail } from '../core/errors.ts';
import { migrate } from './migrations.ts';
import type { Row } from './rows.ts';

type Scalar = string | number | bigint | boolean | null;
/** A list is one parameter, for `unnest`: many rows in one statement. */
export type Param = Scalar | readonly Scalar[];

/** Statements within a transaction, or each in its own. Rows are checked by a schema: the database is an edge too. */
export type Sql = {
  readonly query: <T>(row: Row<T>, text: string, params?: readonly Param[]) => Promise<readonly T[]>;
  /** Answers how many rows it touched. */
  readonly exec: (text: string, params?: readonly Param[]) => Promise<number>;
};

export type TxOptions = {
  /** Every statement sees the books as they were at the first one; for sums that are compared with each other. */
  readonly snapshot?: boolean;
};

/** Short texts between the replicas that share a database. What is told may be lost: it wakes, it does not inform. */
export type Notes = {
  readonly tell: (texts: readonly string[]) => Promise<void>;
  /** `mended` is called when texts can be heard, the first time, too: what was told before was missed. Resolves when it ends. */
  readonly listen: (
    heard: (text: string) => void,
    mended: () => void,
    /** An advisory lock of two numbers, held as long as it can be heard. */
    holding: { readonly space: number; readonly number: number },
    signal: AbortSignal,
  ) => Promise<void>;
};

/** Connections of this process to its database. */
export type PoolUse = { readonly total: number; readonly idle: number; readonly waiting: number };

export type Db = Sql & {
  /**
   * All of `work` or none of it. `work` must use the `sql` it is given: the outer one may wait for it to end. Where it meets
   * another transaction it is rolled back and run again, so it does nothing but through `sql` that may not happen twice. It
   * sees what others have committed at each statement; who reads before it writes locks the rows, or asks for a `snapshot`.
   */
  readonly tx: <T>(work: (sql: Sql) => Promise<T>, options?: TxOptions) => Promise<T>;
  /** Runs `work` unless another replica is at something of that name. It may be broken off with the connection: no fence. */
  readonly alone: (name: string, work: () => Promise<void>) => Promise<void>;
  /** null: nobody else uses this database. */
  readonly notes: Notes | null;
  /** null: there is but one connection, and it is not shared. */
  readonly pool: () => PoolUse | null;
  readonly close: () => Promise<void>;
};

/** NUMERIC(78,0) arrives as text. */
export const amountColumn = z.string().transform((text) => BigInt(text));
/** BIGINT arrives as number, bigint or text by driver and size. */
export const integerColumn = z.union([z.number(), z.bigint(), z.string()]).transform(Number).pipe(z.number().int());

export async function one<T>(sql: Sql, row: Row<T>, text: string, params: readonly Param[] = []): Promise<T | null> {
  return (await sql.query(row, text, params))[0] ?? null;
}

/** How a library runs one statement. */
export type Driver = (
  text: string,
  params: readonly Param[],
) => Promise<{ readonly rows: readonly unknown[]; readonly touched: number }>;

export const sqlOver = (run: Driver): Sql => ({
  query: async (row, text, params = []) => (await run(text, params)).rows.map((one) => row.parse(one)),
  exec: async (text, params = []) => (await run(text, params)).touched,
});

const pgliteDriver =
  (pg: Pick<PGlite, 'query'>): Driver =>
  async (text, params) => {
    const { rows, affectedRows } = await pg.query(text, [...params]);
    return { rows, touched: affectedRows ?? 0 };
  };

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
      ...sqlOver(pgliteDriver(pg)),
      // PGlite runs one transaction at a time and rolls back before it rethrows.
      tx: async (work) => await pg.transaction((inner) => work(sqlOver(pgliteDriver(inner)))),
      alone: async (_name, work) => await work(),
      notes: null,
      pool: () => null,
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
