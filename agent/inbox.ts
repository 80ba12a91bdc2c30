import { asFailure } from '../core/errors.ts';
import type { Hex32 } from '../core/primitives.ts';
import type { CoordinatorMessage, Lease, Verdict } from '../core/wire.ts';
import type { Books } from './books.ts';
import type { Jobs } from './jobs.ts';
import type { Lending } from './lending.ts';
import type { Ports } from './ports.ts';
import type { Renewals } from './renewals.ts';
import type { Reporting } from './reporting.ts';
import type { Trial } from './trial.ts';
import type { Wallet } from './wallet.ts';

type InboxOptions = {
  readonly ports: Pick<Ports, 'clock' | 'log'>;
  readonly books: Books;
  readonly jobs: Jobs;
  readonly renewals: Renewals;
  readonly reporting: Reporting;
  readonly wallet: Wallet;
  readonly trial: Trial;
  readonly lending: Pick<Lending, 'heard'>;
  /** Leases that the last hello named. */
  readonly greetedWith: () => ReadonlySet<string>;
  /** A session has begun: the coordinator knows of no slots. */
  readonly welcomed: () => void;
  readonly mayRun: (work: Pick<Lease, 'lane' | 'image'>) => boolean;
  readonly wake: () => void;
};

/** Hands each message of the coordinator to whom it concerns. One that fails is logged and stops nothing. */
export function createInbox(options: InboxOptions): (message: CoordinatorMessage) => void {
  const { books, jobs, reporting, wallet, trial, wake } = options;
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
        offered(message.lease);
        return;
      case 'leases':
        for (const lease of message.leases) offered(lease);
        return;
      case 'renewed':
        for (const { leaseId, deadline } of message.leases) options.renewals.renewed(leaseId, deadline);
        return;
      case 'cancel':
        jobs.cancel(message.leaseId, message.reason);
        return;
      case 'result-stored':
        stored(message.leaseId);
        return;
      case 'results-stored':
        for (const leaseId of message.leaseIds) stored(leaseId);
        return;
      case 'verdict':
        settled(message.verdict);
        return;
      case 'verdicts':
        for (const verdict of message.verdicts) settled(verdict);
        return;
      case 'receipt':
        reporting.receipt(message);
        return;
      case 'epoch':
        wallet.refresh();
        return;
      case 'gpu-challenge':
      case 'gpu-openings':
      case 'gpu-verdict':
        trial.heard(message, options.mayRun);
        return;
      case 'channel':
      case 'deliveries-open':
      case 'deliveries-booked':
      case 'agreements':
      case 'agreement':
      case 'agreement-ended':
      case 'audit':
      case 'storage-standing':
        options.lending.heard(message);
        return;
      case 'error':
        log('warn', 'coordinator-error', { code: message.code, detail: message.message, about: message.about });
        reporting.refused(message);
        return;
    }
  }

  const offered = (lease: Lease): void => jobs.offer(lease, options.mayRun(lease));
  const stored = (leaseId: Hex32): void => later(books.durably((ledger) => ledger.resultStored(leaseId, clock.now())));
  const settled = (verdict: Verdict): void => later(books.durably((ledger) => ledger.settle(verdict, clock.now())));

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
