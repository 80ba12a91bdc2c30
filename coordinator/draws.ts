import type { Hex32 } from '../core/primitives.ts';
import type { Verification } from './checks.ts';
import type { Context } from './context.ts';
import type { Sql } from './db.ts';
import { type CanaryFor, drawCanaries, orderCanaries } from './extra-jobs.ts';
import type { Sole } from './happenings.ts';
import type { Job } from './jobs.ts';
import { heldRow, insertLeases, type NewLease } from './leases.ts';
import type { Offer } from './matching.ts';
import { recordsOf } from './standing.ts';
import { asOrderedNow } from './tariff.ts';
import { isCanary } from './verification/canaries.ts';
import { isReplicated, isTrusted, replicationChance } from './verification/trust.ts';
import { workloadKey } from './verify.ts';

/** What is drawn for a lease when it is handed out: whether its result is compared, and whether it is a canary. */

/** A lease that is about to be handed out. */
export type Sent = {
  readonly offer: Offer;
  readonly lease: NewLease;
  readonly job: Job;
  /** The first of a job that is done once, as far as its device can know. */
  readonly first: boolean;
};

/** The leases that were written, with their jobs: a canary's is another than was asked for. */
export type Drawn = ReadonlyMap<Hex32, { readonly job: Job; readonly replicated: boolean }>;

/** null: there may be other copies of its job, now or later. */
export function soleOf({ job, lease, first, replicated }: Sent & { readonly replicated: boolean }): Sole | null {
  const alone = first && !replicated && lease.copy === 0 && lease.job_id === job.job_id && job.about === null;
  return alone ? { job, lease: heldRow(lease) } : null;
}

/** Writes them in one go, each with its draw. */
export async function writeLeases(context: Context, sent: readonly Sent[]): Promise<Drawn> {
  const { db, options, verification } = context;
  const at = options.clock.now();
  const leases = sent.map(({ lease }) => lease);
  if (verification === null) return drawn(sent, await insertLeases(db, leases, at), new Set());
  const { replicated, canaries } = await drawAll(context, verification, sent);
  const marked = leases.map((lease) => ({ ...lease, replicated: replicated.has(lease.lease_id) }));
  if (canaries.size === 0) return drawn(sent, await insertLeases(db, marked, at), replicated);
  return await db.tx((sql) => withCanaries(sql, context, verification, sent, marked, canaries));
}

const drawn = (sent: readonly Sent[], written: ReadonlySet<Hex32>, replicated: ReadonlySet<Hex32>): Drawn =>
  new Map(
    sent.flatMap(({ lease: { lease_id: leaseId }, job }) =>
      written.has(leaseId) ? [[leaseId, { job, replicated: replicated.has(leaseId) }] as const] : [],
    ),
  );

async function drawAll(
  { db, blobs, options }: Context,
  { secret, policy }: Verification,
  sent: readonly Sent[],
): Promise<{ readonly replicated: ReadonlySet<Hex32>; readonly canaries: ReadonlyMap<Hex32, Job> }> {
  const firsts = sent.filter(({ first }) => first);
  const kinds = firsts.map(({ job }) => workloadKey(job.workload, job.image));
  const records = await recordsOf(
    db,
    firsts.map(({ lease: { device }, job: { lane } }, at) => ({ device, lane, kind: kinds[at] ?? '' })),
  );
  const replicated = new Set<Hex32>();
  const wanted: CanaryFor[] = [];
  for (const [at, { lease, job, offer }] of firsts.entries()) {
    const record = records[at];
    if (record === undefined) continue;
    const { lease_id: leaseId } = lease;
    // Of what the device would get for it, and would lose: both without the network's fee.
    const chance = replicationChance(record.trust, job.pay, record.stake, policy);
    if (isReplicated(secret, leaseId, chance)) replicated.add(leaseId);
    if (!isTrusted(record.trust, policy) || !isCanary(secret, leaseId, policy)) continue;
    wanted.push({ leaseId, kind: kinds[at] ?? '', party: { owner: offer.owner, network: offer.network ?? null } });
  }
  const canaries = new Map<Hex32, Job>();
  for (const [leaseId, job] of await drawCanaries(db, secret, wanted, (then) => asOrderedNow(options, then))) {
    // Without its input the lease would be told apart.
    if ((await blobs.size(job.input_hash)) !== null) canaries.set(leaseId, job);
  }
  return { replicated, canaries };
}

/** A canary takes the place of the work, which then waits for the next device. */
async function withCanaries(
  sql: Sql,
  { options, signer }: Context,
  { secret }: Verification,
  sent: readonly Sent[],
  leases: readonly NewLease[],
  canaries: ReadonlyMap<Hex32, Job>,
): Promise<Drawn> {
  const at = options.clock.now();
  const ordered = await orderCanaries(sql, secret, signer.address, canaries, at);
  const written = await insertLeases(
    sql,
    leases.map((lease) => {
      const job = ordered.get(lease.lease_id);
      return job === undefined ? lease : { ...lease, job_id: job.job_id, copy: 0, replicated: true };
    }),
    at,
  );
  const marked = new Set(leases.flatMap(({ lease_id, replicated = false }) => (replicated ? [lease_id] : [])));
  const own = [...ordered].flatMap(([leaseId, job]) =>
    written.has(leaseId) ? [[leaseId, { job, replicated: true }] as const] : [],
  );
  return new Map([...drawn(sent, written, marked), ...own]);
}
