import { z } from 'zod';
import { fail } from '../core/errors.ts';
import type { Amount } from '../core/money.ts';
import { type Address, address, amount, type Hex32, hex32 } from '../core/primitives.ts';
import { costOf } from '../core/receipts.ts';
import { integerColumn, type Sql } from './db.ts';
import { pages } from './pages.ts';
import { sharesOf } from './shares.ts';

const PAGE = 5_000;

const redeemedRow = z.object({
  delivery_id: hex32,
  bytes: integerColumn,
  digest: hex32,
  owner: address,
  fee_bps: integerColumn,
  matures_at: integerColumn,
  value: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(z.object({ bytes: z.number(), price: amount })),
});

/** Of one receipt: what it was worth to its owner beyond those before it. */
export type Delivered = {
  readonly owner: Address;
  readonly digest: Hex32;
  readonly credited: Amount;
  readonly maturesAt: number;
};

/** What consumers signed for, receipt by receipt, with no look at the ledger. Throws INTERNAL when more was booked of one than it says. */
export async function* deliveredByReceipts(sql: Sql): AsyncGenerator<Delivered> {
  const read = (after: string, most: number) => {
    const [id = '', bytes = '-1'] = after.split(' ');
    return sql.query(
      redeemedRow,
      `SELECT delivery_id, redemptions.bytes, digest, owner, fee_bps, matures_at, value FROM redemptions
       JOIN deliveries USING (delivery_id) WHERE (delivery_id, redemptions.bytes) > ($1, $2::bigint)
       ORDER BY delivery_id, redemptions.bytes LIMIT $3`,
      [id, Number(bytes), most],
    );
  };
  let last: { readonly id: Hex32; readonly bytes: number } | null = null;
  for await (const rows of pages(PAGE, (row) => `${row.delivery_id} ${row.bytes}`, read)) {
    for (const { delivery_id: id, bytes, digest, owner, fee_bps: feeBps, matures_at: maturesAt, value } of rows) {
      if (bytes > value.bytes) fail('INTERNAL', `more was booked of receipt ${digest} than it is for`, { owner });
      const before: number = last?.id === id ? last.bytes : 0;
      const { pay } = sharesOf(costOf(bytes, value.price) - costOf(before, value.price), feeBps);
      last = { id, bytes };
      yield { owner, digest, credited: pay, maturesAt };
    }
  }
}
