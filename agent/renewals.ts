import { asFailure } from '../core/errors.ts';
import type { Hex32, UnixMs } from '../core/primitives.ts';
import type { RunningJob } from '../core/snapshot.ts';
import type { DeviceMessage } from '../core/wire.ts';
import type { Books } from './books.ts';
import type { Clock, Log } from './ports.ts';

/** In one message. */
const MOST = 64;

/** More time for work that takes longer than its lease. */
export type Renewals = {
  /** Asks for it, for what runs and has used up half of what it has. */
  readonly consider: () => void;
  /** The coordinator waits until then. */
  readonly renewed: (leaseId: Hex32, deadline: UnixMs) => void;
  /** When there is something to consider next; Infinity: never. */
  readonly next: () => UnixMs;
};

export function createRenewals(options: {
  readonly clock: Clock;
  readonly log: Log;
  readonly books: Books;
  readonly running: () => readonly RunningJob[];
  /** The network's clock minus this device's, ms. */
  readonly skew: () => number;
  readonly send: (message: DeviceMessage) => boolean;
  readonly wake: () => void;
}): Renewals {
  const { clock, log, books } = options;

  /** What runs here, and when half of its time is over. What is frozen gets no more: others may do it by then. */
  const halves = (): readonly { readonly leaseId: Hex32; readonly at: UnixMs }[] => {
    const running = new Set(options.running().flatMap(({ leaseId, phase }) => (phase === 'running' ? [leaseId] : [])));
    return (books.ledger()?.leases(['held']) ?? [])
      .filter(({ lease }) => running.has(lease.leaseId))
      .map(({ lease: { leaseId, deadline }, at }) => ({ leaseId, at: (at + deadline - options.skew()) / 2 }));
  };

  return {
    consider() {
      const due = halves().filter(({ at }) => at <= clock.now());
      const leaseIds = due.map(({ leaseId }) => leaseId).slice(0, MOST);
      if (leaseIds.length > 0) options.send({ type: 'renew', leaseIds });
    },
    renewed(leaseId, deadline) {
      try {
        books.now((ledger) => ledger.renew(leaseId, deadline, clock.now()));
        options.wake();
      } catch (error) {
        log('warn', 'lease-not-renewed', { leaseId, detail: asFailure(error).message });
      }
    },
    next: () => Math.min(...halves().flatMap(({ at }) => (at > clock.now() ? [at] : [])), Number.POSITIVE_INFINITY),
  };
}
