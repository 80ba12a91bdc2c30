import type { JobView } from '../core/wire.ts';
import type { Sql } from './db.ts';
import { findJob, viewOf } from './jobs.ts';
import { leasesOf } from './leases.ts';

/** A job as its consumer sees it; null: there is none. */
export async function lookAtJob(sql: Sql, jobId: string): Promise<JobView | null> {
  const job = await findJob(sql, jobId);
  return job === null ? null : viewOf(job, await leasesOf(sql, [jobId]));
}
