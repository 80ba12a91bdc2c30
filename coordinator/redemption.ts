import { fail } from '../core/errors.ts';
import { type Amount, sum } from '../core/money.ts';
import { type Hex32, type Signature, sameAddress, type UnixMs } from '../core/primitives.ts';
import { costOf, type Receipt, type SignedReceipt } from '../core/receipts.ts';
import { encodeWire } from '../core/wire.ts';
import type { DeliveryOutcome, RefusedReceipt } from '../core/wire-delivery.ts';
import { addCredits, keepMaturedTo, type NewCredit } from './credits.ts';
import type { Sql } from './db.ts';
import { type Delivery, deliveriesNamed, deliveryIdOf } from './delivery-rows.ts';
import { account, postAll } from './ledger.ts';
import type { Peer } from './peer.ts';
import { maturesAt, sharesOf } from './shares.ts';

/** A receipt, and the digest that its consumer signed; null: nobody has looked whether it did. */
export type Presented = SignedReceipt & { readonly digest: Hex32 | null };

type Standing =
  | { readonly kind: 'refused'; readonly code: RefusedReceipt }
  /** It says nothing new. */
  | { readonly kind: 'booked'; readonly bytes: number }
  | { readonly kind: 'fresh'; readonly row: Delivery; readonly to: number };

/** What a receipt is worth by the books alone, if its consumer signed it. */
export function standingOf(value: Receipt, row: Delivery | undefined, { device }: Pick<Peer, 'device'>): Standing {
  if (row === undefined) return { kind: 'refused', code: 'unknown' };
  if (row.device !== device || !sameAddress(value.device, device)) return { kind: 'refused', code: 'other-device' };
  if (!sameAddress(value.consumer, row.consumer) || value.price !== row.price) {
    return { kind: 'refused', code: 'other-terms' };
  }
  // Of what is beyond, nothing was set aside.
  const to = Math.min(value.bytes, row.max_bytes);
  if (to <= row.bytes) return { kind: 'booked', bytes: row.bytes };
  return row.closed ? { kind: 'refused', code: 'closed' } : { kind: 'fresh', row, to };
}

type Redeemed = {
  readonly row: Delivery;
  readonly to: number;
  readonly digest: Hex32;
  readonly value: Receipt;
  readonly signature: Signature;
  readonly credit: NewCredit;
};

/**
 * Books what receipts add to what was booked of their deliveries before, and answers each in order. The caller's transaction holds the
 * deliveries locked: of two who redeem the same at once, the second finds it booked. Throws CONFLICT for one without a digest that is worth
 * something.
 */
export async function redeem(
  sql: Sql,
  { device, owner }: Pick<Peer, 'device' | 'owner'>,
  presented: readonly Presented[],
  at: UnixMs,
  maturityMs: number,
): Promise<readonly DeliveryOutcome[]> {
  // First, as whoever moves credits does: nothing matures meanwhile.
  const maturedTo = await keepMaturedTo(sql);
  const due = maturesAt(at, maturityMs, maturedTo);
  const ids = [...new Set(presented.map(({ value }) => deliveryIdOf(value)))];
  const rows = new Map(await deliveriesNamed(sql, ids, 'locked'));
  const redeemed: Redeemed[] = [];
  const outcomes = presented.map(({ value, signature, digest }): DeliveryOutcome => {
    const { session, content } = value;
    const id = deliveryIdOf(value);
    const standing = standingOf(value, rows.get(id), { device });
    if (standing.kind === 'refused') return { session, content, refused: standing.code };
    if (standing.kind === 'booked') return { session, content, bytes: standing.bytes, credited: 0n };
    const { row, to } = standing;
    if (digest === null) return fail('CONFLICT', 'the delivery was ordered just now; send the receipts again');
    rows.set(id, { ...row, bytes: to });
    const { pay, fee, dust } = sharesOf(costOf(to, row.price) - costOf(row.bytes, row.price), row.fee_bps);
    const credit: NewCredit = {
      ...{ leaseId: digest, jobId: id, consumer: row.consumer, owner, device, amount: pay, fee, dust },
      // Nothing is left to be checked: who was served has signed for it.
      ...{ checks: 0n, byChecks: false, lane: null, terms: { maturesAt: due, earlyAt: null, needs: null } },
    };
    redeemed.push({ row, to, digest, value, signature, credit });
    return { session, content, bytes: to, credited: pay };
  });
  await book(sql, redeemed, due, at);
  return outcomes;
}

async function book(sql: Sql, redeemed: readonly Redeemed[], due: UnixMs, at: UnixMs): Promise<void> {
  if (redeemed.length === 0) return;
  const worth = redeemed.filter(({ credit }) => costIn(credit) > 0n);
  await addCredits(
    sql,
    worth.map(({ credit }) => credit),
  );
  await sql.exec(
    `INSERT INTO redemptions (delivery_id, bytes, digest, owner, value, signature, matures_at, at)
     SELECT *, $7::bigint, $8::bigint FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[])`,
    [
      redeemed.map(({ row }) => row.delivery_id),
      redeemed.map(({ to }) => to),
      ...[redeemed.map(({ digest }) => digest), redeemed.map(({ credit }) => credit.owner)],
      ...[redeemed.map(({ value }) => encodeWire(value)), redeemed.map(({ signature }) => signature), due, at],
    ],
  );
  await sql.exec(
    `UPDATE deliveries SET bytes = GREATEST(deliveries.bytes, given.bytes)
     FROM (SELECT delivery_id, MAX(bytes) AS bytes FROM unnest($1::text[], $2::bigint[]) AS one (delivery_id, bytes)
       GROUP BY delivery_id) AS given WHERE deliveries.delivery_id = given.delivery_id`,
    [redeemed.map(({ row }) => row.delivery_id), redeemed.map(({ to }) => to)],
  );
  await postAll(
    sql,
    worth.map(({ credit }) => ({
      ...{ kind: 'receipt', key: `delivered:${credit.leaseId}`, at },
      entries: [
        { account: account.hold(credit.jobId), amount: -credit.amount },
        { account: account.pending(credit.owner), amount: credit.amount },
      ],
    })),
  );
}

const costIn = ({ amount, fee, dust }: NewCredit): Amount => sum([amount, fee, dust]);
