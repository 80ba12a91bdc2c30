import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDb } from '../../coordinator/db.ts';
import { bookEpoch, owedByLedger, post } from '../../coordinator/ledger.ts';
import { owedByReceipts } from '../../coordinator/recount.ts';
import type { Address } from '../../core/primitives.ts';

/**
 * How long the books take on the embedded database: one transfer to many owners, an epoch that publishes for all of them, and both
 * calculators over receipts of ten items each. `--owners=100000`, `--receipts=100000`.
 */
const option = (name: string, fallback: number): number =>
  Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback);
const [owners, receipts] = [option('owners', 100_000), option('receipts', 100_000)];
const nameOf = (n: number): Address => `0x${n.toString(16).padStart(40, '0')}`;

const dir = await mkdtemp(join(tmpdir(), 'idlemesh-bench-books-'));
const db = await openDb(dir);
async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return Math.round(performance.now() - begun);
}
try {
  const leaves = Array.from({ length: owners }, (_, at) => ({ owner: nameOf(1 + at), cumulative: 1n }));
  const entries = leaves.map(({ owner }) => ({ account: `matured:${owner}`, amount: 1n }));
  entries.push({ account: 'external', amount: -BigInt(owners) });
  const transferMs = await timed(() => post(db, { kind: 'deposit', key: 'bench', at: 1, entries }));
  const epochMs = await timed(() => bookEpoch(db, 1, leaves, 1));
  await db.exec(
    `INSERT INTO reports (report_hash, device, sequence, value, signature, items, at)
     SELECT '0x' || lpad(to_hex(n), 64, '0'), 'device', n, '{}', '', '[]', 1 FROM generate_series(1, $1::int) AS n`,
    [receipts],
  );
  await db.exec(
    `INSERT INTO receipts (report_hash, owner, value, signature, outcomes, at)
     SELECT '0x' || lpad(to_hex(n), 64, '0'), '0x' || lpad(to_hex(n % 1000), 40, '0'), '{"credited":"10"}', '', (
       SELECT json_agg(json_build_object('leaseId', '0x' || lpad(to_hex(n * 10 + m), 64, '0'), 'kind', 'credited',
         'amount', '1'))::text FROM generate_series(1, 10) AS m), 1
     FROM generate_series(1, $1::int) AS n`,
    [receipts],
  );
  const before = process.memoryUsage().rss;
  const receiptsMs = await timed(() => owedByReceipts(db));
  const grownMiB = Math.round((process.memoryUsage().rss - before) / 2 ** 20);
  const ledgerMs = await timed(() => owedByLedger(db));
  const figures = { owners, transferMs, epochMs, receipts, items: receipts * 10, receiptsMs, ledgerMs, grownMiB };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
} finally {
  await db.close();
  await rm(dir, { recursive: true, force: true });
}
