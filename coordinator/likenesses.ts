import { z } from 'zod';
import type { Comparison } from '../core/catalogue.ts';
import { type Hex32, hex32, type UnixMs } from '../core/primitives.ts';
import type { Sql } from './db.ts';
import type { Job } from './jobs.ts';
import type { LeaseRow } from './leases.ts';
import { exactly, type Likeness, type Likenesses } from './verification/comparison.ts';

/** What outputs that differ were found to be. Asked once for each pair, and the same for all replicas ever after. */

/** Two different outputs of one version of a workload; `a` is the lower one. */
export type Pair = { readonly workload: string; readonly version: string; readonly a: Hex32; readonly b: Hex32 };

/** A job, as far as its outputs are to be compared. */
export type Compared = {
  readonly job: Pick<Job, 'job_id' | 'workload' | 'version'>;
  readonly leases: readonly Pick<LeaseRow, 'state' | 'output_hash'>[];
};

/** How this version of a workload is compared; null: the catalogue has another one by now. */
export type ComparisonOf = (workload: string, version: string) => Comparison | null;

const likeness = z.enum(['same', 'different', 'unclear']);
const pairRow = z.object({ workload: z.string(), version: z.string(), a: hex32, b: hex32, likeness });

const nameOf = ({ workload, version, a, b }: Pair): string => [workload, version, a, b].join(' ');

/** Every two outputs of the job that differ. */
export function pairsOf({ job: { workload, version }, leases }: Compared): readonly Pair[] {
  const outputs = leases.flatMap(({ state, output_hash: hash }) =>
    state === 'finished' && hash !== null ? [hash] : [],
  );
  const distinct = [...new Set(outputs)].sort();
  return distinct.flatMap((a, at) => distinct.slice(at + 1).map((b) => ({ workload, version, a, b })));
}

const columnsOf = (pairs: readonly Pair[]) => [
  ...[pairs.map(({ workload }) => workload), pairs.map(({ version }) => version)],
  ...[pairs.map(({ a }) => a), pairs.map(({ b }) => b)],
];

async function found(sql: Sql, pairs: readonly Pair[]): Promise<ReadonlyMap<string, Likeness>> {
  if (pairs.length === 0) return new Map();
  const rows = await sql.query(
    pairRow,
    `SELECT workload, version, a, b, likeness FROM likenesses
     JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS asked (workload, version, a, b)
       USING (workload, version, a, b)`,
    columnsOf(pairs),
  );
  return new Map(rows.map((row) => [nameOf(row), row.likeness]));
}

/** The pairs of which nothing is known yet. */
export async function unknownOf(sql: Sql, pairs: readonly Pair[]): Promise<readonly Pair[]> {
  const known = await found(sql, pairs);
  return pairs.filter((pair) => !known.has(nameOf(pair)));
}

/** The first answer stands. */
export async function keepLikeness(sql: Sql, pair: Pair, is: Likeness, at: UnixMs): Promise<void> {
  await sql.exec(
    `INSERT INTO likenesses (workload, version, a, b, likeness, at) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT DO NOTHING`,
    [pair.workload, pair.version, pair.a, pair.b, is, at],
  );
}

/**
 * What is known of the outputs of these jobs, for all of them in at most one question; of a job null while one of its pairs is still to be
 * compared. Where bytes are equal, or have to be, it costs nothing. Where the catalogue has moved on nobody can say whether outputs that differ
 * are the same.
 */
export async function likenessesOf(
  sql: Sql,
  jobs: readonly Compared[],
  comparisonOf: ComparisonOf,
): Promise<(jobId: Hex32) => Likenesses | null> {
  const asked = jobs.flatMap((one) => {
    const pairs = pairsOf(one);
    const rule = pairs.length === 0 ? 'exact' : comparisonOf(one.job.workload, one.job.version);
    return rule === 'exact' ? [] : [{ job: one.job, gone: rule === null, pairs }];
  });
  if (asked.length === 0) return () => exactly;
  const known = await found(
    sql,
    asked.flatMap(({ pairs }) => pairs),
  );
  const answers = new Map(
    asked.map(({ job, gone, pairs }): [Hex32, Likenesses | null] => {
      if (!gone && pairs.some((pair) => !known.has(nameOf(pair)))) return [job.job_id, null];
      const { workload, version } = job;
      const of = (a: Hex32, b: Hex32) => known.get(nameOf({ workload, version, a, b })) ?? 'unclear';
      return [job.job_id, (a, b) => (a === b ? 'same' : a < b ? of(a, b) : of(b, a))];
    }),
  );
  return (jobId) => {
    const answer = answers.get(jobId);
    return answer === undefined ? exactly : answer;
  };
}

/** Jobs whose outputs have to be compared before anything is decided. */
export async function noteUndecided(sql: Sql, jobIds: readonly Hex32[], at: UnixMs): Promise<void> {
  if (jobIds.length === 0) return;
  await sql.exec(
    'INSERT INTO undecided (job_id, since) SELECT job_id, $2 FROM unnest($1::text[]) AS job (job_id) ON CONFLICT DO NOTHING',
    [jobIds, at],
  );
}

export async function forgetUndecided(sql: Sql, jobIds: readonly Hex32[]): Promise<void> {
  if (jobIds.length > 0) await sql.exec('DELETE FROM undecided WHERE job_id = ANY ($1::text[])', [jobIds]);
}

const undecidedRow = z.object({
  ...{ job_id: hex32, workload: z.string(), version: z.string() },
  state: z.enum(['queued', 'done', 'failed']),
});
export type Undecided = z.output<typeof undecidedRow>;

/** Those that wait longest. */
export const undecidedJobs = (sql: Sql, most: number): Promise<readonly Undecided[]> =>
  sql.query(
    undecidedRow,
    `SELECT job_id, workload, version, state FROM undecided JOIN jobs USING (job_id) ORDER BY since, job_id LIMIT $1`,
    [most],
  );
