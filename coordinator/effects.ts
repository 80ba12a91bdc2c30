import type { Address, Hex32 } from '../core/primitives.ts';
import type { CoordinatorMessage } from '../core/wire.ts';
import type { Job } from './jobs.ts';
import type { LeaseRow } from './leases.ts';
import type { Party } from './verification/trust.ts';

/** A job that wants more leases. */
export type Reopened = {
  readonly job: Job;
  readonly leases: readonly LeaseRow[];
  readonly wanted: number;
  /** Had its input by another job. */
  readonly seen: readonly Party[];
};

/** What a transaction leaves to be told after it is committed; told before, a crash would make it a lie. */
export type Effects = {
  readonly messages: { readonly device: Address; readonly message: CoordinatorMessage }[];
  readonly jobs: Set<Hex32>;
  readonly reopened: Reopened[];
  /** Jobs that wait until their outputs are compared. */
  readonly undecided: Hex32[];
  /** Devices of which more is known now. */
  readonly judged: Set<Address>;
  /** Results that had their verdict. */
  readonly verdicts: { accepted: number; rejected: number };
};

export const noEffects = (): Effects => ({
  ...{ messages: [], jobs: new Set(), reopened: [], undecided: [], judged: new Set() },
  verdicts: { accepted: 0, rejected: 0 },
});

export function mergeEffects(into: Effects, from: Effects): void {
  into.messages.push(...from.messages);
  for (const jobId of from.jobs) into.jobs.add(jobId);
  into.reopened.push(...from.reopened);
  into.verdicts.accepted += from.verdicts.accepted;
  into.verdicts.rejected += from.verdicts.rejected;
  into.undecided.push(...from.undecided);
  for (const device of from.judged) into.judged.add(device);
}
