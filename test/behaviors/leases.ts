import type { Ledger } from '../../agent/ports.ts';
import type { Hex32, Signature } from '../../core/primitives.ts';
import { ZERO_HASH } from '../../core/primitives.ts';
import { itemsHash, type ReportItem, reportHash, type Struct } from '../../core/typed-data.ts';
import type { Lease } from '../../core/wire.ts';
import { randomAddress, randomHex32 } from '../support/random.ts';

export const signature: Signature = `0x${'5'.repeat(130)}`;
export const owner = randomAddress();
export const device = randomAddress();
export const NOON = Date.UTC(2026, 0, 15, 12);
export const DAY = 86_400_000;

export const aLease = (price = 10n): Lease => ({
  ...{ leaseId: randomHex32(), jobId: randomHex32(), workload: 'transcode', version: '0.1.0', image: 'sha256:x' },
  ...{ lane: 'cpu', params: { height: '480' }, inputHash: randomHex32(), inputBytes: 5, price, deadline: NOON + DAY },
});
export const aResult = (leaseId: Hex32): Struct<'Result'> => ({
  ...{ leaseId, device, outputHash: randomHex32(), outputBytes: 3, startedAt: NOON, finishedAt: NOON + 1 },
});

/** A report over `items` that follows the ledger's last. */
export function aReport(ledger: Ledger, items: readonly ReportItem[], at = NOON): Struct<'Report'> {
  const last = ledger.lastReport()?.report;
  return {
    ...{ owner, device, sequence: (last?.sequence ?? 0) + 1, previous: last ? reportHash(last) : ZERO_HASH },
    ...{ periodStart: at, periodEnd: at, itemsHash: itemsHash(items), itemCount: items.length },
    total: items.reduce((total, item) => total + item.amount, 0n),
  };
}
