import { asFailure } from '../core/errors.ts';
import type { Hex32 } from '../core/primitives.ts';
import type { Books } from './books.ts';
import type { Ledger, Log } from './ports.ts';

/** The ends of leases on their way to the ledger, which a full disk may delay. */
export type LeaseEnds = {
  /** Asked for again before it is written, it is written once. */
  readonly write: (event: string, leaseId: Hex32, why: string, write: (ledger: Ledger) => void) => void;
  /** Its end is not written yet. */
  readonly under: (leaseId: Hex32) => boolean;
};

export function createLeaseEnds(options: {
  readonly books: Books;
  readonly log: Log;
  /** It is written, or never will be. */
  readonly done: (leaseId: Hex32) => void;
}): LeaseEnds {
  const { books, log, done } = options;
  const under = new Set<Hex32>();
  return {
    write(event, leaseId, why, write) {
      if (under.has(leaseId)) return;
      under.add(leaseId);
      const fields = { leaseId, why };
      books
        .durably(write)
        .then(() => log('info', event, fields))
        .catch((error: unknown) => {
          log('error', `${event}-not-written`, { ...fields, detail: asFailure(error).message });
        })
        .finally(() => {
          under.delete(leaseId);
          done(leaseId);
        })
        .catch(() => undefined);
    },
    under: (leaseId) => under.has(leaseId),
  };
}
