import { z } from 'zod';
import type { Hex32, UnixMs } from '../core/primitives.ts';
import type { Sql } from './db.ts';
import { QUEUED_AND_NOT_DISABLED } from './disabled.ts';
import { type Job, jobColumns } from './jobs.ts';
import { integerCell, rowOf } from './rows.ts';

/** Who claims; `shy`: there are others, and what nobody here took is left to them for a while. */
export type Claimant = { readonly number: number; readonly shy: boolean };
const SHY_MS = 12_000;
/** Of one consumer and kind in one go, at least. */
const OF_EACH = 50;

const claimedRow = rowOf({ ...jobColumns, created_at: integerCell });

/**
 * Takes ready work of these kinds (`workload image lane`) for a replica until `until`: of each consumer the first few, and
 * of all of them the first `most`, the first of each before the second of any. Within a transaction of its own.
 */
export async function claim(
  sql: Sql,
  kinds: ReadonlySet<string>,
  most: number,
  now: UnixMs,
  until: UnixMs,
  { number, shy }: Claimant = { number: 0, shy: false },
): Promise<readonly Job[]> {
  if (kinds.size === 0) return [];
  const consumers = await consumersWaiting(sql);
  if (consumers.length === 0) return [];
  // One replica after the other: to lock each row before it is written would write it twice.
  await sql.exec("SELECT pg_advisory_xact_lock(hashtextextended('claim', 0))");
  const ofEach = Math.min(most, Math.max(OF_EACH, Math.ceil((2 * most) / (consumers.length * kinds.size))));
  const rows = await sql.query(
    claimedRow,
    `WITH found AS MATERIALIZED (
       SELECT waiting.* FROM unnest($6::text[]) AS consumers (consumer) CROSS JOIN unnest($3::text[]) AS kinds (kind)
       CROSS JOIN LATERAL (
         SELECT ctid, job_id, consumer, priority, created_at FROM queue
         WHERE queue.consumer = consumers.consumer AND queue.kind = kinds.kind AND claim_until <= $1
           AND NOT ($8 AND claimed_by = $7 AND claim_until > $9)
           AND ${QUEUED_AND_NOT_DISABLED}
         ORDER BY priority DESC, created_at, job_id LIMIT $5
       ) AS waiting
     ), chosen AS MATERIALIZED (
       SELECT ctid FROM (
         SELECT ctid, job_id, created_at,
           row_number() OVER (PARTITION BY consumer ORDER BY priority DESC, created_at, job_id) AS place
         FROM found
       ) AS ranked ORDER BY place, created_at, job_id LIMIT $4
     ), claimed AS (
       UPDATE queue SET claim_until = $2, claimed_by = $7
       WHERE ctid = ANY (ARRAY(SELECT ctid FROM chosen)) AND claim_until <= $1 RETURNING job_id
     )
     SELECT jobs.* FROM claimed JOIN jobs USING (job_id)`,
    [now, until, [...kinds], most, ofEach, consumers, number, shy, now - SHY_MS],
  );
  return [...rows].sort((a, b) => a.created_at - b.created_at || (a.job_id < b.job_id ? -1 : 1));
}

/** Who has open jobs, found by walking along the index from one to the next: it costs what there are of them. */
async function consumersWaiting(sql: Sql): Promise<readonly string[]> {
  const rows = await sql.query(
    z.object({ consumer: z.string() }),
    `WITH RECURSIVE consumers AS (
       (SELECT consumer FROM queue ORDER BY consumer LIMIT 1)
       UNION ALL
       SELECT (SELECT queue.consumer FROM queue WHERE queue.consumer > consumers.consumer ORDER BY queue.consumer LIMIT 1)
       FROM consumers WHERE consumers.consumer IS NOT NULL
     ) SELECT consumer FROM consumers WHERE consumer IS NOT NULL`,
  );
  return rows.map(({ consumer }) => consumer);
}

/** Lets go of what was claimed, and if `until` is given of what is still claimed until then; from `from` on anybody may claim it. */
export async function release(
  sql: Sql,
  jobIds: readonly Hex32[],
  from: UnixMs,
  until: UnixMs | null = null,
): Promise<void> {
  if (jobIds.length === 0) return;
  await sql.exec(
    `UPDATE queue SET claim_until = $2 WHERE job_id = ANY ($1::text[]) AND ($3::bigint IS NULL OR claim_until = $3)`,
    [[...jobIds].sort(), from, until],
  );
}
