import type { LeaseRecord, LeaseState, Ledger, StoredReport } from '../../agent/ports.ts';
import { fail } from '../../core/errors.ts';
import { type Hex32, type UnixMs, ZERO_HASH } from '../../core/primitives.ts';
import { reportHash } from '../../core/typed-data.ts';
import { dailyOfRecords, entriesOfRecords, totalsOfRecords } from './ledger-views.ts';

export type FakeRecord = LeaseRecord & { readonly report: number | null; readonly detail: string | null };

/** What is on the disk: it outlives the ledgers that are opened on it, as a file does. */
export class FakeDisk {
  full = false;
  readonly records = new Map<Hex32, FakeRecord>();
  readonly reports: { readonly stored: StoredReport; receipt: unknown }[] = [];
  open = 0;
}

export class FakeLedger implements Ledger {
  readonly #disk: FakeDisk;
  #closed = false;

  constructor(disk: FakeDisk) {
    this.#disk = disk;
    if (disk.full) fail('DISK_FULL', 'the disk is full');
    disk.open++;
  }
  #write(work: () => void): void {
    if (this.#closed) fail('INTERNAL', 'the ledger is closed');
    if (this.#disk.full) fail('DISK_FULL', 'the disk is full');
    work();
  }
  #move(leaseId: Hex32, from: LeaseState, change: Partial<FakeRecord>): void {
    const record = this.#disk.records.get(leaseId);
    if (record?.state !== from) return;
    this.#write(() => this.#disk.records.set(leaseId, { ...record, ...change }));
  }
  hold: Ledger['hold'] = (lease, at) => {
    if (this.#disk.records.has(lease.leaseId)) return;
    this.#write(() => {
      const fresh = {
        lease,
        state: 'held',
        at,
        amount: lease.price,
        result: null,
        report: null,
        detail: null,
      } as const;
      this.#disk.records.set(lease.leaseId, fresh);
    });
  };
  renew: Ledger['renew'] = (leaseId, deadline, at) => {
    const record = this.#disk.records.get(leaseId);
    if (record !== undefined) this.#move(leaseId, 'held', { at, lease: { ...record.lease, deadline } });
  };
  drop: Ledger['drop'] = (leaseId, at, detail) => this.#move(leaseId, 'held', { state: 'dropped', at, detail });
  finish: Ledger['finish'] = (leaseId, value, signature, at) => {
    const record = this.#disk.records.get(leaseId);
    if (record?.state !== 'held') {
      if (JSON.stringify(record?.result?.value) === JSON.stringify(value)) return;
      fail('CONFLICT', `lease ${leaseId} cannot be finished`);
    }
    this.#move(leaseId, 'held', { state: 'finished', at, result: { value, signature, stored: false } });
  };
  resultStored: Ledger['resultStored'] = (leaseId) => {
    const record = this.#disk.records.get(leaseId);
    if (!record?.result || record.result.stored) return;
    const result = { ...record.result, stored: true };
    this.#write(() => this.#disk.records.set(leaseId, { ...record, result }));
  };
  settle: Ledger['settle'] = (verdict, at) => {
    const result = this.#disk.records.get(verdict.leaseId)?.result ?? null;
    const accepted = verdict.kind === 'accepted';
    this.#move(verdict.leaseId, 'finished', {
      ...{ state: verdict.kind, at, amount: accepted ? verdict.amount : 0n, detail: accepted ? null : verdict.reason },
      result: result && { ...result, stored: true },
    });
  };
  lease: Ledger['lease'] = (leaseId) => {
    const record = this.#disk.records.get(leaseId);
    return record === undefined ? null : plain(record);
  };
  leases: Ledger['leases'] = (states) =>
    [...this.#disk.records.values()].filter((record) => states.includes(record.state)).map(plain);
  appendReport: Ledger['appendReport'] = (stored, at) => {
    const { sequence, previous } = stored.report;
    const same = this.#disk.reports.find((entry) => entry.stored.report.sequence === sequence);
    if (same && reportHash(same.stored.report) === reportHash(stored.report)) return;
    const last = this.lastReport();
    const expected = last === null ? ZERO_HASH : reportHash(last.report);
    if (same || sequence !== (last?.report.sequence ?? 0) + 1 || previous !== expected) {
      fail('CONFLICT', `report ${sequence} does not follow`);
    }
    for (const { leaseId } of stored.items) {
      if (this.#disk.records.get(leaseId)?.state !== 'accepted') fail('CONFLICT', `${leaseId} is not accepted`);
    }
    this.#write(() => this.#disk.reports.push({ stored, receipt: null }));
    for (const { leaseId } of stored.items)
      this.#move(leaseId, 'accepted', { state: 'reported', at, report: sequence });
  };
  lastReport: Ledger['lastReport'] = () => this.#disk.reports.at(-1)?.stored ?? null;
  report: Ledger['report'] = (hash) =>
    this.#disk.reports.find(({ stored }) => reportHash(stored.report) === hash)?.stored ?? null;
  reportsToSend: Ledger['reportsToSend'] = (confirmed) =>
    this.#disk.reports
      .filter(({ stored, receipt }) => receipt === null || stored.report.sequence > confirmed)
      .map((entry) => entry.stored);
  appendReceipt: Ledger['appendReceipt'] = (value, signature, outcomes, at: UnixMs) => {
    const entry = this.#disk.reports.find(({ stored }) => reportHash(stored.report) === value.reportHash);
    if (entry === undefined) fail('NOT_FOUND', 'a receipt for a report that was never made');
    if (entry.receipt !== null) return;
    this.#write(() => {
      entry.receipt = { value, signature, outcomes };
    });
    for (const outcome of outcomes) {
      const credited = outcome.kind === 'credited';
      this.#move(outcome.leaseId, 'reported', {
        ...{ state: outcome.kind, at, amount: credited ? outcome.amount : 0n },
        detail: credited ? null : outcome.reason,
      });
    }
  };
  totals: Ledger['totals'] = (dayStart) => totalsOfRecords([...this.#disk.records.values()], dayStart);
  entries: Ledger['entries'] = (query) => entriesOfRecords([...this.#disk.records.values()], query);
  daily: Ledger['daily'] = (days, now, offset) => dailyOfRecords([...this.#disk.records.values()], days, now, offset);
  probe: Ledger['probe'] = () => this.#write(() => undefined);
  close: Ledger['close'] = () => {
    if (!this.#closed) this.#disk.open--;
    this.#closed = true;
  };
}

const plain = ({ report: _report, detail: _detail, ...record }: FakeRecord): LeaseRecord => record;
