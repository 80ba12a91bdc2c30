import { type Catalogue, type CatalogueEntry, completeParams, findWorkload } from '../core/catalogue.ts';
import type { DeviceMessage, Lease } from '../core/wire.ts';

export type DeclineReason = Extract<DeviceMessage, { type: 'decline' }>['reason'];

/** A lease that this device cannot do, and why. */
export type Misfit = { readonly reason: DeclineReason; readonly detail: string };

/** What the catalogue says of a lease's work; `memoryBytes`: of the owner's, for one such job. */
export function entryFor(lease: Lease, catalogue: Catalogue, memoryBytes: number): CatalogueEntry | Misfit {
  const entry = findWorkload(catalogue, lease.workload);
  if (entry === null || entry.version !== lease.version || entry.lane !== lease.lane) {
    return { reason: 'unknown-workload', detail: `${lease.workload}@${lease.version} is not in the catalogue here` };
  }
  if (entry.image !== lease.image)
    return { reason: 'unknown-workload', detail: 'the image differs from the catalogue' };
  const complete = completeParams(entry, lease.params);
  if (complete === null || Object.keys(complete).length !== Object.keys(lease.params).length) {
    return { reason: 'unknown-workload', detail: 'the parameters are not those of the catalogue' };
  }
  // The input lies in the container's memory beside its output and the program.
  const room = Math.min(entry.limits.memoryBytes, memoryBytes) / 4;
  if (lease.inputBytes > entry.limits.maxInputBytes || lease.inputBytes > room) {
    return { reason: 'too-large', detail: `${lease.inputBytes} bytes of input do not fit the owner's limits` };
  }
  return entry;
}
