import { DAY_MS, dayStartOf } from '../../agent/day.ts';
import type { Ledger } from '../../agent/ports.ts';
import type { DailyEarnings, EarningsEntry, EarningsPage, EarningsQuery } from '../../core/ipc.ts';
import { sum } from '../../core/money.ts';
import type { FakeRecord } from './ledger.ts';

const STATE: Readonly<Record<FakeRecord['state'], EarningsEntry['state'] | null>> = {
  held: null,
  dropped: null,
  finished: 'verifying',
  accepted: 'verified',
  rejected: 'refused',
  reported: 'reported',
  credited: 'credited',
  refused: 'refused',
};

export function totalsOfRecords(records: readonly FakeRecord[], dayStart: number): ReturnType<Ledger['totals']> {
  const total = (chosen: readonly FakeRecord[]) => sum(chosen.map((record) => record.amount));
  const credited = records.filter((record) => record.state === 'credited');
  const today = credited.filter((record) => record.at >= dayStart);
  return {
    verifying: total(records.filter((record) => ['finished', 'accepted', 'reported'].includes(record.state))),
    credited: total(credited),
    today: total(today),
    jobsToday: today.length,
  };
}

export function entriesOfRecords(records: readonly FakeRecord[], { before, limit }: EarningsQuery): EarningsPage {
  const older = records
    .map((record, index) => ({ record, index, state: STATE[record.state] }))
    .filter(({ record, state }) => state !== null && (before === null || record.at < before))
    .sort((a, b) => b.record.at - a.record.at || b.index - a.index);
  const last = older[Math.min(limit, older.length) - 1]?.record.at ?? 0;
  const page = older.filter(({ record }, place) => place < limit || record.at === last);
  return {
    entries: page.map(({ record: { lease, at, amount, report, detail }, state }) => {
      const { leaseId, lane, workload } = lease;
      return { leaseId, at, lane, workload, amount, state: state ?? 'verifying', report, detail };
    }),
    more: page.length < older.length,
  };
}

export function dailyOfRecords(
  records: readonly FakeRecord[],
  days: number,
  now: number,
  offset: number,
): DailyEarnings {
  const start = dayStartOf(now, offset) - (days - 1) * DAY_MS;
  const credited = records.filter((record) => record.state === 'credited' && record.at >= start);
  const lanes = [...new Set(['cpu' as const, ...credited.map((record) => record.lease.lane)])];
  return Array.from({ length: days }, (_, day) => start + day * DAY_MS).flatMap((dayStart) =>
    lanes.map((lane) => {
      const ours = credited.filter(
        (record) => dayStartOf(record.at, offset) === dayStart && record.lease.lane === lane,
      );
      return { dayStart, lane, amount: sum(ours.map((record) => record.amount)) };
    }),
  );
}
