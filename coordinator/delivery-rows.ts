import { z } from 'zod';
import { keccakText } from '../core/keccak.ts';
import { type Address, address, type Hex32, hex32, type UnixMs } from '../core/primitives.ts';
import { MOST_RECEIPTS, type OpenDelivery } from '../core/wire-delivery.ts';
import { amountColumn, integerColumn, type Sql } from './db.ts';

const deliveryRow = z.object({
  delivery_id: hex32,
  session: hex32,
  content: hex32,
  consumer: address,
  device: address,
  price: amountColumn,
  fee_bps: integerColumn,
  max_bytes: integerColumn,
  /** Redeemed. */
  bytes: integerColumn,
  expires_at: integerColumn,
  closes_at: integerColumn,
  closed: z.boolean(),
});
export type Delivery = z.output<typeof deliveryRow>;

const MIB = 1024 * 1024;

const COLUMNS =
  'delivery_id, session, content, consumer, device, price::text, fee_bps, max_bytes, bytes, expires_at, closes_at, closed';

/** Names its hold, too. No order's digest, and nothing that anybody can choose: a hold is of one thing only. */
export const deliveryIdOf = ({ session, content }: { readonly session: Hex32; readonly content: Hex32 }): Hex32 =>
  keccakText(`delivery ${session} ${content}`);

/** `locked`: they stay as they are until the transaction ends; always in one order. */
export async function deliveriesNamed(
  sql: Sql,
  ids: readonly Hex32[],
  locked: 'locked' | 'as-they-are',
): Promise<ReadonlyMap<Hex32, Delivery>> {
  const rows = await sql.query(
    deliveryRow,
    `SELECT ${COLUMNS} FROM deliveries WHERE delivery_id = ANY ($1::text[]) ORDER BY delivery_id
     ${locked === 'locked' ? 'FOR UPDATE' : ''}`,
    [ids],
  );
  return new Map(rows.map((row) => [row.delivery_id, row]));
}

/** Of the consumer $1, as `costOf` reckons. */
export const HELD_FOR_DELIVERIES = `SELECT COALESCE(SUM(div(max_bytes * price, ${MIB}) - div(bytes * price, ${MIB})), 0)
  FROM deliveries WHERE consumer = $1 AND NOT closed`;

/** Those whose time is over, locked. */
export const deliveriesToClose = (sql: Sql, now: UnixMs, most: number): Promise<readonly Delivery[]> =>
  sql.query(
    deliveryRow,
    `SELECT ${COLUMNS} FROM deliveries WHERE NOT closed AND closes_at <= $1 ORDER BY delivery_id LIMIT $2 FOR UPDATE`,
    [now, most],
  );

/** What a device may serve now, newest first: of one session, or of all. */
export async function openDeliveriesOf(
  sql: Sql,
  device: Address,
  now: UnixMs,
  session: Hex32 | null = null,
): Promise<readonly OpenDelivery[]> {
  const rows = await sql.query(
    deliveryRow,
    `SELECT ${COLUMNS} FROM deliveries WHERE device = $1 AND NOT closed AND expires_at > $2
       AND ($3::text IS NULL OR session = $3) ORDER BY expires_at DESC LIMIT ${10 * MOST_RECEIPTS}`,
    [device, now, session],
  );
  return rows.map(openDeliveryOf);
}

export const openDeliveryOf = (row: Delivery): OpenDelivery => {
  const { session, content, consumer, price, max_bytes: maxBytes, expires_at: expiresAt } = row;
  return { session, content, consumer, price, maxBytes, expiresAt };
};
