import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { canonicalJson } from '../core/keccak.ts';
import { address, type Hex32, hex32, LANES, lane, type UnixMs } from '../core/primitives.ts';
import type { Struct } from '../core/typed-data.ts';
import { JOB_STATES, type JobView, type Lease, params } from '../core/wire.ts';
import { amountColumn, integerColumn, one, type Sql } from './db.ts';
import { barredFrom, type Copy, type Loss, type Need, type Offer } from './verify.ts';

/** Statements on jobs and their leases. */

const jsonText = <T extends z.ZodType>(schema: T) =>
  z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(schema);

const jobRow = z.object({
  job_id: hex32,
  consumer: address,
  workload: z.string(),
  version: z.string(),
  image: z.string(),
  lane,
  params: jsonText(params),
  input_hash: hex32,
  input_bytes: integerColumn,
  price: amountColumn,
  hold: amountColumn,
  replicas: z.union([z.literal(0), z.literal(1)]),
  state: z.enum(JOB_STATES),
  rev: integerColumn,
  progress: z.number(),
  charged: amountColumn.nullable(),
  output_hash: hex32.nullable(),
  output_bytes: integerColumn.nullable(),
  failure: z.string().nullable(),
});
export type Job = z.output<typeof jobRow>;

const leaseRow = z.object({
  lease_id: hex32,
  job_id: hex32,
  device: address,
  owner: address,
  deadline: integerColumn,
  state: z.enum(['held', 'finished', 'accepted', 'rejected', 'gone']),
  counts_as_attempt: z.boolean(),
  unable: z.boolean(),
  why: z.string().nullable(),
  progress: z.number(),
  output_hash: hex32.nullable(),
  output_bytes: integerColumn.nullable(),
  report_hash: hex32.nullable(),
});
export type LeaseRow = z.output<typeof leaseRow>;

export type NewJob = Omit<Job, 'state' | 'rev' | 'progress' | 'charged' | 'output_hash' | 'output_bytes' | 'failure'>;

export async function insertJob(sql: Sql, job: NewJob, at: UnixMs): Promise<void> {
  await sql.exec(
    `INSERT INTO jobs (job_id, consumer, workload, version, image, lane, params, input_hash, input_bytes, price, hold,
       replicas, state, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'queued', $13)`,
    [
      ...[job.job_id, job.consumer, job.workload, job.version, job.image, job.lane, canonicalJson(job.params)],
      ...[job.input_hash, job.input_bytes, job.price.toString(), job.hold.toString(), job.replicas, at],
    ],
  );
}

export const findJob = (sql: Sql, jobId: string): Promise<Job | null> =>
  one(sql, jobRow, 'SELECT * FROM jobs WHERE job_id = $1', [jobId]);

/** The job, locked until the transaction ends: decisions about one job are taken one after the other. */
export async function lockJob(sql: Sql, jobId: string): Promise<Job> {
  const job = await one(sql, jobRow, 'SELECT * FROM jobs WHERE job_id = $1 FOR UPDATE', [jobId]);
  return job ?? fail('NOT_FOUND', 'there is no such job', { jobId });
}

export const leasesOf = (sql: Sql, jobId: string): Promise<readonly LeaseRow[]> =>
  sql.query(leaseRow, 'SELECT * FROM leases WHERE job_id = $1 ORDER BY issued_at, lease_id', [jobId]);

export const findLease = (sql: Sql, leaseId: string): Promise<LeaseRow | null> =>
  one(sql, leaseRow, 'SELECT * FROM leases WHERE lease_id = $1', [leaseId]);

/** Leases among `leaseIds`, whosever they are. */
export const leasesNamed = (sql: Sql, leaseIds: readonly string[]): Promise<readonly LeaseRow[]> =>
  sql.query(leaseRow, 'SELECT * FROM leases WHERE lease_id IN (SELECT jsonb_array_elements_text($1::text::jsonb))', [
    JSON.stringify(leaseIds),
  ]);

export const heldBy = (sql: Sql, device: string): Promise<readonly LeaseRow[]> =>
  sql.query(leaseRow, `SELECT * FROM leases WHERE device = $1 AND state = 'held'`, [device]);

export const overdue = (sql: Sql, now: UnixMs): Promise<readonly LeaseRow[]> =>
  sql.query(leaseRow, `SELECT * FROM leases WHERE state = 'held' AND deadline < $1 ORDER BY deadline LIMIT 200`, [now]);

/** Open jobs from before `before` of which no copy is under way or waits for another to agree. */
export async function agedJobs(sql: Sql, before: UnixMs): Promise<readonly Hex32[]> {
  const rows = await sql.query(
    z.object({ job_id: hex32 }),
    `SELECT job_id FROM jobs WHERE state NOT IN ('done', 'failed') AND created_at < $1 AND NOT EXISTS (
       SELECT 1 FROM leases WHERE leases.job_id = jobs.job_id AND leases.state IN ('held', 'finished'))
     ORDER BY created_at LIMIT 200`,
    [before],
  );
  return rows.map((row) => row.job_id);
}

export async function insertLease(
  sql: Sql,
  lease: { readonly leaseId: string; readonly jobId: string; readonly device: string; readonly owner: string },
  at: UnixMs,
  deadline: UnixMs,
): Promise<void> {
  await sql.exec(
    `INSERT INTO leases (lease_id, job_id, device, owner, issued_at, deadline, state)
     VALUES ($1, $2, $3, $4, $5, $6, 'held')`,
    [lease.leaseId, lease.jobId, lease.device, lease.owner, at, deadline],
  );
}

/** Ends a held lease without a result. False when it was not held any more. */
export async function loseLease(sql: Sql, leaseId: string, why: string, loss: Loss): Promise<boolean> {
  const touched = await sql.exec(
    `UPDATE leases SET state = 'gone', why = $2, counts_as_attempt = $3, unable = $4
     WHERE lease_id = $1 AND state = 'held'`,
    [leaseId, why.slice(0, 500), loss === 'attempt', loss === 'unable'],
  );
  return touched > 0;
}

export async function finishLease(sql: Sql, value: Struct<'Result'>, signature: string): Promise<void> {
  await sql.exec(
    `UPDATE leases SET state = 'finished', progress = 1, output_hash = $2, output_bytes = $3, result = $4,
       result_signature = $5 WHERE lease_id = $1 AND state = 'held'`,
    [value.leaseId, value.outputHash, value.outputBytes, canonicalJson(value), signature],
  );
}

export async function judgeLease(
  sql: Sql,
  leaseId: string,
  state: 'accepted' | 'rejected',
  why: string | null,
): Promise<void> {
  await sql.exec('UPDATE leases SET state = $2, why = $3 WHERE lease_id = $1', [leaseId, state, why]);
}

/** Progress never falls; answers whether it rose. */
export async function raiseProgress(sql: Sql, leaseId: string, device: string, progress: number): Promise<boolean> {
  const touched = await sql.exec(
    `UPDATE leases SET progress = $3 WHERE lease_id = $1 AND device = $2 AND state = 'held' AND progress < $3`,
    [leaseId, device, progress],
  );
  return touched > 0;
}

/** What the consumer sees of a job changed; every change raises the revision. */
export async function showJob(
  sql: Sql,
  jobId: string,
  shown: Pick<Job, 'state' | 'progress' | 'charged' | 'output_hash' | 'output_bytes' | 'failure'>,
): Promise<void> {
  await sql.exec(
    `UPDATE jobs SET state = $2, progress = $3, charged = $4, output_hash = $5, output_bytes = $6, failure = $7,
       rev = rev + 1 WHERE job_id = $1`,
    [
      ...[jobId, shown.state, shown.progress, shown.charged === null ? null : shown.charged.toString()],
      ...[shown.output_hash, shown.output_bytes, shown.failure],
    ],
  );
}

export const copiesOf = (leases: readonly LeaseRow[]): readonly Copy[] => leases.map((lease) => copyOf(lease));

const copyOf = (
  lease: Pick<LeaseRow, 'lease_id' | 'device' | 'state' | 'output_hash' | 'counts_as_attempt' | 'unable'>,
): Copy => ({
  leaseId: lease.lease_id,
  device: lease.device,
  state: lease.state,
  outputHash: lease.output_hash,
  countsAsAttempt: lease.counts_as_attempt,
  unable: lease.unable,
});

const lanesOf = (offer: Offer) => LANES.filter((lane) => offer.slots[lane] > 0);

const openJob = jobRow.extend({ leases: z.string() });
const leaseSummary = z.array(
  z.object({
    lease_id: hex32,
    state: leaseRow.shape.state,
    output_hash: hex32.nullable(),
    counts_as_attempt: z.boolean(),
    unable: z.boolean(),
    owner: address,
    device: address,
  }),
);

/**
 * The oldest open jobs that one of the offers could take, with all their leases, one row each. Jobs that nobody connected can do
 * are left out here, or enough of them would hide all younger ones.
 */
export async function openJobs(
  sql: Sql,
  offers: readonly Offer[],
  limit: number,
  maxAttempts: number,
): Promise<readonly { readonly job: Job; readonly copies: readonly Copy[]; readonly need: Omit<Need, 'wanted'> }[]> {
  const free = offers.filter((offer) => lanesOf(offer).length > 0);
  const kinds = new Set(
    free.flatMap((offer) => lanesOf(offer).flatMap((lane) => [...offer.workloads].map((key) => `${key} ${lane}`))),
  );
  const peers = free.map(({ device, owner }) => ({ device, owner }));
  const rows = await sql.query(
    openJob,
    `SELECT jobs.*, (SELECT COALESCE(jsonb_agg(leases), '[]'::jsonb) FROM leases WHERE leases.job_id = jobs.job_id)::text AS leases
     FROM jobs WHERE state NOT IN ('done', 'failed')
       AND workload || ' ' || image || ' ' || lane IN (SELECT jsonb_array_elements_text($2::text::jsonb))
       AND (SELECT COUNT(*) FROM leases WHERE leases.job_id = jobs.job_id AND leases.state = 'held') <= replicas
       AND EXISTS (
         SELECT 1 FROM jsonb_to_recordset($3::text::jsonb) AS offer (device TEXT, owner TEXT)
         WHERE NOT EXISTS (
             SELECT 1 FROM leases WHERE leases.job_id = jobs.job_id
               AND ((leases.owner = offer.owner AND leases.state <> 'gone') OR (leases.device = offer.device AND unable)))
           AND (SELECT COUNT(*) FROM leases WHERE leases.job_id = jobs.job_id
                  AND leases.device = offer.device AND counts_as_attempt) < $4)
     ORDER BY created_at, job_id LIMIT $1`,
    [limit, JSON.stringify([...kinds]), JSON.stringify(peers), maxAttempts],
  );
  return rows.map(({ leases: text, ...job }) => {
    const leases = leaseSummary.parse(JSON.parse(text));
    const copies = leases.map((lease) => copyOf(lease));
    return {
      job,
      copies,
      need: {
        jobId: job.job_id,
        workload: job.workload,
        image: job.image,
        lane: job.lane,
        owners: new Set(leases.filter((lease) => lease.state !== 'gone').map((lease) => lease.owner)),
        failedDevices: new Set(leases.filter((lease) => lease.state === 'gone').map((lease) => lease.device)),
        barred: barredFrom(copies, maxAttempts),
      },
    };
  });
}

export const viewOf = (job: Job): JobView => ({
  jobId: job.job_id,
  rev: job.rev,
  state: job.state,
  workload: job.workload,
  progress: Math.min(1, Math.max(0, job.progress)),
  hold: job.hold,
  charged: job.charged,
  outputHash: job.output_hash,
  outputBytes: job.output_bytes,
  failure: job.failure,
});

export const leaseMessage = (job: Job, leaseId: Lease['leaseId'], deadline: UnixMs): Lease => ({
  leaseId,
  jobId: job.job_id,
  workload: job.workload,
  version: job.version,
  image: job.image,
  lane: job.lane,
  params: job.params,
  inputHash: job.input_hash,
  inputBytes: job.input_bytes,
  price: job.price,
  deadline,
});
