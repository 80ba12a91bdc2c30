import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Ledger } from '../../agent/ports.ts';
import { type Hex32, ZERO_HASH } from '../../core/primitives.ts';
import { outcomesHash, type ReportItem, reportHash, type Struct } from '../../core/typed-data.ts';
import { randomHex32 } from '../support/random.ts';
import { aLease, aReport, aResult, DAY, device, NOON, owner, signature } from './leases.ts';

/** What every ledger must do; `reopen` gives a new one on the same storage. */
export function ledgerBehaviour(
  name: string,
  make: () => Promise<{ open: () => Ledger; clean: () => Promise<void> }>,
): void {
  describe(`ledger: ${name}`, () => {
    let storage: Awaited<ReturnType<typeof make>>;
    let ledger: Ledger;
    beforeEach(async () => {
      storage = await make();
      ledger = storage.open();
    });
    afterEach(async () => {
      ledger.close();
      await storage.clean();
    });
    const reopen = (): void => {
      ledger.close();
      ledger = storage.open();
    };

    function accepted(price = 10n, at = NOON): ReportItem {
      const lease = aLease(price);
      const result = aResult(lease.leaseId);
      ledger.hold(lease, at);
      ledger.finish(lease.leaseId, result, signature, at);
      ledger.settle({ leaseId: lease.leaseId, kind: 'accepted', amount: price }, at);
      return { leaseId: lease.leaseId, outputHash: result.outputHash, amount: price };
    }
    function receipt(
      report: Struct<'Report'>,
      items: readonly ReportItem[],
      at = NOON,
      refuse: readonly Hex32[] = [],
    ): void {
      const outcomes = items.map(({ leaseId, amount }) =>
        refuse.includes(leaseId)
          ? ({ leaseId, kind: 'refused', reason: 'not-verified' } as const)
          : ({ leaseId, kind: 'credited', amount } as const),
      );
      const value = { reportHash: reportHash(report), owner, device, sequence: report.sequence, issuedAt: at };
      const sums = { outcomesHash: outcomesHash(outcomes), credited: report.total, cumulative: report.total };
      ledger.appendReceipt({ ...value, ...sums }, signature, outcomes, at);
    }
    function credited(price: bigint, at: number): ReportItem {
      const item = accepted(price, at);
      const report = aReport(ledger, [item], at);
      ledger.appendReport({ report, signature, items: [item] }, at);
      receipt(report, [item], at);
      return item;
    }

    test('puts off the deadline of a lease that is held, and of no other', () => {
      const lease = aLease(12n);
      ledger.hold(lease, NOON);
      ledger.renew(lease.leaseId, lease.deadline + 5, NOON + 1);
      reopen();
      const renewed = { ...lease, deadline: lease.deadline + 5 };
      expect(ledger.lease(lease.leaseId)).toMatchObject({ lease: renewed, state: 'held', at: NOON + 1 });
      ledger.drop(lease.leaseId, NOON + 2, 'over');
      ledger.renew(lease.leaseId, lease.deadline + 9, NOON + 3);
      ledger.renew(aLease().leaseId, 9, NOON + 3);
      expect(ledger.lease(lease.leaseId)).toMatchObject({ lease: renewed, state: 'dropped', at: NOON + 2 });
    });

    test('follows a lease from hold to credit and remembers each step', () => {
      const lease = aLease(12n);
      const result = aResult(lease.leaseId);
      ledger.hold(lease, NOON);
      expect(ledger.lease(lease.leaseId)).toEqual({ lease, state: 'held', at: NOON, amount: 12n, result: null });
      ledger.finish(lease.leaseId, result, signature, NOON + 1);
      reopen();
      expect(ledger.lease(lease.leaseId)).toMatchObject({
        state: 'finished',
        result: { value: result, signature, stored: false },
      });
      ledger.resultStored(lease.leaseId, NOON + 2);
      expect(ledger.lease(lease.leaseId)?.result?.stored).toBe(true);
      ledger.settle({ leaseId: lease.leaseId, kind: 'accepted', amount: 11n }, NOON + 3);
      expect(ledger.leases(['accepted'])).toMatchObject([{ lease, amount: 11n }]);
      const items = [{ leaseId: lease.leaseId, outputHash: result.outputHash, amount: 11n }];
      const report = aReport(ledger, items);
      ledger.appendReport({ report, signature, items }, NOON + 4);
      reopen();
      expect(ledger.lastReport()).toEqual({ report, signature, items });
      expect(ledger.reportsToSend(1)).toHaveLength(1);
      receipt(report, items, NOON + 5);
      reopen();
      expect(ledger.reportsToSend(1)).toEqual([]);
      expect(ledger.reportsToSend(0)).toEqual([{ report, signature, items }]);
      expect(ledger.report(reportHash(report))).toEqual({ report, signature, items });
      expect(ledger.report(randomHex32())).toBeNull();
      expect(ledger.lease(lease.leaseId)).toMatchObject({ state: 'credited', at: NOON + 5, amount: 11n });
    });

    test('a step that is repeated or out of turn changes nothing', () => {
      const item = accepted();
      const before = ledger.lease(item.leaseId);
      ledger.hold({ ...aLease(99n), leaseId: item.leaseId }, NOON + 9);
      ledger.drop(item.leaseId, NOON + 9, 'late');
      ledger.settle({ leaseId: item.leaseId, kind: 'rejected', reason: 'late' }, NOON + 9);
      expect(ledger.lease(item.leaseId)).toEqual(before);
      expect(() => ledger.finish(item.leaseId, aResult(item.leaseId), signature, NOON)).toThrow(
        expect.objectContaining({ code: 'CONFLICT' }),
      );
      expect(ledger.lease(randomHex32())).toBeNull();
    });

    test('never holds two reports with one sequence, nor one item twice, nor a gap', () => {
      const [first, second] = [accepted(), accepted()];
      const report = aReport(ledger, [first]);
      ledger.appendReport({ report, signature, items: [first] }, NOON);
      ledger.appendReport({ report, signature, items: [first] }, NOON);
      const conflict = expect.objectContaining({ code: 'CONFLICT' });
      const other = { ...report, periodEnd: report.periodEnd + 1 };
      expect(() => ledger.appendReport({ report: other, signature, items: [first] }, NOON)).toThrow(conflict);
      const again = aReport(ledger, [first]);
      expect(() => ledger.appendReport({ report: again, signature, items: [first] }, NOON)).toThrow(conflict);
      const gap = { ...aReport(ledger, [second]), sequence: 9 };
      expect(() => ledger.appendReport({ report: gap, signature, items: [second] }, NOON)).toThrow(conflict);
      const unchained = { ...aReport(ledger, [second]), previous: ZERO_HASH };
      expect(() => ledger.appendReport({ report: unchained, signature, items: [second] }, NOON)).toThrow(conflict);
      reopen();
      expect(ledger.lastReport()?.report).toEqual(report);
      expect(ledger.lease(second.leaseId)?.state).toBe('accepted');
    });

    test('a receipt counts once; refused items earn nothing and say why', () => {
      const items = [accepted(5n), accepted(7n)];
      const report = aReport(ledger, items);
      ledger.appendReport({ report, signature, items }, NOON);
      const refused = items[1]?.leaseId ?? '0x';
      receipt(report, items, NOON, [refused]);
      receipt(report, items, NOON + 5, []);
      expect(ledger.totals(NOON - 1)).toEqual({ verifying: 0n, credited: 5n, today: 5n, jobsToday: 1 });
      expect(ledger.entries({ before: null, limit: 9 }).entries).toMatchObject([
        { leaseId: refused, state: 'refused', detail: 'not-verified', report: 1, amount: 0n },
        { leaseId: items[0]?.leaseId, state: 'credited', detail: null, report: 1, amount: 5n },
      ]);
      expect(() => receipt(aReport(ledger, items), items)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }));
    });

    test('sums what is being verified, credited, and credited today', () => {
      credited(100n, NOON - DAY);
      credited(20n, NOON);
      accepted(3n);
      const lease = aLease(1n);
      ledger.hold(lease, NOON);
      expect(ledger.totals(NOON - 1)).toEqual({ verifying: 3n, credited: 120n, today: 20n, jobsToday: 1 });
    });

    test('pages its history without losing what happened at one moment', () => {
      const times = [1, 2, 2, 2, 3, 4].map((hour) => NOON + hour);
      const all = times.map((at) => credited(1n, at).leaseId).reverse();
      const seen: Hex32[] = [];
      for (let before: number | null = null; ; ) {
        const page = ledger.entries({ before, limit: 3 });
        seen.push(...page.entries.map((entry) => entry.leaseId));
        if (!page.more) break;
        before = page.entries.at(-1)?.at ?? 0;
      }
      expect(seen).toEqual(all);
    });

    test('days are local and those without earnings are there', () => {
      credited(4n, Date.UTC(2026, 0, 14, 23));
      expect(ledger.daily(2, NOON, 0).map((day) => day.amount)).toEqual([4n, 0n]);
      expect(ledger.daily(2, NOON, 120).map((day) => day.amount)).toEqual([0n, 4n]);
      expect(ledger.daily(1, NOON, 0)).toEqual([{ dayStart: Date.UTC(2026, 0, 15), lane: 'cpu', amount: 0n }]);
    });
  });
}
