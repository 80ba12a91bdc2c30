import { startCluster } from '../support/postgres.ts';

/** One server for the run; each test file takes a database of its own from it. */
export async function setup(): Promise<() => Promise<void>> {
  const cluster = await startCluster();
  process.env['IDLEMESH_TEST_CLUSTER'] = cluster.url;
  return cluster.stop;
}
