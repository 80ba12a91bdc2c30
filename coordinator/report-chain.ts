import { z } from 'zod';
import { type ErrorCode, Failure } from '../core/errors.ts';
import { sum } from '../core/money.ts';
import { type Address, address, type Hex32, hex32, type Signature, ZERO_HASH } from '../core/primitives.ts';
import { itemsHash, type ReportItem, type Struct } from '../core/typed-data.ts';
import { integerColumn, one, type Sql } from './db.ts';

export type Last = { readonly sequence: number; readonly reportHash: Hex32 };
const lastRow = z.object({ sequence: integerColumn, report_hash: hex32 });

/** The newest report of a device; null when none. */
export async function lastReport(sql: Sql, device: Address): Promise<Last | null> {
  const row = await one(
    sql,
    lastRow,
    'SELECT sequence, report_hash FROM reports WHERE device = $1 ORDER BY sequence DESC LIMIT 1',
    [device],
  );
  return row === null ? null : { sequence: row.sequence, reportHash: row.report_hash };
}

const lastOfRow = lastRow.extend({ device: address });
/** The newest report of each device that has one. */
export async function lastReports(sql: Sql, devices: readonly Address[]): Promise<ReadonlyMap<Address, Last>> {
  const rows = await sql.query(
    lastOfRow,
    `SELECT asked.device, last.sequence, last.report_hash FROM unnest($1::text[]) AS asked (device) CROSS JOIN LATERAL (
       SELECT sequence, report_hash FROM reports WHERE reports.device = asked.device ORDER BY sequence DESC LIMIT 1
     ) AS last`,
    [devices],
  );
  return new Map(rows.map((row) => [row.device, { sequence: row.sequence, reportHash: row.report_hash }]));
}

export type SentReport = {
  readonly value: Struct<'Report'>;
  readonly signature: Signature;
  readonly items: readonly ReportItem[];
};

export const senderRow = z.object({ device: address, blocked: z.string().nullable() });
/** Where a device stands, as report after report of it is looked at. */
export type Sender = { blocked: string | null; last: Last | null };

export type Hashed = SentReport & { readonly hash: Hex32 };
/** What is to be done with a report, by its chain alone. */
type Step =
  | { readonly kind: 'accept' | 'fork' | 'again'; readonly report: Hashed }
  | { readonly kind: 'refused'; readonly failure: Failure };

const refused = (code: ErrorCode, why: string, info = {}): Step => ({
  kind: 'refused',
  failure: new Failure(code, why, info),
});

/** `receipted`: there is a receipt for this very report, or will be before it is looked at. */
export function stepFor(report: Hashed, sender: Sender, receipted: boolean): Step {
  const { value, items, hash } = report;
  const { sequence } = value;
  if (value.itemsHash !== itemsHash(items) || value.itemCount !== items.length) {
    return refused('BAD_INPUT', 'the report names other items than the ones sent with it', { sequence });
  }
  if (receipted) return { kind: 'again', report };
  if (sender.blocked !== null) return refused('REFUSED', `the device is blocked: ${sender.blocked}`);
  if (value.total !== sum(items.map((item) => item.amount))) {
    return refused('BAD_INPUT', 'the total of the report is not the sum of its items', { sequence });
  }
  const { last } = sender;
  if (last !== null && sequence <= last.sequence) {
    sender.blocked = forked(report);
    return { kind: 'fork', report };
  }
  const next = (last?.sequence ?? 0) + 1;
  if (sequence !== next || value.previous !== (last?.reportHash ?? ZERO_HASH)) {
    const why = `report ${sequence} does not follow the last one; ${next} is next`;
    return refused('CONFLICT', why, { sequence, next });
  }
  sender.last = { sequence, reportHash: hash };
  return { kind: 'accept', report };
}

/** Why its device is blocked. */
export const forked = ({ value }: SentReport): string => `two reports with sequence ${value.sequence}`;
