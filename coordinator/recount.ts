import { z } from 'zod';
import { fail } from '../core/errors.ts';
import type { Amount } from '../core/money.ts';
import { type Address, address, amount, type Hex32, hex32 } from '../core/primitives.ts';
import { integerColumn, type Sql } from './db.ts';
import { pages } from './pages.ts';
import { deliveredByReceipts } from './recount-deliveries.ts';
import { storagePayments } from './storage/recount.ts';

/** Receipts and claw-backs looked at in one go: a receipt has up to 1,000 items. */
const PAGE = 250;
const HELD_PAGE = 5_000;

const json = z.string().transform((text): unknown => JSON.parse(text));
const receiptRow = z.object({
  report_hash: hex32,
  owner: address,
  matures_at: integerColumn,
  value: json.pipe(z.object({ credited: amount })),
  /** Read by hand: there are up to 1,000 in each of a hundred thousand rows. */
  outcomes: json.pipe(z.array(z.record(z.string(), z.unknown()))),
  /** Of each credit, in order, where they are not the same for all. */
  terms: json.pipe(z.array(z.record(z.string(), z.unknown()))).nullable(),
});
const clawedRow = z.object({ clawback_hash: hex32, items: json.pipe(z.array(z.object({ leaseId: hex32 }))) });
const heldRow = z.object({ lease_id: hex32 });
const countedRow = z.object({ device: z.string(), lane: z.string(), counted: integerColumn });
const cutRow = z.object({ value: z.string().transform(Number) });

/** By the time up to which all has matured, or before its own time by the work that its lane had done by then. */
function isRipe(terms: Readonly<Record<string, unknown>>, to: number, reached: number): boolean {
  const { maturesAt, earlyAt, needs } = terms;
  if (typeof maturesAt === 'number' && maturesAt <= to) return true;
  return typeof earlyAt === 'number' && typeof needs === 'number' && earlyAt <= to && needs <= reached;
}

/**
 * Calculator two of two: per owner, from the receipts, of work and of deliveries, and claw-backs as they were signed, with no look at the ledger or its working
 * tables. `due` counts what matured by the time, and by the work of each lane, up to which credits have matured and is not held. Throws INTERNAL when a receipt's
 * outcomes are not what its signed sum says, or a payment for storage not what was agreed and proven.
 */
export async function owedByReceipts(
  sql: Sql,
): Promise<ReadonlyMap<Address, { readonly due: Amount; readonly credited: Amount }>> {
  const [cut] = await sql.query(cutRow, `SELECT value FROM meta WHERE key = 'matured-to'`);
  const maturedTo = cut?.value ?? 0;
  const held = new Set<Hex32>();
  const findHeld = (after: string, most: number) =>
    sql.query(heldRow, 'SELECT lease_id FROM credit_holds WHERE lease_id > $1 ORDER BY lease_id LIMIT $2', [
      after,
      most,
    ]);
  for await (const rows of pages(HELD_PAGE, (row) => row.lease_id, findHeld)) {
    for (const { lease_id } of rows) held.add(lease_id);
  }
  const clawed = new Set<Hex32>();
  const findClawed = (after: string, most: number) =>
    sql.query(
      clawedRow,
      'SELECT clawback_hash, items FROM clawbacks WHERE clawback_hash > $1 ORDER BY clawback_hash LIMIT $2',
      [after, most],
    );
  for await (const rows of pages(PAGE, (row) => row.clawback_hash, findClawed)) {
    for (const { items } of rows) for (const { leaseId } of items) clawed.add(leaseId);
  }

  const counted = new Map<string, number>();
  const findCounted = (after: string, most: number) =>
    sql.query(
      countedRow,
      `SELECT device, lane, counted FROM lane_cuts WHERE device || ' ' || lane > $1 ORDER BY device || ' ' || lane LIMIT $2`,
      [after, most],
    );
  for await (const rows of pages(HELD_PAGE, (row) => `${row.device} ${row.lane}`, findCounted)) {
    for (const { device, lane, counted: reached } of rows) counted.set(`${device} ${lane}`, reached);
  }

  const totals = new Map<Address, { due: Amount; credited: Amount }>();
  const totalOf = (owner: Address) => {
    const total = totals.get(owner) ?? { due: 0n, credited: 0n };
    totals.set(owner, total);
    return total;
  };
  const findReceipts = (after: string, most: number) =>
    sql.query(
      receiptRow,
      `SELECT report_hash, owner, matures_at, value, outcomes, terms FROM receipts WHERE report_hash > $1
       ORDER BY report_hash LIMIT $2`,
      [after, most],
    );
  for await (const rows of pages(PAGE, (row) => row.report_hash, findReceipts)) {
    for (const row of rows) {
      const total = totalOf(row.owner);
      let [signed, nth] = [0n, 0];
      for (const { kind, leaseId, amount: text } of row.outcomes) {
        if (kind !== 'credited') continue;
        const credited = BigInt(String(text));
        signed += credited;
        const terms = row.terms?.[nth++] ?? { maturesAt: row.matures_at };
        if (clawed.has(leaseId as Hex32)) continue;
        total.credited += credited;
        const reached = counted.get(String(terms['of'])) ?? 0;
        if (isRipe(terms, maturedTo, reached) && !held.has(leaseId as Hex32)) total.due += credited;
      }
      if (signed !== row.value.credited) {
        fail('INTERNAL', `the receipt of report ${row.report_hash} does not add up`, { owner: row.owner });
      }
    }
  }
  for await (const { owner, digest, credited, maturesAt } of deliveredByReceipts(sql)) {
    if (clawed.has(digest)) continue;
    const total = totalOf(owner);
    total.credited += credited;
    if (maturesAt <= maturedTo && !held.has(digest)) total.due += credited;
  }
  for await (const { owner, paymentId, amount: paid, maturesAt } of storagePayments(sql)) {
    if (clawed.has(paymentId)) continue;
    const total = totalOf(owner);
    total.credited += paid;
    if (maturesAt <= maturedTo && !held.has(paymentId)) total.due += paid;
  }
  return totals;
}
