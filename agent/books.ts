import { asFailure, fail, isFailure } from '../core/errors.ts';
import type { Hex32 } from '../core/primitives.ts';
import type { Clock, Ledger, LedgerFactory, Log } from './ports.ts';

const PROBE_EVERY_MS = 2_000;

type Entry = { readonly write: (ledger: Ledger) => void; readonly written: (error: unknown) => void };

/**
 * The ledger behind a queue: what could not be written because the disk is full waits here, in order, and is written when
 * a probe succeeds. What waits is lost with the process, so nothing is acknowledged or sent before `durably` resolves.
 */
export type Books = {
  readonly open: (networkId: Hex32) => boolean;
  readonly ledger: () => Ledger | null;
  /** Why the last write failed; null while writing works. */
  readonly fault: () => string | null;
  /** Resolves once written; rejects when the ledger refuses it or is closed before. */
  readonly durably: (write: (ledger: Ledger) => void) => Promise<void>;
  /** Writes now or throws DISK_FULL, and INTERNAL while none is open: for what may be refused or made again. */
  readonly now: (write: (ledger: Ledger) => void) => void;
  readonly close: () => void;
};

export function createBooks(ports: {
  readonly clock: Clock;
  readonly log: Log;
  readonly openLedger: LedgerFactory;
  readonly changed: () => void;
  /** A ledger is there, which says what is still in work. */
  readonly opened: (ledger: Ledger) => void;
}): Books {
  const { clock, log, changed } = ports;
  let ledger: Ledger | null = null;
  let wanted: Hex32 | null = null;
  let fault: string | null = null;
  let queue: Entry[] = [];
  let cancelProbe = (): void => undefined;

  function adopt(networkId: Hex32): Ledger {
    ledger = ports.openLedger(networkId);
    ports.opened(ledger);
    return ledger;
  }

  function failing(error: unknown): void {
    const detail = asFailure(error).message;
    if (fault === null) log('error', 'ledger-unwritable', { detail });
    fault = detail;
    cancelProbe();
    cancelProbe = clock.after(PROBE_EVERY_MS, recover);
    changed();
  }

  function recover(): void {
    try {
      if (ledger === null && wanted !== null) adopt(wanted);
      ledger?.probe();
    } catch (error) {
      failing(error);
      return;
    }
    fault = null;
    log('info', 'ledger-writable', { waiting: queue.length });
    flush();
    changed();
  }

  function flush(): void {
    while (ledger !== null && fault === null) {
      const entry = queue[0];
      if (entry === undefined) return;
      let error: unknown = null;
      try {
        entry.write(ledger);
      } catch (thrown) {
        if (isFailure(thrown, 'DISK_FULL')) {
          failing(thrown);
          return;
        }
        error = thrown;
      }
      queue.shift();
      entry.written(error);
    }
  }

  return {
    open(networkId) {
      wanted = networkId;
      try {
        adopt(networkId);
        fault = null;
        return true;
      } catch (error) {
        failing(error);
        return false;
      }
    },
    ledger: () => ledger,
    fault: () => fault,
    durably: (write) =>
      new Promise((resolve, reject) => {
        queue.push({ write, written: (error) => (error === null ? resolve() : reject(error)) });
        flush();
      }),
    now(write) {
      if (ledger === null) fail('INTERNAL', 'no ledger is open; nothing was written');
      try {
        write(ledger);
      } catch (error) {
        if (isFailure(error, 'DISK_FULL')) failing(error);
        throw error;
      }
    },
    close() {
      cancelProbe();
      wanted = null;
      fault = null;
      for (const entry of queue) entry.written(asFailure(new Error('the ledger was closed')));
      queue = [];
      ledger?.close();
      ledger = null;
    },
  };
}
