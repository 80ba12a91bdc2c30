import { asFailure } from '../core/errors.ts';
import type { CoordinatorMessage, Lease } from '../core/wire.ts';
import type { Books } from './books.ts';
import type { Jobs } from './jobs.ts';
import type { Ports } from './ports.ts';
import type { Reporting } from './reporting.ts';
import type { Wallet } from './wallet.ts';

type InboxOptions = {
  readonly ports: Pick<Ports, 'clock' | 'log'>;
  readonly books: Books;
  readonly jobs: Jobs;
  readonly reporting: Reporting;
  readonly wallet: Wallet;
  /** Leases that the last hello named. */
  readonly greetedWith: () => ReadonlySet<string>;
  /** A session has begun: the coordinator knows of no slots. */
  readonly welcomed: () => void;
  readonly mayRun: (work: Pick<Lease, 'lane' | 'image'>) => boolean;
  readonly wake: () => void;
};

/** Hands each message of the coordinator to whom it concerns. One that fails is logged and stops nothing. */
export function createInbox(options: InboxOptions): (message: CoordinatorMessage) => void {
  const { books, jobs, reporting, wallet, wake } = options;
  const { clock, log } = options.ports;

  function handle(message: CoordinatorMessage): void {
    switch (message.type) {
      case 'challenge':
        return;
      case 'welcome': {
        options.welcomed();
        const ours = new Set<string>(message.leases);
        for (const { leaseId } of jobs.held()) {
          if (options.greetedWith().has(leaseId) && !ours.has(leaseId))
            jobs.cancel(leaseId, 'the network has given it to another');
        }
        reporting.welcomed(message);
        wallet.refresh();
        return;
      }
      case 'lease':
        jobs.offer(message.lease, options.mayRun(message.lease));
        return;
      case 'leases':
        for (const lease of message.leases) jobs.offer(lease, options.mayRun(lease));
        return;
      case 'cancel':
        jobs.cancel(message.leaseId, message.reason);
        return;
      case 'result-stored':
        later(books.durably((ledger) => ledger.resultStored(message.leaseId, clock.now())));
        return;
      case 'results-stored':
        for (const leaseId of message.leaseIds) {
          later(books.durably((ledger) => ledger.resultStored(leaseId, clock.now())));
        }
        return;
      case 'verdict':
        later(books.durably((ledger) => ledger.settle(message.verdict, clock.now())));
        return;
      case 'verdicts':
        for (const verdict of message.verdicts) {
          later(books.durably((ledger) => ledger.settle(verdict, clock.now())));
        }
        return;
      case 'receipt':
        reporting.receipt(message);
        return;
      case 'epoch':
        wallet.refresh();
        return;
      case 'error':
        log('warn', 'coordinator-error', { code: message.code, detail: message.message, about: message.about });
        reporting.refused(message);
        return;
    }
  }

  function later(written: Promise<void>): void {
    written
      .catch((error: unknown) => log('error', 'ledger-refused', { detail: asFailure(error).message }))
      .finally(wake)
      .catch(() => undefined);
  }

  return (message) => {
    try {
      handle(message);
    } catch (error) {
      log('error', 'message-failed', { type: message.type, detail: asFailure(error).message });
    }
    wake();
  };
}
