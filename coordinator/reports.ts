import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { sum } from '../core/money.ts';
import {
  type Address,
  address,
  type Hex32,
  hex32,
  type Lane,
  lane,
  type Signature,
  signature as signatureSchema,
  type UnixMs,
  ZERO_HASH,
} from '../core/primitives.ts';
import {
  type ItemOutcome,
  itemsHash,
  outcomesHash,
  type ReportItem,
  reportHash,
  type Struct,
} from '../core/typed-data.ts';
import { type CoordinatorMessage, encodeWire, itemOutcome, receipt } from '../core/wire.ts';
import { addCredits, holdCredits, keepMaturedTo, type NewCredit } from './credits.ts';
import { amountColumn, integerColumn, one, type Sql } from './db.ts';
import { block } from './devices.ts';
import { groupBy } from './group-by.ts';
import { account, booksOf, type Entry, post } from './ledger.ts';
import type { Clock, CoordinatorOptions } from './options.ts';
import { checksBpsOf, checksOf, maturesAt } from './shares.ts';
import type { Signer } from './signing.ts';
import { type Terms, termsOf } from './terms.ts';
import type { VerificationPolicy } from './verification/policy.ts';
import { judgeItems, type ReportedLease } from './verify.ts';

export type ReceiptMessage = Extract<CoordinatorMessage, { type: 'receipt' }>;

export type ReportAnswer =
  | { readonly kind: 'receipt'; readonly message: ReceiptMessage }
  /** Two different reports with one sequence, both signed: proof against the device. */
  | { readonly kind: 'fork'; readonly sequence: number };

const lastRow = z.object({ sequence: integerColumn, report_hash: hex32 });

/** The newest report of a device; null when none. */
export async function lastReport(
  sql: Sql,
  device: Address,
): Promise<{ readonly sequence: number; readonly reportHash: Hex32 } | null> {
  const row = await one(
    sql,
    lastRow,
    'SELECT sequence, report_hash FROM reports WHERE device = $1 ORDER BY sequence DESC LIMIT 1',
    [device],
  );
  return row === null ? null : { sequence: row.sequence, reportHash: row.report_hash };
}

const parsed = <T extends z.ZodType>(schema: T) =>
  z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(schema);
const receiptRow = z.object({
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

async function storedReceipt(sql: Sql, hash: Hex32, items: readonly ReportItem[]): Promise<ReceiptMessage | null> {
  const row = await one(sql, receiptRow, 'SELECT value, signature, outcomes FROM receipts WHERE report_hash = $1', [
    hash,
  ]);
  return row === null ? null : { type: 'receipt', ...row, outcomes: allOutcomes(items, row.outcomes) };
}

type SentReport = {
  readonly value: Struct<'Report'>;
  readonly signature: Signature;
  readonly items: readonly ReportItem[];
};

/** How credits come to mature, and what of their fee pays for checks, in ten-thousandths of the price. */
export type Crediting = {
  readonly maturityMs?: number;
  readonly policy?: VerificationPolicy | null;
  readonly checksBps?: number;
};

export const creditingOf = (options: CoordinatorOptions): Crediting => ({
  maturityMs: options.maturityMs ?? 0,
  policy: options.verification ?? null,
  checksBps: checksBpsOf(options),
});

const blockedRow = z.object({ blocked: z.string().nullable() });

/** Keeps the proof, blocks the device, and lets nothing of its mature that has not. */
async function punishFork(sql: Sql, hash: Hex32, { value, signature }: SentReport, at: UnixMs): Promise<void> {
  const why = `two reports with sequence ${value.sequence}`;
  await sql.exec(
    `INSERT INTO report_forks (report_hash, device, sequence, value, signature, at) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT DO NOTHING`,
    [hash, value.device, value.sequence, encodeWire(value), signature, at],
  );
  await block(sql, value.device, why);
  await holdCredits(sql, { device: value.device }, why, at);
}

/**
 * Answers a report whose signature was checked. Report, receipt and credit are one transaction: there is no receipt without
 * its credit, and the same report sent again gets the very same receipt. A fork is kept as proof and blocks the device, with the
 * answer.
 * Throws BAD_INPUT when the report contradicts its items, CONFLICT when it does not follow the last one, REFUSED when the device
 * is blocked. `maturityMs`: for so long what is credited can be clawed back, where no policy says otherwise.
 */
export async function acceptReport(
  sql: Sql,
  signer: Signer,
  clock: Clock,
  sent: SentReport,
  { maturityMs = 0, policy = null, checksBps = 0 }: Crediting = {},
): Promise<ReportAnswer> {
  const { value, items } = sent;
  const { device, owner, sequence } = value;
  const hash = reportHash(value);

  if (value.itemsHash !== itemsHash(items) || value.itemCount !== items.length) {
    fail('BAD_INPUT', 'the report names other items than the ones sent with it', { sequence });
  }
  // One report of a device at a time, also when it speaks to two coordinators.
  const sender = await one(sql, blockedRow, 'SELECT blocked FROM devices WHERE device = $1 FOR UPDATE', [device]);
  const receipted = await storedReceipt(sql, hash, items);
  if (receipted !== null) return { kind: 'receipt', message: receipted };
  if (sender !== null && sender.blocked !== null) fail('REFUSED', `the device is blocked: ${sender.blocked}`);
  if (value.total !== sum(items.map((item) => item.amount))) {
    fail('BAD_INPUT', 'the total of the report is not the sum of its items', { sequence });
  }
  const last = await lastReport(sql, device);
  const at = clock.now();
  if (last !== null && sequence <= last.sequence) {
    await punishFork(sql, hash, sent, at);
    return { kind: 'fork', sequence };
  }
  const next = (last?.sequence ?? 0) + 1;
  if (sequence !== next || value.previous !== (last?.reportHash ?? ZERO_HASH)) {
    fail('CONFLICT', `report ${sequence} does not follow the last one; ${next} is next`, { sequence, next });
  }

  const maturedTo = await keepMaturedTo(sql);
  const due = maturesAt(at, maturityMs, maturedTo);
  const leases = await reportedLeases(sql, items);
  const outcomes = judgeItems(device, items, leases);
  // What names no lease of these books is not worth its place in them: anybody can make it up.
  const known = new Set(leases.keys());
  const isKnown = ({ leaseId }: { readonly leaseId: Hex32 }) => known.has(leaseId);
  await sql.exec(
    'INSERT INTO reports (report_hash, device, sequence, value, signature, items, at) VALUES ($1, $2, $3, $4, $5, $6, $7)',
    [hash, device, sequence, encodeWire(value), sent.signature, encodeWire(items.filter(isKnown)), at],
  );

  const credits = outcomes.flatMap((outcome): readonly NewCredit[] => {
    if (outcome.kind !== 'credited') return [];
    const { leaseId, amount } = outcome;
    const lease = leases.get(leaseId) ?? fail('INTERNAL', 'a credited lease is unknown');
    const { jobId, consumer, fee, dust, accrued } = lease;
    const checks = accrued === null ? 0n : checksOf(amount + fee + dust, fee, checksBps);
    const plain: Terms = { maturesAt: due, earlyAt: null, needs: null };
    const terms = accrued === null || policy === null ? plain : termsOf(accrued, maturedTo, policy);
    const origin = { byChecks: accrued?.byChecks ?? false, lane: accrued?.lane ?? null };
    return [{ leaseId, jobId, consumer, owner, device, amount, fee, dust, checks, terms, ...origin }];
  });
  await addCredits(sql, credits);
  const credited = sum(credits.map(({ amount }) => amount));
  const entries = [...groupBy(credits, ({ jobId }) => jobId)].map(
    ([jobId, own]): Entry => ({ account: account.hold(jobId), amount: -sum(own.map(({ amount }) => amount)) }),
  );
  entries.push({ account: account.pending(owner), amount: credited });
  await post(sql, { kind: 'receipt', key: `receipt:${hash}`, at, entries });
  const creditedIds = outcomes.filter((outcome) => outcome.kind === 'credited').map((outcome) => outcome.leaseId);
  await sql.exec('UPDATE leases SET report_hash = $2 WHERE lease_id = ANY ($1::text[])', [creditedIds, hash]);

  const answer: Struct<'Receipt'> = {
    reportHash: hash,
    owner,
    device,
    sequence,
    outcomesHash: outcomesHash(outcomes),
    credited,
    cumulative: (await booksOf(sql, owner)).credited,
    issuedAt: at,
  };
  const signature = await signer.sign('Receipt', answer);
  await sql.exec(
    `INSERT INTO receipts (report_hash, owner, value, signature, outcomes, at, matures_at, terms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      ...[hash, owner, encodeWire(answer), signature, encodeWire(outcomes.filter(isKnown)), at, due],
      policy === null
        ? null
        : JSON.stringify(credits.map(({ lane, terms }) => ({ of: `${device} ${lane}`, ...terms }))),
    ],
  );
  return { kind: 'receipt', message: { type: 'receipt', value: answer, signature, outcomes: [...outcomes] } };
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
  lane: lane.nullable(),
  ordinal: integerColumn.nullable(),
  accepted_at: integerColumn.nullable(),
  by_checks: z.boolean().nullable(),
});

/** As an accepted lease whose pay is not mature; null: it was accepted without a policy. */
type Accrued = {
  readonly lane: Lane;
  readonly ordinal: number;
  readonly acceptedAt: UnixMs;
  readonly byChecks: boolean;
};

function accruedOf({ lane: of, ordinal, accepted_at: acceptedAt, by_checks }: z.output<typeof reportedRow>) {
  if (of === null || ordinal === null || acceptedAt === null) return null;
  return { lane: of, ordinal, acceptedAt, byChecks: by_checks === true };
}

type Known = ReportedLease &
  Pick<NewCredit, 'jobId' | 'consumer' | 'fee' | 'dust'> & { readonly accrued: Accrued | null };

async function reportedLeases(sql: Sql, items: readonly ReportItem[]): Promise<ReadonlyMap<Hex32, Known>> {
  const rows = await sql.query(
    reportedRow,
    `SELECT leases.lease_id, leases.job_id, leases.device, leases.state, leases.output_hash, report_hash, consumer, price, pay,
       dust, accruals.lane, ordinal, accepted_at, by_checks
     FROM leases JOIN jobs ON jobs.job_id = leases.job_id LEFT JOIN accruals ON accruals.lease_id = leases.lease_id
     WHERE leases.lease_id = ANY ($1::text[]) FOR UPDATE OF leases`,
    [items.map((item) => item.leaseId)],
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
        accrued: accruedOf(row),
      },
    ]),
  );
}
