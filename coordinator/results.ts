import { findWorkload } from '../core/catalogue.ts';
import { fail } from '../core/errors.ts';
import { type Address, type Hex32, type Signature, sameAddress } from '../core/primitives.ts';
import type { Struct } from '../core/typed-data.ts';
import type { Context } from './context.ts';
import { findJob, findLease, heldBy, leasesNamed } from './jobs.ts';
import { lastReport } from './reports.ts';
import { type Effects, noEffects, settleLoss, settleResult, verdictOf } from './settle.ts';
import { requireSigned } from './signing.ts';

/**
 * Takes a device's signed result. Sent again it changes nothing and is acknowledged again; with another output it is a
 * CONFLICT. Throws REFUSED while the output is not uploaded or not what the result says.
 */
export async function receiveResult(
  context: Context,
  device: Address,
  value: Struct<'Result'>,
  signature: Signature,
): Promise<Effects> {
  const { db, domain, blobs, options } = context;
  const { leaseId } = value;
  const lease = await findLease(db, leaseId);
  if (lease === null || lease.device !== device || !sameAddress(value.device, device)) {
    fail('NOT_FOUND', 'the device has no such lease', { leaseId });
  }
  requireSigned(domain, 'Result', value, signature, device);
  const job = (await findJob(db, lease.job_id)) ?? fail('INTERNAL', 'a lease has no job', { leaseId });

  if (lease.state === 'gone') {
    const effects = noEffects();
    const reason = `the lease had ended before the result came: ${lease.why ?? 'unknown'}`.slice(0, 200);
    effects.messages.push({ device, message: { type: 'verdict', verdict: { leaseId, kind: 'rejected', reason } } });
    return effects;
  }
  if (lease.state !== 'held') {
    if (lease.output_hash !== value.outputHash) fail('CONFLICT', 'another result of this lease is stored', { leaseId });
    const effects = noEffects();
    effects.messages.push({ device, message: { type: 'result-stored', leaseId } });
    const verdict = verdictOf(lease, job.price);
    if (verdict !== null) effects.messages.push({ device, message: { type: 'verdict', verdict } });
    return effects;
  }

  if (value.finishedAt < value.startedAt) fail('BAD_INPUT', 'the result ends before it starts', { leaseId });
  const limit = findWorkload(options.catalogue, job.workload)?.limits.maxOutputBytes ?? 0;
  if (value.outputBytes > limit) fail('REFUSED', `the output may have at most ${limit} bytes`, { leaseId });
  const stored = await blobs.size(value.outputHash);
  if (stored === null) fail('REFUSED', 'upload the output before its result', { leaseId });
  if (stored !== value.outputBytes) fail('REFUSED', `the uploaded output has ${stored} bytes`, { leaseId });
  return await db.tx((sql) => settleResult(sql, lease.job_id, value, signature, options, options.clock.now()));
}

export type Resumed = {
  readonly held: readonly Hex32[];
  readonly lastReport: { readonly sequence: number; readonly reportHash: Hex32 } | null;
  readonly effects: Effects;
};

/**
 * Where a device that comes back stands. Leases it holds but does not name are given to others; what it awaits for the named
 * ones is sent again.
 */
export async function resume(context: Context, device: Address, named: readonly Hex32[]): Promise<Resumed> {
  const { db, options } = context;
  const effects = noEffects();
  const now = options.clock.now();
  for (const lease of await heldBy(db, device)) {
    if (named.includes(lease.lease_id)) continue;
    // Without progress it may never have arrived, which is nobody's failed attempt.
    const lost = await db.tx((sql) =>
      settleLoss(
        sql,
        lease,
        'the device came back without it',
        lease.progress > 0 ? 'attempt' : 'excused',
        options,
        now,
      ),
    );
    effects.messages.push(...lost.messages);
    for (const jobId of lost.jobs) effects.jobs.add(jobId);
  }
  const leases = (await leasesNamed(db, named)).filter((lease) => lease.device === device);
  for (const lease of leases) {
    const { lease_id: leaseId } = lease;
    if (lease.state === 'held') continue;
    if (lease.state === 'gone') {
      const reason = (lease.why ?? 'the lease is over').slice(0, 200);
      effects.messages.push({ device, message: { type: 'cancel', leaseId, reason } });
      continue;
    }
    effects.messages.push({ device, message: { type: 'result-stored', leaseId } });
    const job = await findJob(db, lease.job_id);
    const verdict = job === null ? null : verdictOf(lease, job.price);
    if (verdict !== null) effects.messages.push({ device, message: { type: 'verdict', verdict } });
  }
  return {
    held: leases.filter((lease) => lease.state === 'held').map((lease) => lease.lease_id),
    lastReport: await lastReport(db, device),
    effects,
  };
}
