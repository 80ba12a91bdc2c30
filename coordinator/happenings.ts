import type { Address, Hex32, Signature, UnixMs } from '../core/primitives.ts';
import type { ResultItem } from '../core/typed-data.ts';
import type { DecidedJob } from './jobs.ts';
import type { LeaseRow } from './leases.ts';
import type { Loss } from './verify.ts';

/** Who gave a result: under its own signature, or as one of a batch. */
export type Evidence = { readonly signature: Signature } | { readonly batch: Hex32 };

/**
 * A job that is wanted once and the one lease that it has, as both were written when the lease went out. What has happened to them since
 * shows when the result is written.
 */
export type Sole = { readonly job: DecidedJob; readonly lease: LeaseRow };

/** What happens to jobs, from outside. */
export type Happening =
  | {
      readonly kind: 'result';
      readonly device: Address;
      readonly value: ResultItem;
      /** Bytes of the output as it is stored; null: it is not. */
      readonly stored: number | null;
      readonly evidence: Evidence;
      /** Where it is known: its job need not be read. */
      readonly sole?: Sole | null;
    }
  | { readonly kind: 'loss'; readonly leaseId: Hex32; readonly why: string; readonly loss: Loss }
  /** Nobody did it, or confirmed it, for too long. */
  /** What has waited since before `before` has waited too long. */
  | { readonly kind: 'age'; readonly jobId: Hex32; readonly before: UnixMs }
  /** More is known of how its outputs compare, or there may be the money for a copy that it wants. */
  | { readonly kind: 'look'; readonly jobId: Hex32 }
  /** Its consumer does not want it any more. */
  | { readonly kind: 'cancel'; readonly jobId: Hex32 };

/** A job or a lease is no longer as it was when the lease went out: nothing was written, and it is read. */
export class Moved extends Error {}

/** What happens, with nothing taken for known. */
export const asRead = (one: Happening): Happening => (one.kind === 'result' ? { ...one, sole: null } : one);

/** One of each job that was not read. */
export function solesOf(happenings: readonly Happening[], read: ReadonlySet<Hex32>): readonly Sole[] {
  const soles = new Map<Hex32, Sole>();
  for (const one of happenings) {
    if (one.kind === 'result' && one.sole && !read.has(one.sole.job.job_id)) soles.set(one.sole.job.job_id, one.sole);
  }
  return [...soles.values()];
}
