import { z } from 'zod';
import { type Address, address, type Hex32, hex32, type UnixMs } from '../core/primitives.ts';
import { integerColumn, type Sql } from './db.ts';
import { fundCopies } from './funding.ts';
import { groupBy } from './group-by.ts';
import { insertJob, type Job, jobsNamed } from './jobs.ts';
import { type AgreedJob, canaryJobId, drawCanary } from './verification/canaries.ts';
import { drawId, type Secret, shuffled } from './verification/draw.ts';
import type { Party } from './verification/trust.ts';
import { workloadKey } from './verify.ts';

/**
 * Jobs that the network orders for itself, with the input of another under a new id: canaries, whose answer is known, and rechecks of
 * a result that is doubted. To a device they are like any other; the network's own address is their consumer, and `checks` pays.
 */

const seenRow = z.object({ origin: hex32, owner: address, network: z.string().nullable() });

/** Everybody who was ever given the input of these jobs, by the job that was ordered first, and who ordered that. */
async function whoSaw(sql: Sql, origins: readonly Hex32[]): Promise<ReadonlyMap<Hex32, readonly Party[]>> {
  if (origins.length === 0) return new Map();
  const rows = await sql.query(
    seenRow,
    `SELECT DISTINCT COALESCE(jobs.about, jobs.job_id) AS origin, leases.owner, leases.network
     FROM jobs JOIN leases USING (job_id) WHERE jobs.job_id = ANY ($1::text[]) OR jobs.about = ANY ($1::text[])
     UNION SELECT job_id, consumer, NULL FROM jobs WHERE job_id = ANY ($1::text[])`,
    [origins],
  );
  return groupBy(rows, ({ origin }) => origin);
}

/** For those of these jobs that are the network's own, who had their input by another job, too. */
export async function seenParties(
  sql: Sql,
  jobs: readonly Pick<Job, 'job_id' | 'about'>[],
): Promise<ReadonlyMap<Hex32, readonly Party[]>> {
  const own = jobs.flatMap(({ job_id, about }) => (about === null ? [] : [{ job_id, about }]));
  const seen = await whoSaw(
    sql,
    own.map(({ about }) => about),
  );
  return new Map(own.map(({ job_id, about }) => [job_id, seen.get(about) ?? []]));
}

type Order = {
  readonly jobId: Hex32;
  readonly origin: Job;
  readonly knownOutput: Hex32;
  readonly knownCopies: 1 | 2;
  readonly suspect: Hex32 | null;
};

/** Orders those that can be paid; once each, for their ids follow from what they are for. Answers which are there now. */
async function orderOwn(sql: Sql, network: Address, orders: readonly Order[], at: UnixMs): Promise<ReadonlySet<Hex32>> {
  const known = new Set(
    (
      await jobsNamed(
        sql,
        orders.map(({ jobId }) => jobId),
      )
    ).map(({ job_id }) => job_id),
  );
  const fresh = orders.filter(({ jobId }) => !known.has(jobId));
  const funded = await fundCopies(
    sql,
    fresh.map(({ jobId, origin }) => ({ jobId, missing: origin.price, checksHold: 0n })),
    at,
  );
  for (const { jobId, origin, knownOutput, knownCopies, suspect } of fresh) {
    if (!funded.has(jobId)) continue;
    const { workload, version, image, lane, params, input_hash, input_bytes, price, pay, dust } = origin;
    const work = { workload, version, image, lane, params, input_hash, input_bytes };
    const money = { price, pay, dust, hold: price, replicas: 0, priority: 0 } as const;
    await insertJob(sql, { job_id: jobId, consumer: network, ...work, ...money }, at);
    await sql.exec(
      'UPDATE jobs SET about = $2, known_output = $3, known_copies = $4, suspect = $5, checks_hold = $6 WHERE job_id = $1',
      [jobId, origin.about ?? origin.job_id, knownOutput, knownCopies, suspect, price.toString()],
    );
  }
  // What cannot be paid is not ordered, and has no hold that could wait for money.
  const late = fresh.flatMap(({ jobId }) => (funded.has(jobId) ? [] : [jobId]));
  await sql.exec('DELETE FROM underfunded WHERE job_id = ANY ($1::text[])', [late]);
  return new Set([...known, ...funded]);
}

export type Suspect = {
  readonly leaseId: Hex32;
  readonly jobId: Hex32;
  readonly outputHash: Hex32;
  /** Rechecks of it that ended without saying anything of it. */
  readonly tries: number;
};

const triesRow = z.object({ lease_id: hex32, tries: integerColumn });

/** Of these leases, of which nothing is known, how many rechecks are over. */
export async function triesOf(sql: Sql, leaseIds: readonly Hex32[]): Promise<ReadonlyMap<Hex32, number>> {
  if (leaseIds.length === 0) return new Map();
  const rows = await sql.query(
    triesRow,
    `SELECT suspect AS lease_id, COUNT(*) AS tries FROM jobs
     WHERE suspect = ANY ($1::text[]) AND state <> 'queued' GROUP BY suspect`,
    [leaseIds],
  );
  return new Map(rows.map(({ lease_id: leaseId, tries }) => [leaseId, tries]));
}

/** Each try has an id of its own, so that a kill in between orders it once. */
const recheckId = (secret: Secret, { leaseId, tries }: Suspect): Hex32 =>
  tries === 0 ? drawId(secret, 'recheck-id', leaseId) : drawId(secret, 'recheck-id', leaseId, tries);

/** A job as it would be ordered now; null: it would not be. */
export type OrderedNow = (job: Job) => Job | null;

/**
 * Has these results done again by others; false when there is not the money for all of them. What nobody would order now goes out as it
 * once was: that is all that can be compared with it.
 */
export async function orderRechecks(
  sql: Sql,
  secret: Secret,
  network: Address,
  suspects: readonly Suspect[],
  now: OrderedNow,
  at: UnixMs,
): Promise<boolean> {
  const origins = new Map(
    (
      await jobsNamed(
        sql,
        suspects.map(({ jobId }) => jobId),
      )
    ).map((job) => [job.job_id, job]),
  );
  const orders = suspects.flatMap((suspect): readonly Order[] => {
    const { leaseId, jobId, outputHash } = suspect;
    const then = origins.get(jobId);
    const origin = then === undefined ? undefined : (now(then) ?? then);
    const known = { knownOutput: outputHash, knownCopies: 1, suspect: leaseId } as const;
    return origin === undefined ? [] : [{ jobId: recheckId(secret, suspect), origin, ...known }];
  });
  return (await orderOwn(sql, network, orders, at)).size === orders.length;
}

/** The jobs that check these leases and that nobody has begun. */
export async function idleRechecks(sql: Sql, suspects: readonly Hex32[]): Promise<readonly Hex32[]> {
  const rows = await sql.query(
    z.object({ job_id: hex32 }),
    `SELECT job_id FROM jobs WHERE about IS NOT NULL AND suspect = ANY ($1::text[]) AND state = 'queued' AND NOT EXISTS (
       SELECT 1 FROM leases WHERE leases.job_id = jobs.job_id AND leases.state IN ('held', 'finished'))`,
    [suspects],
  );
  return rows.map((row) => row.job_id);
}

/** Canaries that are looked at for one lease, in an order of its own, and those that are kept of each kind. */
const LOOK_AT = 8;
const KEPT = 300;

export type CanaryFor = { readonly leaseId: Hex32; readonly kind: string; readonly party: Party };

type Agreed = AgreedJob & { readonly job: Job };

/** For each lease whose draw says so, a job that its device cannot know; those without one get work. */
export async function drawCanaries(
  sql: Sql,
  secret: Secret,
  leases: readonly CanaryFor[],
  now: OrderedNow,
): Promise<ReadonlyMap<Hex32, Job>> {
  if (leases.length === 0) return new Map();
  const pool = groupBy(
    await sql.query(
      z.object({ job_id: hex32, kind: z.string() }),
      'SELECT job_id, kind FROM agreed WHERE kind = ANY ($1::text[]) ORDER BY job_id',
      [[...new Set(leases.map(({ kind }) => kind))]],
    ),
    ({ kind }) => kind,
  );
  const looked = new Map(
    leases.map(({ leaseId, kind }) => [
      leaseId,
      shuffled(secret, 'canary-job', leaseId, pool.get(kind) ?? [])
        .slice(0, LOOK_AT)
        .map(({ job_id }) => job_id),
    ]),
  );
  const ids = [...new Set([...looked.values()].flat())];
  const seen = await whoSaw(sql, ids);
  const agreed = new Map(
    (await jobsNamed(sql, ids)).flatMap((then): readonly (readonly [Hex32, Agreed])[] => {
      const job = now(then);
      return job === null || job.output_hash === null
        ? []
        : [
            [
              job.job_id,
              {
                ...{ job, jobId: job.job_id, workload: job.workload, image: job.image, outputHash: job.output_hash },
                seenBy: seen.get(job.job_id) ?? [],
              },
            ],
          ];
    }),
  );
  return new Map(
    leases.flatMap(({ leaseId, kind, party }) => {
      const jobs = (looked.get(leaseId) ?? []).flatMap((id) => agreed.get(id) ?? []);
      const [first] = jobs;
      if (first === undefined || workloadKey(first.workload, first.image) !== kind) return [];
      const found = drawCanary(secret, leaseId, jobs, party, first);
      return found === null ? [] : [[leaseId, found.job] as const];
    }),
  );
}

/** Makes them jobs; answers those that could be paid, by lease. */
export async function orderCanaries(
  sql: Sql,
  secret: Secret,
  network: Address,
  canaries: ReadonlyMap<Hex32, Job>,
  at: UnixMs,
): Promise<ReadonlyMap<Hex32, Job>> {
  const orders = [...canaries].flatMap(([leaseId, origin]) =>
    origin.output_hash === null
      ? []
      : [{ leaseId, jobId: canaryJobId(secret, leaseId), origin, knownOutput: origin.output_hash }],
  );
  const there = await orderOwn(
    sql,
    network,
    orders.map((order) => ({ ...order, knownCopies: 2, suspect: null })),
    at,
  );
  const jobs = new Map((await jobsNamed(sql, [...there])).map((job) => [job.job_id, job]));
  return new Map(
    orders.flatMap(({ leaseId, jobId }) => {
      const job = jobs.get(jobId);
      return job === undefined ? [] : [[leaseId, job] as const];
    }),
  );
}

/** Of each kind the newest are kept. */
export async function forgetAgreed(sql: Sql): Promise<void> {
  await sql.exec(
    `DELETE FROM agreed USING (
       SELECT job_id, row_number() OVER (PARTITION BY kind ORDER BY at DESC, job_id) AS place FROM agreed
     ) AS ranked WHERE ranked.job_id = agreed.job_id AND ranked.place > $1`,
    [KEPT],
  );
}
