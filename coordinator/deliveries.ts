import { z } from 'zod';
import { API } from '../core/api.ts';
import { fail, isFailure } from '../core/errors.ts';
import type { Amount } from '../core/money.ts';
import type { Address, Hex32, UnixMs } from '../core/primitives.ts';
import { costOf, type SignedReceipt } from '../core/receipts.ts';
import {
  type DeliveryGrant,
  type DeliveryOrder,
  type DeliveryOutcome,
  MOST_RECEIPTS,
  type OpenDelivery,
} from '../core/wire-delivery.ts';
import type { Context } from './context.ts';
import { integerColumn, one, type Sql } from './db.ts';
import {
  type Delivery,
  deliveriesNamed,
  deliveriesToClose,
  deliveryIdOf,
  openDeliveriesOf,
  openDeliveryOf,
} from './delivery-rows.ts';
import { findDevice, requireDevice } from './devices.ts';
import type { App } from './http.ts';
import { account, hold, move, postAll } from './ledger.ts';
import type { Told } from './lending.ts';
import type { CoordinatorOptions } from './options.ts';
import type { Peer } from './peer.ts';
import { type Presented, redeem, standingOf } from './redemption.ts';
import { piecesOf } from './replica.ts';
import { serve } from './router.ts';

/** 0.02 tokens a GiB. */
const DEFAULT_PRICE: Amount = 19_531_250_000_000n;
/** A delivery may be served for so long after it was ordered; ordered again, for as long again. */
const SERVED_MS = 6 * 3_600_000;
/** And redeemed for so long after that: a device that was switched off in between comes back by then. */
const REDEEMED_MS = 48 * 3_600_000;
/** Of one consumer at a time. */
const MOST_OPEN = 1_000;
const CLOSED_AT_ONCE = 500;

export const deliveryPriceOf = ({ deliveryPrice = DEFAULT_PRICE }: Pick<CoordinatorOptions, 'deliveryPrice'>): Amount =>
  deliveryPrice;

const countRow = z.object({ count: integerColumn });

/** What is still set aside for a delivery. */
const restOf = ({ max_bytes, bytes, price }: Delivery): Amount => costOf(max_bytes, price) - costOf(bytes, price);

/**
 * Sets aside what so many bytes cost, or what is missing to that. Price and fee stay those of the first order. Throws CONFLICT for a session of
 * somebody else, and one that is closed, NOT_FOUND, TOO_MANY and INSUFFICIENT_FUNDS; the caller's transaction then rolls back.
 */
export async function orderDelivery(
  sql: Sql,
  consumer: Address,
  order: DeliveryOrder,
  terms: { readonly price: Amount; readonly feeBps: number },
  now: UnixMs,
): Promise<Delivery> {
  const { session, device, content, maxBytes } = order;
  const id = deliveryIdOf(order);
  const found = await findDevice(sql, device);
  if (found === null || found.banned !== null || found.blocked !== null || found.expires_at <= now) {
    fail('NOT_FOUND', 'the device is none of this network', { device });
  }
  const fresh = await sql.exec(
    `INSERT INTO deliveries (delivery_id, session, content, consumer, device, price, fee_bps, expires_at, closes_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING`,
    [id, session, content, consumer, device, terms.price.toString(), terms.feeBps, now],
  );
  const open = await one(sql, countRow, 'SELECT COUNT(*) AS count FROM deliveries WHERE consumer = $1 AND NOT closed', [
    consumer,
  ]);
  if (fresh > 0 && (open?.count ?? 0) > MOST_OPEN) fail('TOO_MANY', `up to ${MOST_OPEN} deliveries are open at a time`);
  const before =
    (await deliveriesNamed(sql, [id], 'locked')).get(id) ??
    fail('INTERNAL', 'a delivery that was written is not there');
  if (before.consumer !== consumer || before.device !== device) {
    fail('CONFLICT', 'the session is of another consumer or device', { session });
  }
  if (before.closed) fail('CONFLICT', 'the delivery is closed; open another channel', { session });
  const after: Delivery = {
    ...before,
    max_bytes: Math.max(before.max_bytes, maxBytes),
    expires_at: Math.max(before.expires_at, now + SERVED_MS),
    closes_at: Math.max(before.closes_at, now + SERVED_MS + REDEEMED_MS),
  };
  const more = costOf(after.max_bytes, after.price) - costOf(before.max_bytes, before.price);
  await hold(sql, consumer, id, more, now, { what: 'the delivery', key: `hold:${id}:${after.max_bytes}` });
  await sql.exec('UPDATE deliveries SET max_bytes = $2, expires_at = $3, closes_at = $4 WHERE delivery_id = $1', [
    ...[id, after.max_bytes, after.expires_at, after.closes_at],
  ]);
  return after;
}

/** Gives back what was not redeemed of deliveries whose time is over. Answers how many. */
export async function closeDeliveries(sql: Sql, now: UnixMs): Promise<number> {
  const rows = await deliveriesToClose(sql, now, CLOSED_AT_ONCE);
  await sql.exec('UPDATE deliveries SET closed = TRUE WHERE delivery_id = ANY ($1::text[])', [
    rows.map(({ delivery_id }) => delivery_id),
  ]);
  await postAll(
    sql,
    rows.map((row) => ({
      ...{ kind: 'refund', key: `refund:${row.delivery_id}`, at: now },
      entries: move(account.hold(row.delivery_id), account.deposit(row.consumer), restOf(row)),
    })),
  );
  return rows.length;
}

/** What consumers set aside for content, and what devices redeem of it. */
export class Deliveries {
  readonly #context: Context;
  readonly #sessionOf: (device: Address) => Told | undefined;

  constructor(context: Context, sessionOf: (device: Address) => Told | undefined) {
    this.#context = context;
    this.#sessionOf = sessionOf;
  }

  async order(consumer: Address, order: DeliveryOrder): Promise<DeliveryGrant> {
    const { db, options, replica } = this.#context;
    const terms = { price: deliveryPriceOf(options), feeBps: options.feeBps ?? 0 };
    const row = await db.tx((sql) => orderDelivery(sql, consumer, order, terms, options.clock.now()));
    const { consumer: _consumer, ...open } = openDeliveryOf(row);
    if (!this.#tell(row.device, [openDeliveryOf(row)])) replica.delivery(row.device, row.session);
    return { ...open, device: row.device, held: restOf(row) };
  }

  /** What it may serve, from before this session. */
  async joined({ device }: Pick<Peer, 'device'>): Promise<void> {
    const { db, options } = this.#context;
    this.#tell(device, await openDeliveriesOf(db, device, options.clock.now()));
  }

  /** Another replica took an order for a device that may be connected here. */
  async heard(device: Address, session: Hex32): Promise<void> {
    const { db, options } = this.#context;
    if (this.#sessionOf(device) === undefined) return;
    this.#tell(device, await openDeliveriesOf(db, device, options.clock.now(), session));
  }

  /** Throws REFUSED for a device that may not work here any more: what it has stays its to redeem when it may. */
  async redeem(peer: Pick<Peer, 'device' | 'owner'>, receipts: readonly SignedReceipt[]): Promise<void> {
    const { db, options } = this.#context;
    const now = options.clock.now();
    await requireDevice(db, peer.device, now);
    const known = await deliveriesNamed(
      db,
      [...new Set(receipts.map(({ value }) => deliveryIdOf(value)))],
      'as-they-are',
    );
    const outcomes = new Map<number, DeliveryOutcome>();
    const presented: { readonly at: number; readonly one: Presented }[] = [];
    for (const [at, receipt] of receipts.entries()) {
      const { session, content } = receipt.value;
      const row = known.get(deliveryIdOf(receipt.value));
      // Only what may change something, now or when more is set aside meanwhile, is worth the milliseconds that a signature takes.
      const good = standingOf(receipt.value, row, peer).kind !== 'refused';
      const news = good && receipt.value.bytes > (row?.bytes ?? 0);
      const digest = news ? await this.#digestOf(peer, receipt) : null;
      if (news && digest === null) outcomes.set(at, { session, content, refused: 'not-signed' });
      else presented.push({ at, one: { ...receipt, digest } });
    }
    const ones = presented.map(({ one }) => one);
    const booked = await db.tx((sql) => redeem(sql, peer, ones, now, options.maturityMs ?? 0));
    for (const [nth, outcome] of booked.entries()) outcomes.set(presented[nth]?.at ?? nth, outcome);
    const inOrder = [...outcomes].sort(([a], [b]) => a - b).map(([, outcome]) => outcome);
    const refused = inOrder.flatMap((one) => ('refused' in one ? one.refused : []));
    if (refused.length > 0) options.log('warn', 'receipts-refused', { device: peer.device, refused });
    this.#sessionOf(peer.device)?.send({ type: 'deliveries-booked', outcomes: inOrder });
  }

  async #digestOf(peer: object, { value, signature }: SignedReceipt): Promise<Hex32 | null> {
    try {
      return await this.#context.checks.check(peer, 'TransferReceipt', value, signature, value.consumer);
    } catch (error) {
      if (isFailure(error, 'UNAUTHORISED')) return null;
      throw error;
    }
  }

  /** Whether it is connected here. */
  #tell(device: Address, open: readonly OpenDelivery[]): boolean {
    const session = this.#sessionOf(device);
    for (const deliveries of piecesOf(open, MOST_RECEIPTS)) {
      session?.send({ type: 'deliveries-open', deliveries: [...deliveries] });
    }
    return session !== undefined;
  }

  /** Seldom: gives back what nobody redeemed in time. */
  async tidy(): Promise<void> {
    const { db, options } = this.#context;
    for (;;) {
      const closed = await db.tx((sql) => closeDeliveries(sql, options.clock.now()));
      if (closed < CLOSED_AT_ONCE) return;
    }
  }
}

export function addDeliveryRoutes(app: App, context: Context, deliveries: Deliveries): void {
  serve(app, context, API.prices, async () => ({ deliveryPerMiB: deliveryPriceOf(context.options) }));
  serve(app, context, API.deliver, ({ caller, body }) => deliveries.order(caller.account, body));
}
