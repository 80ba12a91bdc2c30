import { decodeAmount } from '../../core/money.ts';
import { type Hex32, signature } from '../../core/primitives.ts';
import { lease as leaseSchema, reportItem, report as reportSchema, result as resultSchema } from '../../core/wire.ts';
import type { LeaseRecord, LeaseState, StoredReport } from '../ports.ts';

/** Tables of a device's ledger. `events` is the append-only truth; the others are derived from it in the same transaction. */
export const SCHEMA = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS events (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TRIGGER IF NOT EXISTS events_remain BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
CREATE TABLE IF NOT EXISTS leases (
  lease_id TEXT PRIMARY KEY,
  number INTEGER NOT NULL UNIQUE,
  state TEXT NOT NULL,
  at INTEGER NOT NULL,
  lease TEXT NOT NULL,
  result TEXT,
  result_signature TEXT,
  stored INTEGER NOT NULL DEFAULT 0,
  amount TEXT NOT NULL,
  report INTEGER,
  detail TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS leases_by_state ON leases (state, at);
CREATE INDEX IF NOT EXISTS leases_by_time ON leases (at);
CREATE TABLE IF NOT EXISTS reports (
  sequence INTEGER PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  report TEXT NOT NULL,
  signature TEXT NOT NULL,
  items TEXT NOT NULL,
  receipt TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS reports_open ON reports (sequence) WHERE receipt IS NULL;
CREATE TABLE IF NOT EXISTS probe (one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER NOT NULL) STRICT;
`;

export type LeaseRow = {
  readonly lease_id: Hex32;
  readonly state: string;
  readonly at: number;
  readonly lease: string;
  readonly result: string | null;
  readonly result_signature: string | null;
  readonly stored: number;
  readonly amount: string;
  readonly report: number | null;
  readonly detail: string | null;
};

export type ReportRow = {
  readonly sequence: number;
  readonly hash: string;
  readonly report: string;
  readonly signature: string;
  readonly items: string;
};

/** Asks the database; throws DISK_FULL when it cannot be read. */
export type Rows = <T>(sql: string, ...values: unknown[]) => readonly T[];

export const recordOf = (row: LeaseRow): LeaseRecord => ({
  lease: leaseSchema.parse(JSON.parse(row.lease)),
  state: row.state as LeaseState,
  at: row.at,
  amount: decodeAmount(row.amount),
  result:
    row.result === null
      ? null
      : {
          value: resultSchema.parse(JSON.parse(row.result)),
          signature: signature.parse(row.result_signature),
          stored: row.stored === 1,
        },
});

export const storedOf = (row: ReportRow): StoredReport => ({
  report: reportSchema.parse(JSON.parse(row.report)),
  signature: signature.parse(row.signature),
  items: reportItem.array().parse(JSON.parse(row.items)),
});
