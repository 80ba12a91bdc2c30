import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { asFailure, Failure, fail } from '../../core/errors.ts';
import { encodeAmount } from '../../core/money.ts';
import { type Hex32, type UnixMs, ZERO_HASH } from '../../core/primitives.ts';
import { reportHash } from '../../core/typed-data.ts';
import { encodeWire } from '../../core/wire.ts';
import type { Ledger, LedgerFactory } from '../ports.ts';
import { type LeaseRow, type ReportRow, type Rows, recordOf, SCHEMA, storedOf } from './ledger-store.ts';
import { dailyOf, entriesOf, totalsOf } from './ledger-views.ts';

/** SQLite result codes FULL, IOERR, READONLY, CANTOPEN: the disk's fault, not ours. */
const DISK_CODES: ReadonlySet<number> = new Set([13, 10, 8, 14]);
const DISK_TEXT = /SQLITE_(FULL|IOERR|READONLY|CANTOPEN)|ENOSPC|disk is full|disk I\/O error|unable to open|readonly/i;

function rethrow(error: unknown): never {
  if (error instanceof Failure) throw error;
  const { message } = asFailure(error);
  const raw = error instanceof Error && 'rawCode' in error ? Number(error.rawCode) & 0xff : 0;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (DISK_CODES.has(raw) || DISK_TEXT.test(`${code} ${message}`)) {
    return fail('DISK_FULL', `the ledger cannot be written: ${message}`, {}, error);
  }
  throw error;
}

const guarded = <T>(work: () => T): T => {
  try {
    return work();
  } catch (error) {
    return rethrow(error);
  }
};

/** The device's ledger of one network, in one SQLite file: each call is one durable transaction. Throws DISK_FULL. */
export function openLedgerFile(path: string): Ledger {
  const db = guarded(() => {
    const opened = new Database(path);
    opened.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=2000;');
    opened.exec(SCHEMA);
    return opened;
  });
  /** Grows with every write: what was computed from the tables is good while it stands still. */
  let version = 0;
  let totalsMemo: {
    readonly version: number;
    readonly day: UnixMs;
    readonly value: ReturnType<Ledger['totals']>;
  } | null = null;

  const rows: Rows = <T>(sql: string, ...values: unknown[]) =>
    guarded(() => db.prepare(sql).all(...values) as readonly T[]);
  const first = <T>(sql: string, ...values: unknown[]): T | null => rows<T>(sql, ...values)[0] ?? null;

  function write(work: () => void): void {
    guarded(() => {
      db.exec('BEGIN IMMEDIATE');
      try {
        work();
        db.exec('COMMIT');
      } catch (error) {
        // A full disk may have ended the transaction already; then there is nothing to roll back.
        try {
          db.exec('ROLLBACK');
        } catch {}
        throw error;
      }
    });
    version++;
  }
  const append = (kind: string, at: UnixMs, body: unknown): number =>
    Number(
      db.prepare('INSERT INTO events (at, kind, body) VALUES (?, ?, ?)').run(at, kind, encodeWire(body))
        .lastInsertRowid,
    );
  const leaseRow = (leaseId: Hex32) => first<LeaseRow>('SELECT * FROM leases WHERE lease_id = ?', leaseId);
  const lastRow = () => first<ReportRow>('SELECT * FROM reports ORDER BY sequence DESC LIMIT 1');

  return {
    hold(lease, at) {
      if (leaseRow(lease.leaseId) !== null) return;
      write(() => {
        const number = append('held', at, lease);
        db.prepare(
          "INSERT INTO leases (lease_id, number, state, at, lease, amount) VALUES (?, ?, 'held', ?, ?, ?)",
        ).run(lease.leaseId, number, at, encodeWire(lease), encodeAmount(lease.price));
      });
    },
    renew(leaseId, deadline, at) {
      const row = leaseRow(leaseId);
      if (row?.state !== 'held') return;
      const lease = { ...recordOf(row).lease, deadline };
      write(() => {
        append('renewed', at, { leaseId, deadline });
        db.prepare('UPDATE leases SET at = ?, lease = ? WHERE lease_id = ?').run(at, encodeWire(lease), leaseId);
      });
    },
    drop(leaseId, at, why) {
      if (leaseRow(leaseId)?.state !== 'held') return;
      write(() => {
        append('dropped', at, { leaseId, why });
        db.prepare("UPDATE leases SET state = 'dropped', at = ?, detail = ? WHERE lease_id = ?").run(at, why, leaseId);
      });
    },
    finish(leaseId, value, signed, at) {
      const row = leaseRow(leaseId);
      if (row?.state !== 'held') {
        if (row?.result === encodeWire(value)) return;
        fail('CONFLICT', `lease ${leaseId} is ${row?.state ?? 'unknown'} and cannot be finished`, { leaseId });
      }
      write(() => {
        append('finished', at, { value, signature: signed });
        db.prepare(
          "UPDATE leases SET state = 'finished', at = ?, result = ?, result_signature = ? WHERE lease_id = ?",
        ).run(at, encodeWire(value), signed, leaseId);
      });
    },
    resultStored(leaseId, at) {
      const row = leaseRow(leaseId);
      if (row === null || row.result === null || row.stored === 1) return;
      write(() => {
        append('result-stored', at, { leaseId });
        db.prepare('UPDATE leases SET stored = 1 WHERE lease_id = ?').run(leaseId);
      });
    },
    settle(verdict, at) {
      if (leaseRow(verdict.leaseId)?.state !== 'finished') return;
      write(() => {
        append('verdict', at, verdict);
        const accepted = verdict.kind === 'accepted';
        db.prepare('UPDATE leases SET state = ?, at = ?, stored = 1, amount = ?, detail = ? WHERE lease_id = ?').run(
          verdict.kind,
          at,
          encodeAmount(accepted ? verdict.amount : 0n),
          accepted ? null : verdict.reason,
          verdict.leaseId,
        );
      });
    },
    lease: (leaseId) => {
      const row = leaseRow(leaseId);
      return row === null ? null : recordOf(row);
    },
    leases: (states) =>
      rows<LeaseRow>(
        `SELECT * FROM leases WHERE state IN (${states.map(() => '?').join(', ')}) ORDER BY number`,
        ...states,
      ).map(recordOf),
    appendReport(stored, at) {
      const hash = reportHash(stored.report);
      const { sequence, previous } = stored.report;
      const same = first<ReportRow>('SELECT * FROM reports WHERE sequence = ?', sequence);
      if (same?.hash === hash) return;
      const last = lastRow();
      if (same !== null || sequence !== (last?.sequence ?? 0) + 1 || previous !== (last?.hash ?? ZERO_HASH)) {
        fail('CONFLICT', `report ${sequence} does not follow report ${last?.sequence ?? 0}`, { sequence });
      }
      write(() => {
        append('report', at, stored);
        db.prepare('INSERT INTO reports (sequence, hash, report, signature, items) VALUES (?, ?, ?, ?, ?)').run(
          sequence,
          hash,
          encodeWire(stored.report),
          stored.signature,
          encodeWire(stored.items),
        );
        for (const { leaseId } of stored.items) {
          const moved = db
            .prepare(
              "UPDATE leases SET state = 'reported', at = ?, report = ? WHERE lease_id = ? AND state = 'accepted'",
            )
            .run(at, sequence, leaseId);
          if (moved.changes !== 1) fail('CONFLICT', `lease ${leaseId} is not waiting for a report`, { leaseId });
        }
      });
    },
    lastReport: () => {
      const row = lastRow();
      return row === null ? null : storedOf(row);
    },
    report: (hash) => {
      const row = first<ReportRow>('SELECT * FROM reports WHERE hash = ?', hash);
      return row === null ? null : storedOf(row);
    },
    reportsToSend: (confirmed) =>
      rows<ReportRow>('SELECT * FROM reports WHERE receipt IS NULL OR sequence > ? ORDER BY sequence', confirmed).map(
        storedOf,
      ),
    appendReceipt(value, signed, outcomes, at) {
      const row = first<ReportRow & { receipt: string | null }>(
        'SELECT * FROM reports WHERE hash = ?',
        value.reportHash,
      );
      if (row === null) fail('NOT_FOUND', 'a receipt for a report that was never made', { sequence: value.sequence });
      if (row.receipt !== null) return;
      write(() => {
        append('receipt', at, { value, signature: signed, outcomes });
        db.prepare('UPDATE reports SET receipt = ? WHERE sequence = ?').run(
          encodeWire({ value, signature: signed, outcomes }),
          row.sequence,
        );
        const move = db.prepare(
          "UPDATE leases SET state = ?, at = ?, amount = ?, detail = ? WHERE lease_id = ? AND state = 'reported' AND report = ?",
        );
        for (const outcome of outcomes) {
          const credited = outcome.kind === 'credited';
          const amount = encodeAmount(credited ? outcome.amount : 0n);
          move.run(outcome.kind, at, amount, credited ? null : outcome.reason, outcome.leaseId, row.sequence);
        }
      });
    },
    totals(dayStart) {
      if (totalsMemo?.version !== version || totalsMemo.day !== dayStart) {
        totalsMemo = { version, day: dayStart, value: totalsOf(rows, dayStart) };
      }
      return totalsMemo.value;
    },
    entries: (query) => entriesOf(rows, query),
    daily: (days, now, offset) => dailyOf(rows, days, now, offset),
    probe: () =>
      write(() => {
        db.exec('INSERT INTO probe (one, count) VALUES (1, 1) ON CONFLICT (one) DO UPDATE SET count = count + 1');
      }),
    close: () => {
      db.close();
    },
  };
}

/** One file per network in `folder`: books of different networks never mix. */
export function ledgerFiles(folder: string): LedgerFactory {
  return (networkId) => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return openLedgerFile(join(folder, `ledger-${networkId.slice(2, 18)}.db`));
  };
}
