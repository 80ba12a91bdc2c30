import { TestPostgres } from '../support/postgres.ts';

/** One server for the run; each test file takes a database of its own from it. */
export async function setup(): Promise<() => Promise<void>> {
  const server = await TestPostgres.start();
  process.env['IDLEMESH_TEST_CLUSTER'] = server.urlOf('postgres');
  return () => server.close();
}
