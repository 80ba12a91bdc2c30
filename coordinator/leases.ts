import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { type Address, type Hex32, hex32, type UnixMs } from '../core/primitives.ts';
import type { Verdict } from '../core/wire.ts';
import { integerColumn, one, type Sql } from './db.ts';
import { NOT_DISABLED } from './disabled.ts';
import {
  addressCell,
  booleanCell,
  hex32Cell,
  integerCell,
  numberCell,
  oneOf,
  orNull,
  type RowOf,
  rowOf,
  textCell,
} from './rows.ts';
import type { Copy, LeaseState } from './verify.ts';

/** Statements on leases; those that are on the way of every task take many at once. */

const STATES = ['held', 'finished', 'accepted', 'rejected', 'gone'] as const satisfies readonly LeaseState[];

const leaseColumns = {
  lease_id: hex32Cell,
  job_id: hex32Cell,
  /** The how many-th of its job, from 0. */
  copy: integerCell,
  device: addressCell,
  owner: addressCell,
  deadline: integerCell,
  state: oneOf(STATES),
  counts_as_attempt: booleanCell,
  unable: booleanCell,
  why: orNull(textCell),
  progress: numberCell,
  output_hash: orNull(hex32Cell),
  output_bytes: orNull(integerCell),
  report_hash: orNull(hex32Cell),
  replicated: booleanCell,
  network: orNull(textCell),
};
const leaseRow = rowOf(leaseColumns);
export type LeaseRow = RowOf<typeof leaseColumns>;
const COLUMNS = Object.keys(leaseColumns).join(', ');
const idRow = rowOf({ lease_id: hex32Cell });

export const leasesOf = (sql: Sql, jobIds: readonly string[]): Promise<readonly LeaseRow[]> =>
  sql.query(leaseRow, `SELECT ${COLUMNS} FROM leases WHERE job_id = ANY ($1::text[]) ORDER BY job_id, copy`, [jobIds]);

export const findLease = (sql: Sql, leaseId: string): Promise<LeaseRow | null> =>
  one(sql, leaseRow, `SELECT ${COLUMNS} FROM leases WHERE lease_id = $1`, [leaseId]);

/** Throws NOT_FOUND. */
export async function requireLease(sql: Sql, device: Address, leaseId: Hex32): Promise<LeaseRow> {
  const lease = await findLease(sql, leaseId);
  if (lease === null || lease.device !== device) fail('NOT_FOUND', 'the device has no such lease', { leaseId });
  return lease;
}

/** Leases among `leaseIds`, whosever they are. */
export const leasesNamed = (sql: Sql, leaseIds: readonly string[]): Promise<readonly LeaseRow[]> =>
  sql.query(leaseRow, `SELECT ${COLUMNS} FROM leases WHERE lease_id = ANY ($1::text[])`, [leaseIds]);

/** Where the books keep the time up to which no lease with a deadline before it is held any more. */
export const OVER_KEY = 'leases-over-to';
const OVER = `COALESCE((SELECT value::bigint FROM meta WHERE key = '${OVER_KEY}'), 0)`;
/** No index tells what is held: it would be written anew with every result. */
export const HELD = `leases.state = 'held' AND leases.deadline > ${OVER}`;

export const heldBy = (sql: Sql, device: string): Promise<readonly LeaseRow[]> =>
  sql.query(leaseRow, `SELECT ${COLUMNS} FROM leases WHERE device = $1 AND ${HELD}`, [device]);

/** Leases that these devices hold since before a time. */
export async function heldByAny(sql: Sql, devices: readonly string[], before: UnixMs): Promise<readonly Hex32[]> {
  const rows = await sql.query(
    idRow,
    `SELECT lease_id FROM leases WHERE device = ANY ($1) AND ${HELD} AND issued_at < $2`,
    [devices, before],
  );
  return rows.map((row) => row.lease_id);
}

/** The first that are held behind their deadline, which lies after `from`. */
export const overdue = (sql: Sql, from: UnixMs, now: UnixMs, most: number): Promise<readonly LeaseRow[]> =>
  sql.query(
    leaseRow,
    `SELECT ${COLUMNS} FROM leases WHERE state = 'held' AND deadline > $1 AND deadline < $2 ORDER BY deadline LIMIT $3`,
    [from, now, most],
  );

/** From hand-out to deadline, renewals and all, unless the options say otherwise. */
export const LONGEST_LEASE_MS = 86_400_000;

/** Of these held leases the ones that end later now: at `until`, and no later than `longest` after they were handed out. */
export const renewLeases = (
  sql: Sql,
  device: string,
  leaseIds: readonly string[],
  until: UnixMs,
  longest: number,
): Promise<readonly Renewed[]> =>
  sql.query(
    renewedRow,
    `UPDATE leases SET deadline = LEAST($3::bigint, issued_at + $4::bigint)
     WHERE lease_id = ANY ($2::text[]) AND device = $1 AND state = 'held'
       AND deadline < LEAST($3::bigint, issued_at + $4::bigint) RETURNING lease_id AS "leaseId", deadline`,
    [device, leaseIds, until, longest],
  );
const renewedRow = z.object({ leaseId: hex32, deadline: integerColumn });
type Renewed = z.output<typeof renewedRow>;

export type NewLease = Pick<LeaseRow, 'lease_id' | 'job_id' | 'copy' | 'device' | 'owner' | 'deadline'> &
  Partial<Pick<LeaseRow, 'replicated' | 'network'>>;

/** A lease as it is once it is written. */
export const heldRow = ({ replicated = false, network = null, ...lease }: NewLease): LeaseRow => ({
  ...{ ...lease, replicated, network, state: 'held', counts_as_attempt: false, unable: false, why: null },
  ...{ progress: 0, output_hash: null, output_bytes: null, report_hash: null },
});

/**
 * Answers those that were written. One is not when its job is over, or has a lease of that number: somebody else knew more of
 * the job; or when its workload is disabled; or when it took so long to be written that nobody would find it overdue.
 */
export async function insertLeases(sql: Sql, asked: readonly NewLease[], at: UnixMs): Promise<ReadonlySet<Hex32>> {
  const leases = [...new Map([...asked].reverse().map((lease) => [`${lease.job_id} ${lease.copy}`, lease])).values()];
  // Not ON CONFLICT, which writes each row twice: who meets another's insert of the same moment is run again, and sees it.
  const rows = await sql.query(
    idRow,
    `INSERT INTO leases (lease_id, job_id, copy, device, owner, issued_at, deadline, state, replicated, network)
     SELECT fresh.lease_id, fresh.job_id, fresh.copy, fresh.device, fresh.owner, $7, fresh.deadline, 'held',
       fresh.replicated, fresh.network
     FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::bigint[], $8::boolean[], $9::text[])
       AS fresh (lease_id, job_id, copy, device, owner, deadline, replicated, network)
     JOIN jobs ON jobs.job_id = fresh.job_id AND jobs.state NOT IN ('done', 'failed') AND ${NOT_DISABLED}
     WHERE NOT EXISTS (SELECT 1 FROM leases WHERE leases.job_id = fresh.job_id AND leases.copy = fresh.copy)
       AND fresh.deadline > ${OVER}
     RETURNING lease_id`,
    [
      ...[leases.map((lease) => lease.lease_id), leases.map((lease) => lease.job_id), leases.map(({ copy }) => copy)],
      ...[leases.map(({ device }) => device), leases.map(({ owner }) => owner), leases.map(({ deadline }) => deadline)],
      at,
      ...[leases.map(({ replicated = false }) => replicated), leases.map(({ network = null }) => network)],
    ],
  );
  return new Set(rows.map((row) => row.lease_id));
}

/** A lease as it shall be from now on. */
export type LeaseChange = Pick<LeaseRow, 'lease_id' | 'state' | 'why' | 'counts_as_attempt' | 'unable'>;

export async function writeLeases(sql: Sql, changes: readonly LeaseChange[]): Promise<void> {
  if (changes.length === 0) return;
  await sql.exec(
    `UPDATE leases SET state = changed.state, why = changed.why, counts_as_attempt = changed.attempt, unable = changed.unable
     FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::boolean[])
       AS changed (lease_id, state, why, attempt, unable)
     WHERE leases.lease_id = changed.lease_id`,
    [
      ...[changes.map(({ lease_id }) => lease_id), changes.map(({ state }) => state), changes.map(({ why }) => why)],
      ...[changes.map((one) => one.counts_as_attempt), changes.map(({ unable }) => unable)],
    ],
  );
}

/** A lease that has had its result, with the proof of who gave it. */
export type LeaseResult = {
  readonly lease_id: Hex32;
  readonly device: Address;
  readonly state: 'finished' | 'accepted' | 'rejected';
  readonly why: string | null;
  readonly output_hash: Hex32;
  readonly output_bytes: number;
  /** The signed result and its signature, or the batch that it came in. */
  readonly result: string | null;
  readonly result_signature: string | null;
  readonly batch_hash: Hex32 | null;
};

/** Answers how many: a lease that is not held any more has no result. */
export async function writeResults(sql: Sql, results: readonly LeaseResult[]): Promise<number> {
  if (results.length === 0) return 0;
  return await sql.exec(
    `WITH fresh AS MATERIALIZED (
       SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[],
         $9::text[]) AS fresh (lease_id, state, why, output_hash, output_bytes, result, signature, batch_hash, device)
     ), named AS (
       UPDATE uploads SET named = TRUE FROM fresh
       WHERE account = fresh.device AND sha256 = fresh.output_hash AND NOT named
     )
     UPDATE leases SET state = fresh.state, why = fresh.why, progress = 1, output_hash = fresh.output_hash,
       output_bytes = fresh.output_bytes, result = fresh.result, result_signature = fresh.signature,
       batch_hash = fresh.batch_hash
     FROM fresh WHERE leases.lease_id = fresh.lease_id AND leases.state = 'held'`,
    [
      ...[results.map(({ lease_id }) => lease_id), results.map(({ state }) => state), results.map(({ why }) => why)],
      ...[results.map((one) => one.output_hash), results.map((one) => one.output_bytes)],
      ...[results.map(({ result }) => result), results.map((one) => one.result_signature)],
      ...[results.map((one) => one.batch_hash), results.map(({ device }) => device)],
    ],
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
     SELECT DISTINCT ON (batch_hash) batch_hash, device, results, signature
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS batch (batch_hash, device, results, signature)
     ORDER BY batch_hash ON CONFLICT DO NOTHING`,
    [
      ...[batches.map((batch) => batch.batch_hash), batches.map(({ device }) => device)],
      ...[batches.map(({ results }) => results), batches.map(({ signature }) => signature)],
    ],
  );
}

export const copyOf = (lease: LeaseRow): Copy => ({
  leaseId: lease.lease_id,
  ...{ device: lease.device, owner: lease.owner, network: lease.network },
  state: lease.state,
  outputHash: lease.output_hash,
  countsAsAttempt: lease.counts_as_attempt,
  unable: lease.unable,
});

/** What its device is told of a lease that was judged; `pay`: what it gets for a right result. */
export const verdictOf = (lease: Pick<LeaseRow, 'lease_id' | 'state' | 'why'>, pay: bigint): Verdict | null => {
  if (lease.state === 'accepted') return { leaseId: lease.lease_id, kind: 'accepted', amount: pay };
  if (lease.state === 'rejected') return { leaseId: lease.lease_id, kind: 'rejected', reason: lease.why ?? 'rejected' };
  return null;
};
