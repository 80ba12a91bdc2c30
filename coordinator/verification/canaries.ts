import type { Hex32 } from '../../core/primitives.ts';
import { draw, drawId, type Secret } from './draw.ts';
import type { VerificationPolicy } from './policy.ts';
import { countAsOne, type Party } from './trust.ts';

/** A job whose output two or more parties agreed on, with everyone who ever had it. */
export type AgreedJob = {
  readonly jobId: Hex32;
  /** Of workload and image: a canary is given to who offers them, in the place of work of the same kind. */
  readonly workload: string;
  readonly image: string;
  readonly outputHash: Hex32;
  readonly seenBy: readonly Party[];
};

/** Whether the lease is to be a canary; known only once its id is drawn, that is when it is handed out. */
export const isCanary = (secret: Secret, leaseId: Hex32, policy: VerificationPolicy): boolean =>
  draw(secret, 'canary', leaseId) < policy.canaries;

/** Whoever saw the input would know it again, and so would who shares its line or its purse. */
export const mayServe = (job: AgreedJob, to: Party): boolean => !job.seenBy.some((seen) => countAsOne(seen, to));

/** The canary for this lease; null: there is none that this device could not know, and it gets work. */
export function drawCanary<Job extends AgreedJob>(
  secret: Secret,
  leaseId: Hex32,
  jobs: readonly Job[],
  to: Party,
  kind: { readonly workload: string; readonly image: string },
): Job | null {
  const fit = jobs.filter((job) => job.workload === kind.workload && job.image === kind.image && mayServe(job, to));
  return fit[Math.floor(draw(secret, 'canary-job', leaseId) * fit.length)] ?? null;
}

/** The id under which the canary goes out: as new as that of any order, whose ids are digests too. */
export const canaryJobId = (secret: Secret, leaseId: Hex32): Hex32 => drawId(secret, 'canary-id', leaseId);
