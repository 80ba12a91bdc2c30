import { z } from 'zod';
import { versionText, type WorkloadVersion } from '../core/admin.ts';
import type { UnixMs } from '../core/primitives.ts';
import { integerColumn, type Sql } from './db.ts';

/**
 * Not handed out: the database looks at each hand-out, whatever a coordinator has heard. While nothing is disabled that is one look at an
 * empty table for a whole statement.
 */
export const NOT_DISABLED = `(NOT EXISTS (SELECT 1 FROM disabled_workloads) OR NOT EXISTS (
  SELECT 1 FROM disabled_workloads AS off WHERE off.workload = jobs.workload AND off.version = jobs.version))`;
export const QUEUED_AND_NOT_DISABLED = `(NOT EXISTS (SELECT 1 FROM disabled_workloads) OR NOT EXISTS (
  SELECT 1 FROM jobs JOIN disabled_workloads AS off ON off.workload = jobs.workload AND off.version = jobs.version
  WHERE jobs.job_id = queue.job_id))`;

const row = z.object({ workload: z.string(), version: z.string(), why: z.string(), at: integerColumn });
export type DisabledVersion = z.output<typeof row>;

export const disabledVersions = (sql: Sql): Promise<readonly DisabledVersion[]> =>
  sql.query(row, 'SELECT workload, version, why, at FROM disabled_workloads ORDER BY workload, version LIMIT 1000');

/** Whoever is writing leases is waited for, and whoever begins to write some waits: what this commits holds for all of them. */
export async function disable(
  sql: Sql,
  { workload, version }: WorkloadVersion,
  why: string,
  at: UnixMs,
): Promise<void> {
  await sql.exec('LOCK TABLE disabled_workloads IN ACCESS EXCLUSIVE MODE');
  await sql.exec(
    'INSERT INTO disabled_workloads (workload, version, why, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
    [workload, version, why, at],
  );
}

/** Answers whether it was disabled. */
export const enable = async (sql: Sql, { workload, version }: WorkloadVersion): Promise<boolean> =>
  (await sql.exec('DELETE FROM disabled_workloads WHERE workload = $1 AND version = $2', [workload, version])) > 0;

/** What this coordinator has heard is disabled: for orders and quotes, and for work that it has in hand. */
export class Disabled {
  #names: ReadonlySet<string> = new Set();

  async load(sql: Sql): Promise<void> {
    this.#names = new Set((await disabledVersions(sql)).map(versionText));
  }

  has(one: WorkloadVersion): boolean {
    return this.#names.has(versionText(one));
  }
}
