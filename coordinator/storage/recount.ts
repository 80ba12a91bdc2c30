import { hash } from 'node:crypto';
import { z } from 'zod';
import { fail } from '../../core/errors.ts';
import { fromHex, toHex } from '../../core/keccak.ts';
import type { Amount } from '../../core/money.ts';
import { type Address, address, type Hex32, hex32, type UnixMs } from '../../core/primitives.ts';
import { HELD_BACK_PERCENT, storageCost } from '../../core/storage-terms.ts';
import { amountColumn, integerColumn, type Sql } from '../db.ts';

/** Payments looked at in one go. */
const PAGE = 5_000;

const paymentRow = z.object({
  agreement_id: hex32,
  nth: z.number(),
  payment_id: hex32,
  kind: z.enum(['audit', 'release']),
  from_at: integerColumn.nullable(),
  to_at: integerColumn.nullable(),
  answer: hex32.nullable(),
  /** null: the agreement is over, and its tokens are gone. */
  commitment: z.string().nullable(),
  amount: amountColumn,
  fee: amountColumn,
  dust: amountColumn,
  matures_at: integerColumn,
  owner: address,
  bytes: integerColumn,
  price: amountColumn,
  fee_bps: z.number(),
  sealed_at: integerColumn,
  ends_at: integerColumn,
});
type PaymentRow = z.output<typeof paymentRow>;

export type StoragePayment = {
  readonly paymentId: Hex32;
  readonly owner: Address;
  readonly amount: Amount;
  readonly maturesAt: UnixMs;
};

/**
 * Every payment for storage, counted anew from what was agreed and what was answered, with no look at the ledger or its working tables. Throws
 * INTERNAL for one that pays something else than the time it names, that time twice, time outside of the agreement, or a wrong answer.
 */
export async function* storagePayments(sql: Sql): AsyncGenerator<StoragePayment> {
  let [agreement, nth] = ['', -1];
  let open: Counted = { paidTo: 0, heldBack: 0n };
  for (;;) {
    const rows = await sql.query(
      paymentRow,
      `SELECT agreement_id, nth, payment_id, kind, from_at, to_at, answer, '0x' || substr(tokens, token * 128 + 65, 64) AS commitment,
         amount, fee, dust, matures_at, owner, bytes, price, fee_bps, sealed_at, ends_at
       FROM storage_payments JOIN agreements USING (agreement_id) JOIN stored_files USING (file_id)
       WHERE (agreement_id, nth) > ($1, $2) ORDER BY agreement_id, nth LIMIT ${PAGE}`,
      [agreement, nth],
    );
    for (const row of rows) {
      if (row.agreement_id !== agreement) open = { paidTo: row.sealed_at, heldBack: 0n };
      [agreement, nth] = [row.agreement_id, row.nth];
      open = count(row, open);
      yield { paymentId: row.payment_id, owner: row.owner, amount: row.amount, maturesAt: row.matures_at };
    }
    if (rows.length < PAGE) return;
  }
}

/** Of an agreement, as far as it was counted. */
type Counted = { readonly paidTo: UnixMs; readonly heldBack: Amount };

function count(row: PaymentRow, { paidTo, heldBack }: Counted): Counted {
  const wrong = (why: string): never =>
    fail('INTERNAL', `a payment for storage ${why}`, { agreementId: row.agreement_id, nth: row.nth, owner: row.owner });
  if (row.kind === 'release') {
    if (!isSplit(row, heldBack)) wrong('is not what was held back');
    return { paidTo, heldBack: 0n };
  }
  const { from_at: from, to_at: to, answer, commitment } = row;
  if (from === null || to === null || answer === null) return wrong('names no time');
  if (from < paidTo || to <= from || to > row.ends_at) wrong('pays a time twice, or one that was not agreed');
  if (commitment !== null && toHex(hash('sha256', fromHex(answer), 'buffer')) !== commitment) {
    wrong('was made for a wrong answer');
  }
  const whole = storageCost(row.price, row.bytes, to - from);
  const waits = (whole * HELD_BACK_PERCENT) / 100n;
  if (!isSplit(row, whole - waits)) wrong('is not what its time costs');
  return { paidTo: to, heldBack: heldBack + waits };
}

/** Whether pay, fee and dust are what becomes of the sum; by another way than sharesOf. */
function isSplit({ amount, fee, dust, fee_bps }: PaymentRow, sum: Amount): boolean {
  const exact = sum * BigInt(fee_bps);
  const feeFits = fee * 10_000n <= exact && (fee + 1n) * 10_000n > exact;
  return feeFits && dust === (fee * 10_000n === exact ? 0n : 1n) && amount + fee + dust === sum;
}
