import { z } from 'zod';
import type { JobFilter } from '../core/api-messages.ts';
import { canonicalJson } from '../core/keccak.ts';
import { type Hex32, hex32, type UnixMs } from '../core/primitives.ts';
import { type CoordinatorMessage, type JobState, type JobView, type Lease, params } from '../core/wire.ts';
import { one, type Sql } from './db.ts';
import type { LeaseRow } from './leases.ts';
import {
  addressCell,
  amountCell,
  bitCell,
  hex32Cell,
  integerCell,
  laneCell,
  oneOf,
  orNull,
  type RowOf,
  rowOf,
  textCell,
} from './rows.ts';
import { workloadKey } from './verify.ts';

/** Statements on jobs. */

type Params = Lease['params'];

/** Jobs of one order mostly have the same. */
let [lastParams, lastText]: [Params, string] = [{}, '{}'];
function paramsCell(value: unknown): Params {
  const text = textCell(value);
  if (text !== lastText) [lastParams, lastText] = [params.parse(JSON.parse(text)), text];
  return lastParams;
}

/** What a decision about a job needs of it. */
const decidedColumns = {
  job_id: hex32Cell,
  consumer: addressCell,
  workload: textCell,
  version: textCell,
  image: textCell,
  lane: laneCell,
  /** Of one accepted copy, and what its provider gets of it. */
  price: amountCell,
  pay: amountCell,
  hold: amountCell,
  replicas: bitCell,
  /** Whether it is running is what its leases say. */
  state: oneOf(['queued', 'done', 'failed']),
  /** What the network has put into its hold, and for a job of the network's own, what it is about: migrations/trust.ts. */
  checks_hold: amountCell,
  about: orNull(hex32Cell),
  known_output: orNull(hex32Cell),
  known_copies: integerCell,
  suspect: orNull(hex32Cell),
};
const decidedRow = rowOf(decidedColumns);
export type DecidedJob = RowOf<typeof decidedColumns>;
const DECIDED = Object.keys(decidedColumns).join(', ');

export const jobColumns = {
  ...decidedColumns,
  params: paramsCell,
  input_hash: hex32Cell,
  input_bytes: integerCell,
  dust: amountCell,
  rev: integerCell,
  priority: integerCell,
  charged: orNull(amountCell),
  output_hash: orNull(hex32Cell),
  output_bytes: orNull(integerCell),
  failure: orNull(textCell),
  /** By its consumer; its state is failed then. */
  cancelled_at: orNull(integerCell),
};
const jobRow = rowOf(jobColumns);
export type Job = RowOf<typeof jobColumns>;

export const isOver = ({ state }: Pick<Job, 'state'>): boolean => state !== 'queued';

export type NewJob = Pick<
  Job,
  | ('job_id' | 'consumer' | 'workload' | 'version' | 'image' | 'lane' | 'params' | 'input_hash' | 'input_bytes')
  | ('price' | 'pay' | 'dust' | 'hold' | 'replicas' | 'priority')
>;

/** Which devices can do it. */
export const kindOf = ({ workload, image, lane: of }: Pick<Job, 'workload' | 'image' | 'lane'>): string =>
  `${workloadKey(workload, image)} ${of}`;

/** A job is open as long as it stands in the queue. */
export async function insertJob(sql: Sql, job: NewJob, at: UnixMs): Promise<void> {
  await sql.exec(
    `WITH queued AS (
       INSERT INTO queue (job_id, consumer, kind, priority, created_at) VALUES ($1, $2, $17, $14, $13)
     ), reader AS (
       INSERT INTO readers (sha256, account) VALUES ($8, $2) ON CONFLICT DO NOTHING
     )
     INSERT INTO jobs (job_id, consumer, workload, version, image, lane, params, input_hash, input_bytes, price, hold,
       replicas, state, created_at, priority, pay, dust)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'queued', $13, $14, $15, $16)`,
    [
      ...[job.job_id, job.consumer, job.workload, job.version, job.image, job.lane, canonicalJson(job.params)],
      ...[job.input_hash, job.input_bytes, job.price.toString(), job.hold.toString(), job.replicas, at],
      ...[job.priority, job.pay.toString(), job.dust.toString(), kindOf(job)],
    ],
  );
}

export const findJob = (sql: Sql, jobId: string): Promise<Job | null> =>
  one(sql, jobRow, 'SELECT * FROM jobs WHERE job_id = $1', [jobId]);

export const jobsNamed = (sql: Sql, jobIds: readonly string[]): Promise<readonly Job[]> =>
  sql.query(jobRow, 'SELECT * FROM jobs WHERE job_id = ANY ($1::text[])', [jobIds]);

/**
 * These jobs and those of these leases, locked until the transaction ends: decisions about one job are taken one after the
 * other. In one order, so that two that lock many do not wait for each other.
 */
export const lockJobs = (
  sql: Sql,
  { jobIds, leaseIds }: { readonly jobIds: readonly string[]; readonly leaseIds: readonly string[] },
): Promise<readonly DecidedJob[]> =>
  sql.query(
    decidedRow,
    `SELECT ${DECIDED} FROM jobs
     WHERE job_id = ANY ($1::text[] || ARRAY(SELECT job_id FROM leases WHERE lease_id = ANY ($2::text[])))
     ORDER BY job_id FOR UPDATE`,
    [jobIds, leaseIds],
  );

const listColumns = { ...jobColumns, created_at: integerCell };
const listRow = rowOf(listColumns);
export type ListRow = RowOf<typeof listColumns>;

const FILTERS: Readonly<Record<JobFilter, string>> = {
  open: `AND state = 'queued'`,
  done: `AND state = 'done'`,
  failed: `AND state = 'failed' AND cancelled_at IS NULL`,
  cancelled: 'AND cancelled_at IS NOT NULL',
};

/** The consumer's jobs, newest first, from behind one of them on. */
export const jobsBefore = (
  sql: Sql,
  consumer: string,
  filter: JobFilter | null,
  before: { readonly createdAt: UnixMs; readonly jobId: string } | null,
  most: number,
): Promise<readonly ListRow[]> =>
  sql.query(
    listRow,
    `SELECT * FROM jobs WHERE consumer = $1 ${filter === null ? '' : FILTERS[filter]}
       AND (created_at, job_id) < ($2::bigint, $3::text) ORDER BY created_at DESC, job_id DESC LIMIT $4`,
    [consumer, before?.createdAt ?? Number.MAX_SAFE_INTEGER, before?.jobId ?? '', most],
  );

/** Open jobs from before `before` of which no copy that has a deadline after it is under way, or waits for another to agree. */
export async function agedJobs(sql: Sql, before: UnixMs, most = 200): Promise<readonly Hex32[]> {
  const rows = await sql.query(
    z.object({ job_id: hex32 }),
    `SELECT job_id FROM queue WHERE created_at < $1 AND NOT EXISTS (
       SELECT 1 FROM leases WHERE leases.job_id = queue.job_id AND leases.state IN ('held', 'finished') AND leases.deadline >= $1)
     ORDER BY created_at LIMIT $2`,
    [before, most],
  );
  return rows.map((row) => row.job_id);
}

export type JobEnd = Pick<
  Job,
  'job_id' | 'consumer' | 'charged' | 'output_hash' | 'output_bytes' | 'failure' | 'cancelled_at'
> & { readonly state: 'done' | 'failed' };

/**
 * Answers how many: one that is over does not end again. What was to be told at their end is due from then on. They are locked in the order of
 * `lockJobs`.
 */
export async function endJobs(sql: Sql, unordered: readonly JobEnd[], at: UnixMs): Promise<number> {
  if (unordered.length === 0) return 0;
  const ends = [...unordered].sort((a, b) => (a.job_id < b.job_id ? -1 : 1));
  return await sql.exec(
    `WITH ended AS MATERIALIZED (
       SELECT * FROM unnest($1::text[], $2::text[], $3::numeric[], $4::text[], $5::bigint[], $6::text[], $7::bigint[],
         $9::text[]) AS ended (job_id, state, charged, output_hash, output_bytes, failure, cancelled_at, consumer)
     ), told AS (
       UPDATE webhooks SET due_at = $8 FROM ended WHERE webhooks.job_id = ended.job_id AND webhooks.due_at IS NULL
     ), over AS (
       DELETE FROM queue USING ended WHERE queue.job_id = ended.job_id
     ), reader AS (
       INSERT INTO readers (sha256, account)
       SELECT DISTINCT output_hash, consumer FROM ended WHERE output_hash IS NOT NULL ORDER BY 1, 2
       ON CONFLICT DO NOTHING
     )
     UPDATE jobs SET state = ended.state, charged = ended.charged, output_hash = ended.output_hash,
       output_bytes = ended.output_bytes, failure = ended.failure, cancelled_at = ended.cancelled_at, rev = rev + 1
     FROM ended WHERE jobs.job_id = ended.job_id AND jobs.state = 'queued'`,
    [
      ...[ends.map((end) => end.job_id), ends.map(({ state }) => state)],
      ...[ends.map(({ charged }) => charged?.toString() ?? null), ends.map((end) => end.output_hash)],
      ...[ends.map((end) => end.output_bytes), ends.map(({ failure }) => failure)],
      ...[ends.map((end) => end.cancelled_at), at, ends.map(({ consumer }) => consumer)],
    ],
  );
}

/**
 * What the consumer sees. Each thing that can happen to a job or its leases raises the revision, so that it never falls:
 * leases are only added, end once and are judged once, and progress never falls.
 */
export function viewOf(job: Job, leases: readonly LeaseRow[]): JobView {
  const live = leases.filter(({ state }) => state === 'held' || state === 'finished');
  const progress = live.reduce((total, lease) => total + lease.progress, 0) / Math.max(live.length, job.replicas + 1);
  const steps = leases.map(
    (lease) => 1 + Math.floor(lease.progress * 100) + Number(lease.state !== 'held') + Number(JUDGED.has(lease.state)),
  );
  return {
    jobId: job.job_id,
    rev: job.rev + steps.reduce((total, step) => total + step, 0),
    state: shownState(job, live),
    workload: job.workload,
    progress: job.state === 'done' ? 1 : Math.min(1, progress),
    hold: job.hold,
    charged: job.charged,
    outputHash: job.output_hash,
    outputBytes: job.output_bytes,
    failure: job.failure,
  };
}

const JUDGED: ReadonlySet<string> = new Set(['accepted', 'rejected']);

function shownState(job: Job, live: readonly LeaseRow[]): JobState {
  if (job.cancelled_at !== null) return 'cancelled';
  if (job.state !== 'queued') return job.state;
  if (live.some(({ state }) => state === 'finished')) return 'verifying';
  return live.length > 0 ? 'running' : 'queued';
}

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
  price: job.pay,
  deadline,
});

export function leasesMessage(leases: readonly Lease[]): CoordinatorMessage {
  const [only] = leases;
  return leases.length === 1 && only !== undefined
    ? { type: 'lease', lease: only }
    : { type: 'leases', leases: [...leases] };
}
