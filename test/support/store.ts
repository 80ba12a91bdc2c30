import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Db, openDb } from '../../coordinator/db.ts';
import { openPostgres } from '../../coordinator/db-postgres.ts';
import { putEmptyBooks } from './empty-books.ts';
import { freshDatabase, keepDatabase } from './postgres.ts';

/** A place for books: an empty database of the server that this run started, or, where it has none, the embedded one. */
export type Store = {
  readonly databaseUrl?: string;
  readonly drop: () => Promise<void>;
};

/** Set by test/setup/postgres.ts, for the project that runs the coordinator's tests on PostgreSQL. */
const clusterUrl = (): string | null => process.env['IDLEMESH_TEST_CLUSTER'] ?? null;

export async function newStore(): Promise<Store> {
  const cluster = process.env['IDLEMESH_TEST_STORE'] === 'postgres' ? clusterUrl() : null;
  if (cluster === null) return { drop: async () => undefined };
  const { url, drop } = await freshDatabase(cluster);
  return { databaseUrl: url, drop };
}

export const openStore = ({ databaseUrl }: Store, dataDir: string): Promise<Db> =>
  databaseUrl === undefined ? openDb(dataDir) : openPostgres(databaseUrl, () => undefined);

/** Keeps the books as they are, while nobody uses them; what it answers brings them back. */
export async function keepBooks({ databaseUrl }: Store, dataDir: string): Promise<() => Promise<void>> {
  if (databaseUrl !== undefined) return await keepDatabase(databaseUrl);
  const [db, copy] = [join(dataDir, 'db'), join(dataDir, 'kept')];
  await cp(db, copy, { recursive: true });
  return async () => {
    await rm(db, { recursive: true });
    await cp(copy, db, { recursive: true });
  };
}

/** Books for one test file; they are gone when they are closed. */
export async function openTestDb(dataDir: string): Promise<Db> {
  const store = await newStore();
  if (store.databaseUrl === undefined) await putEmptyBooks(dataDir);
  const db = await openStore(store, dataDir);
  return {
    ...db,
    async close() {
      await db.close();
      await store.drop();
    },
  };
}
