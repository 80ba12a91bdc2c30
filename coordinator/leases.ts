import { z } from 'zod';
import { address, type Hex32, hex32, type UnixMs } from '../core/primitives.ts';
import { integerColumn, one, type Sql } from './db.ts';
import type { Copy, LeaseState } from './verify.ts';

/** Statements on leases; those that are on the way of every task take many at once. */

const STATES = ['held', 'finished', 'accepted', 'rejected', 'gone'] as const satisfies readonly LeaseState[];

const leaseRow = z.object({
  lease_id: hex32,
  job_id: hex32,
  /** The how many-th of its job, from 0. */
  copy: integerColumn,
  device: address,
  owner: address,
  deadline: integerColumn,
  state: z.enum(STATES),
  counts_as_attempt: z.boolean(),
  unable: z.boolean(),
  why: z.string().nullable(),
  progress: z.number(),
  output_hash: hex32.nullable(),
  output_bytes: integerColumn.nullable(),
  report_hash: hex32.nullable(),
});
export type LeaseRow = z.output<typeof leaseRow>;
const COLUMNS = Object.keys(leaseRow.shape).join(', ');

const among = (column: string): string => `${column} = ANY (ARRAY(SELECT jsonb_array_elements_text($1::text::jsonb)))`;

export const leasesOf = (sql: Sql, jobIds: readonly string[]): Promise<readonly LeaseRow[]> =>
  sql.query(leaseRow, `SELECT ${COLUMNS} FROM leases WHERE ${among('job_id')} ORDER BY job_id, copy`, [
    JSON.stringify(jobIds),
  ]);

export const findLease = (sql: Sql, leaseId: string): Promise<LeaseRow | null> =>
  one(sql, leaseRow, `SELECT ${COLUMNS} FROM leases WHERE lease_id = $1`, [leaseId]);

/** Leases among `leaseIds`, whosever they are. */
export const leasesNamed = (sql: Sql, leaseIds: readonly string[]): Promise<readonly LeaseRow[]> =>
  sql.query(leaseRow, `SELECT ${COLUMNS} FROM leases WHERE ${among('lease_id')}`, [JSON.stringify(leaseIds)]);

export const heldBy = (sql: Sql, device: string): Promise<readonly LeaseRow[]> =>
  sql.query(leaseRow, `SELECT ${COLUMNS} FROM leases WHERE device = $1 AND state = 'held'`, [device]);

export const overdue = (sql: Sql, now: UnixMs): Promise<readonly LeaseRow[]> =>
  sql.query(
    leaseRow,
    `SELECT ${COLUMNS} FROM leases WHERE state = 'held' AND deadline < $1 ORDER BY deadline LIMIT 200`,
    [now],
  );

export type NewLease = Pick<LeaseRow, 'lease_id' | 'job_id' | 'copy' | 'device' | 'owner' | 'deadline'>;

/**
 * Answers those that were written. One is not when its job is over, or has a lease of that number: somebody else knew more of
 * the job.
 */
export async function insertLeases(sql: Sql, leases: readonly NewLease[], at: UnixMs): Promise<ReadonlySet<Hex32>> {
  const rows = await sql.query(
    z.object({ lease_id: hex32 }),
    `INSERT INTO leases (lease_id, job_id, copy, device, owner, issued_at, deadline, state)
     SELECT fresh.lease_id, fresh.job_id, fresh.copy, fresh.device, fresh.owner, $2, fresh.deadline, 'held'
     FROM jsonb_to_recordset($1::text::jsonb)
       AS fresh (lease_id TEXT, job_id TEXT, copy INT, device TEXT, owner TEXT, deadline BIGINT)
     JOIN jobs ON jobs.job_id = fresh.job_id AND jobs.state NOT IN ('done', 'failed')
     ON CONFLICT (job_id, copy) DO NOTHING RETURNING lease_id`,
    [JSON.stringify(leases), at],
  );
  return new Set(rows.map((row) => row.lease_id));
}

/** A lease as it shall be from now on, and, with a result, the proof of who gave it. */
export type LeaseChange = Pick<LeaseRow, 'lease_id' | 'state' | 'why' | 'counts_as_attempt' | 'unable' | 'progress'> &
  Pick<LeaseRow, 'output_hash' | 'output_bytes'> & {
    readonly result?: string;
    readonly result_signature?: string;
    readonly batch_hash?: string;
  };

export async function writeLeases(sql: Sql, changes: readonly LeaseChange[]): Promise<void> {
  if (changes.length === 0) return;
  await sql.exec(
    `UPDATE leases SET state = changed.state, why = changed.why, counts_as_attempt = changed.counts_as_attempt,
       unable = changed.unable, progress = changed.progress, output_hash = changed.output_hash,
       output_bytes = changed.output_bytes, result = COALESCE(changed.result, leases.result),
       result_signature = COALESCE(changed.result_signature, leases.result_signature),
       batch_hash = COALESCE(changed.batch_hash, leases.batch_hash)
     FROM jsonb_to_recordset($1::text::jsonb) AS changed (lease_id TEXT, state TEXT, why TEXT, counts_as_attempt BOOLEAN,
       unable BOOLEAN, progress DOUBLE PRECISION, output_hash TEXT, output_bytes BIGINT, result TEXT, result_signature TEXT,
       batch_hash TEXT)
     WHERE leases.lease_id = changed.lease_id`,
    [JSON.stringify(changes)],
  );
}

/** Progress never falls; answers the job whose lease it is when it rose. */
export async function raiseProgress(
  sql: Sql,
  leaseId: string,
  device: string,
  progress: number,
): Promise<Hex32 | null> {
  const row = await one(
    sql,
    z.object({ job_id: hex32 }),
    `UPDATE leases SET progress = $3 WHERE lease_id = $1 AND device = $2 AND state = 'held' AND progress < $3
     RETURNING job_id`,
    [leaseId, device, progress],
  );
  return row?.job_id ?? null;
}

export type ResultBatch = {
  readonly batch_hash: Hex32;
  readonly device: string;
  readonly results: string;
  readonly signature: string;
};

/** Keeps what many results came with. The same batch again changes nothing. */
export async function keepBatches(sql: Sql, batches: readonly ResultBatch[]): Promise<void> {
  if (batches.length === 0) return;
  await sql.exec(
    `INSERT INTO result_batches (batch_hash, device, results, signature)
     SELECT DISTINCT ON (batch_hash) batch_hash, device, results, signature FROM jsonb_to_recordset($1::text::jsonb)
       AS batch (batch_hash TEXT, device TEXT, results TEXT, signature TEXT) ORDER BY batch_hash
     ON CONFLICT DO NOTHING`,
    [JSON.stringify(batches)],
  );
}

export const copyOf = (lease: LeaseRow): Copy => ({
  leaseId: lease.lease_id,
  device: lease.device,
  state: lease.state,
  outputHash: lease.output_hash,
  countsAsAttempt: lease.counts_as_attempt,
  unable: lease.unable,
});
