import { z } from 'zod';
import { type Failure, fail } from '../core/errors.ts';
import { type Amount, sum } from '../core/money.ts';
import {
  type Address,
  address,
  type Hex32,
  hex32,
  signature as signatureSchema,
  type UnixMs,
} from '../core/primitives.ts';
import { type ItemOutcome, outcomesHash, type ReportItem, reportHash, type Struct } from '../core/typed-data.ts';
import { type CoordinatorMessage, encodeWire, itemOutcome, receipt } from '../core/wire.ts';
import { addCredits, holdCredits, keepMaturedTo, lockCredits, type NewCredit } from './credits.ts';
import { amountColumn, type Sql } from './db.ts';
import { block } from './devices.ts';
import { groupBy } from './group-by.ts';
import { account, creditedTo, type Entry, postAll } from './ledger.ts';
import type { Clock } from './options.ts';
import { forked, type Hashed, lastReports, type Sender, type SentReport, senderRow, stepFor } from './report-chain.ts';
import { maturesAt } from './shares.ts';
import type { Signer } from './signing.ts';
import { judgeItems, type ReportedLease } from './verify.ts';

export type ReceiptMessage = Extract<CoordinatorMessage, { type: 'receipt' }>;

export type ReportAnswer =
  | { readonly kind: 'receipt'; readonly message: ReceiptMessage }
  /** Two different reports with one sequence, both signed: proof against the device. */
  | { readonly kind: 'fork'; readonly sequence: number }
  /** Nothing was changed. */
  | { readonly kind: 'refused'; readonly failure: Failure };

const parsed = <T extends z.ZodType>(schema: T) =>
  z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(schema);
const receiptRow = z.object({
  report_hash: hex32,
  value: parsed(receipt),
  signature: signatureSchema,
  outcomes: parsed(z.array(itemOutcome)),
});

/** Outcomes of unknown leases are not kept: the items, which the report's hash covers, give them back. */
function allOutcomes(items: readonly ReportItem[], kept: readonly ItemOutcome[]): ItemOutcome[] {
  const known = new Set(kept.map((outcome) => outcome.leaseId));
  const inOrder = kept.values();
  return items.map(({ leaseId }): ItemOutcome => {
    if (!known.has(leaseId)) return { leaseId, kind: 'refused', reason: 'unknown-lease' };
    return inOrder.next().value ?? fail('INTERNAL', 'a receipt has fewer outcomes than its report');
  });
}

type Stored = z.output<typeof receiptRow>;

const fromStore = ({ value, signature, outcomes }: Stored, items: readonly ReportItem[]): ReceiptMessage => ({
  ...{ type: 'receipt', value, signature },
  outcomes: allOutcomes(items, outcomes),
});

async function storedReceipts(sql: Sql, hashes: readonly Hex32[]): Promise<ReadonlyMap<Hex32, Stored>> {
  const rows = await sql.query(
    receiptRow,
    'SELECT report_hash, value, signature, outcomes FROM receipts WHERE report_hash = ANY ($1::text[])',
    [hashes],
  );
  return new Map(rows.map((row) => [row.report_hash, row]));
}

/** Keeps the proof, blocks the device, and lets nothing of its mature that has not. */
async function punishFork(sql: Sql, report: Hashed, at: UnixMs): Promise<void> {
  const { hash, value, signature } = report;
  await sql.exec(
    `INSERT INTO report_forks (report_hash, device, sequence, value, signature, at) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT DO NOTHING`,
    [hash, value.device, value.sequence, encodeWire(value), signature, at],
  );
  await block(sql, value.device, forked(report));
  await holdCredits(sql, { device: value.device }, forked(report), at);
}

/**
 * Answers reports whose signatures were checked, in order, as if each had come alone; a group of them is one transaction, so that
 * there is no receipt without its credit, and the same report sent again gets the very same receipt. Refused are: BAD_INPUT, a
 * report that contradicts its items; CONFLICT, one that does not follow the last; REFUSED, one of a blocked device. A fork is kept
 * as proof and blocks the device, with the answer. `maturityMs`: for so long what is credited can be clawed back.
 */
export async function acceptReports(
  sql: Sql,
  signer: Signer,
  clock: Clock,
  sent: readonly SentReport[],
  maturityMs = 0,
): Promise<readonly ReportAnswer[]> {
  const reports = sent.map((report): Hashed => ({ ...report, hash: reportHash(report.value) }));
  const devices = [...new Set(reports.map(({ value }) => value.device))];
  // One group with a device at a time, also when it speaks to two coordinators.
  const rows = await sql.query(
    senderRow,
    'SELECT device, blocked FROM devices WHERE device = ANY ($1::text[]) ORDER BY device FOR UPDATE',
    [devices],
  );
  const blocked = new Map(rows.map((row) => [row.device, row.blocked]));
  const stored = await storedReceipts(
    sql,
    reports.map(({ hash }) => hash),
  );
  const last = await lastReports(sql, devices);
  const senders = new Map(
    devices.map((device): [Address, Sender] => [
      device,
      { blocked: blocked.get(device) ?? null, last: last.get(device) ?? null },
    ]),
  );
  const fresh = new Map<Hex32, Hashed>();
  const steps = reports.map((report) => {
    const { hash } = report;
    const sender = senders.get(report.value.device) ?? fail('INTERNAL', 'a report without its device');
    const step = stepFor(report, sender, stored.has(hash) || fresh.has(hash));
    if (step.kind === 'accept') fresh.set(hash, report);
    return step;
  });

  const at = clock.now();
  const forks = steps.flatMap((step) => (step.kind === 'fork' ? [step.report] : []));
  // Who will hold credits locks them at once: two that share the lock first would wait for each other.
  const maturedTo = forks.length > 0 ? await lockCredits(sql) : await keepMaturedTo(sql);
  const receipts = await credit(sql, signer, [...fresh.values()], at, maturesAt(at, maturityMs, maturedTo));
  for (const report of forks) await punishFork(sql, report, at);
  return steps.map((step): ReportAnswer => {
    if (step.kind === 'refused') return step;
    const { hash, value, items } = step.report;
    if (step.kind === 'fork') return { kind: 'fork', sequence: value.sequence };
    const before = stored.get(hash);
    const message = before === undefined ? receipts.get(hash) : fromStore(before, items);
    return { kind: 'receipt', message: message ?? fail('INTERNAL', 'a report without its receipt') };
  });
}

type Judged = {
  readonly report: Hashed;
  readonly outcomes: readonly ItemOutcome[];
  readonly credits: readonly NewCredit[];
  readonly credited: Amount;
};

/** Stores reports that follow their last ones, with what they earn, and signs their receipts. */
async function credit(
  sql: Sql,
  signer: Signer,
  reports: readonly Hashed[],
  at: UnixMs,
  due: UnixMs,
): Promise<ReadonlyMap<Hex32, ReceiptMessage>> {
  if (reports.length === 0) return new Map();
  const leases = await reportedLeases(
    sql,
    reports.flatMap(({ items }) => items),
  );
  const judged = reports.map((report) => judge(report, leases));
  // What names no lease of these books is not worth its place in them: anybody can make it up.
  const known = <T extends { readonly leaseId: Hex32 }>(all: readonly T[]): string =>
    encodeWire(all.filter(({ leaseId }) => leases.has(leaseId)));
  await sql.exec(
    `INSERT INTO reports (report_hash, device, sequence, value, signature, items, at)
     SELECT *, $7::bigint FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[])`,
    [
      reports.map(({ hash }) => hash),
      ...[reports.map(({ value }) => value.device), reports.map(({ value }) => value.sequence)],
      reports.map(({ value }) => encodeWire(value)),
      ...[reports.map(({ signature }) => signature), reports.map(({ items }) => known(items)), at],
    ],
  );
  await addCredits(
    sql,
    judged.flatMap(({ credits }) => credits),
    due,
  );
  await postAll(
    sql,
    judged.map(({ report, credits, credited }) => ({
      ...{ kind: 'receipt', key: `receipt:${report.hash}`, at },
      entries: [
        ...[...groupBy(credits, ({ jobId }) => jobId)].map(
          ([jobId, own]): Entry => ({ account: account.hold(jobId), amount: -sum(own.map(({ amount }) => amount)) }),
        ),
        { account: account.pending(report.value.owner), amount: credited },
      ],
    })),
  );
  const earned = judged.flatMap(({ report, credits }) => credits.map(({ leaseId }) => [leaseId, report.hash] as const));
  await sql.exec(
    `UPDATE leases SET report_hash = earned.report_hash
     FROM unnest($1::text[], $2::text[]) AS earned (lease_id, report_hash) WHERE leases.lease_id = earned.lease_id`,
    [earned.map(([leaseId]) => leaseId), earned.map(([, hash]) => hash)],
  );

  const receipts = await signedReceipts(sql, signer, judged, at);
  await sql.exec(
    `INSERT INTO receipts (report_hash, owner, value, signature, outcomes, at, matures_at)
     SELECT *, $6::bigint, $7::bigint FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])`,
    [
      receipts.map(({ value }) => value.reportHash),
      receipts.map(({ value }) => value.owner),
      receipts.map(({ value }) => encodeWire(value)),
      receipts.map(({ signature }) => signature),
      ...[receipts.map(({ outcomes }) => known(outcomes)), at, due],
    ],
  );
  return new Map(receipts.map((message) => [message.value.reportHash, message]));
}

/** Marks what it credits as credited, for the reports that follow. */
function judge(report: Hashed, leases: Map<Hex32, OwnLease>): Judged {
  const { device, owner } = report.value;
  const outcomes = judgeItems(device, report.items, leases);
  const credits = outcomes.flatMap((outcome): readonly NewCredit[] => {
    if (outcome.kind !== 'credited') return [];
    const { leaseId, amount } = outcome;
    const lease = leases.get(leaseId) ?? fail('INTERNAL', 'a credited lease is unknown');
    leases.set(leaseId, { ...lease, credited: true });
    const { jobId, consumer, fee, dust } = lease;
    return [{ leaseId, jobId, consumer, owner, device, amount, fee, dust }];
  });
  return { report, outcomes, credits, credited: sum(credits.map(({ amount }) => amount)) };
}

/** Called when all is booked: each tells what its owner had been credited when its report had been. */
async function signedReceipts(
  sql: Sql,
  signer: Signer,
  judged: readonly Judged[],
  at: UnixMs,
): Promise<readonly ReceiptMessage[]> {
  const cumulative = new Map(
    await creditedTo(
      sql,
      judged.map(({ report }) => report.value.owner),
    ),
  );
  const receipts: ReceiptMessage[] = [];
  for (const { report, outcomes, credited } of [...judged].reverse()) {
    const { owner, device, sequence } = report.value;
    const all = cumulative.get(owner) ?? 0n;
    cumulative.set(owner, all - credited);
    const value: Struct<'Receipt'> = {
      ...{ reportHash: report.hash, owner, device, sequence, outcomesHash: outcomesHash(outcomes) },
      ...{ credited, cumulative: all, issuedAt: at },
    };
    const signature = await signer.sign('Receipt', value);
    receipts.unshift({ type: 'receipt', value, signature, outcomes: [...outcomes] });
  }
  return receipts;
}

const reportedRow = z.object({
  lease_id: hex32,
  job_id: hex32,
  device: z.string(),
  state: z.enum(['held', 'finished', 'accepted', 'rejected', 'gone']),
  output_hash: hex32.nullable(),
  report_hash: hex32.nullable(),
  consumer: address,
  price: amountColumn,
  pay: amountColumn,
  dust: amountColumn,
});

type OwnLease = ReportedLease & Pick<NewCredit, 'jobId' | 'consumer' | 'fee' | 'dust'>;

async function reportedLeases(sql: Sql, items: readonly ReportItem[]): Promise<Map<Hex32, OwnLease>> {
  const rows = await sql.query(
    reportedRow,
    `SELECT lease_id, leases.job_id, device, leases.state, leases.output_hash, report_hash, consumer, price, pay, dust
     FROM leases JOIN jobs ON jobs.job_id = leases.job_id
     WHERE lease_id = ANY ($1::text[]) ORDER BY lease_id FOR UPDATE OF leases`,
    [[...new Set(items.map((item) => item.leaseId))]],
  );
  return new Map(
    rows.map((row) => [
      row.lease_id,
      {
        leaseId: row.lease_id,
        jobId: row.job_id,
        device: row.device as Address,
        state: row.state,
        outputHash: row.output_hash,
        // What the provider was promised.
        price: row.pay,
        ...{ consumer: row.consumer, fee: row.price - row.pay - row.dust, dust: row.dust },
        credited: row.report_hash !== null,
      },
    ]),
  );
}
