import type { DailyEarnings, EarningsEntry, EarningsPage, EarningsQuery } from '../../core/ipc.ts';
import { type Amount, decodeAmount, sum } from '../../core/money.ts';
import type { Lane, UnixMs } from '../../core/primitives.ts';
import { lease as leaseSchema } from '../../core/wire.ts';
import { DAY_MS, dayStartOf } from '../day.ts';
import type { Ledger } from '../ports.ts';
import type { LeaseRow, Rows } from './ledger-store.ts';

const EARNING_STATE: Readonly<Partial<Record<string, EarningsEntry['state']>>> = {
  finished: 'verifying',
  accepted: 'verified',
  reported: 'reported',
  credited: 'credited',
  refused: 'refused',
  rejected: 'refused',
};

const SHOWN = `state IN (${Object.keys(EARNING_STATE)
  .map((state) => `'${state}'`)
  .join(', ')})`;

const entryOf = (row: LeaseRow): EarningsEntry => {
  const { lane, workload } = leaseSchema.parse(JSON.parse(row.lease));
  const { report, detail, at } = row;
  const state = EARNING_STATE[row.state] ?? 'verifying';
  return { leaseId: row.lease_id, at, lane, workload, amount: decodeAmount(row.amount), state, report, detail };
};

export function totalsOf(rows: Rows, dayStart: UnixMs): ReturnType<Ledger['totals']> {
  const amounts = (where: string, ...values: unknown[]): readonly Amount[] =>
    rows<{ readonly amount: string }>(`SELECT amount FROM leases WHERE ${where}`, ...values).map((row) =>
      decodeAmount(row.amount),
    );
  const today = amounts("state = 'credited' AND at >= ?", dayStart);
  return {
    verifying: sum(amounts("state IN ('finished', 'accepted', 'reported')")),
    credited: sum(amounts("state = 'credited'")),
    today: sum(today),
    jobsToday: today.length,
  };
}

export function entriesOf(rows: Rows, { before, limit }: EarningsQuery): EarningsPage {
  const page = rows<LeaseRow>(
    `SELECT * FROM leases WHERE ${SHOWN} AND at < ? ORDER BY at DESC, number DESC LIMIT ?`,
    before ?? Number.MAX_SAFE_INTEGER,
    limit,
  );
  const oldest = page.at(-1)?.at ?? 0;
  // A page ends between two moments: one receipt credits many items at the same one.
  const known = new Set(page.map((row) => row.lease_id));
  const ties = rows<LeaseRow>(`SELECT * FROM leases WHERE ${SHOWN} AND at = ? ORDER BY number DESC`, oldest);
  return {
    entries: [...page, ...ties.filter((row) => !known.has(row.lease_id))].map(entryOf),
    more: rows(`SELECT 1 FROM leases WHERE ${SHOWN} AND at < ? LIMIT 1`, oldest).length > 0,
  };
}

export function dailyOf(rows: Rows, days: number, now: UnixMs, offset: number): DailyEarnings {
  const start = dayStartOf(now, offset) - (days - 1) * DAY_MS;
  const credited = rows<LeaseRow>("SELECT * FROM leases WHERE state = 'credited' AND at >= ?", start)
    .map(entryOf)
    .map(({ lane, amount, at }) => ({ lane, amount, day: dayStartOf(at, offset) }));
  const lanes: readonly Lane[] = [...new Set<Lane>(['cpu', ...credited.map((entry) => entry.lane)])];
  return Array.from({ length: days }, (_, index) => start + index * DAY_MS).flatMap((dayStart) =>
    lanes.map((lane) => ({
      dayStart,
      lane,
      amount: sum(credited.flatMap((entry) => (entry.day === dayStart && entry.lane === lane ? [entry.amount] : []))),
    })),
  );
}
