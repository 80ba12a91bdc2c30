import { z } from 'zod';
import { address, amount, byteCount, hex32, unixMs } from './primitives.ts';
import { signedReceipt } from './receipts.ts';

/**
 * Deliveries (docs/decisions/0032): what a consumer sets aside for a content over one channel, and what the device redeems of it.
 *
 *   consumer ── POST /v1/deliveries ──► coordinator ── deliveries-open ──► device
 *      └───────────── receipts, over the channel ─────────────────────────────┤
 *                                  coordinator ◄── deliveries ────────────────┘
 */

/** In one message. */
export const MOST_RECEIPTS = 100;

/** POST /v1/deliveries: sent again it changes nothing, but that more is set aside where it asks for more. */
export const deliveryOrder = z.strictObject({
  /** The channel. */
  session: hex32,
  device: address,
  content: hex32,
  /** Whatever is aborted counts until the device knows; so a little more than the content has. */
  maxBytes: byteCount.min(1),
});
export type DeliveryOrder = z.output<typeof deliveryOrder>;

const terms = {
  ...{ session: hex32, content: hex32 },
  /** Base units a MiB, as long as the delivery is open. */
  price: amount,
  maxBytes: byteCount,
  /** Nothing is served after that; what was signed for by then is redeemed still. */
  expiresAt: unixMs,
} as const;

export const deliveryGrant = z.strictObject({
  ...terms,
  device: address,
  /** Of the deposit; what is not redeemed comes back. */
  held: amount,
});
export type DeliveryGrant = z.output<typeof deliveryGrant>;

export const openDelivery = z.strictObject({ ...terms, consumer: address });
export type OpenDelivery = z.output<typeof openDelivery>;

/** GET /v1/prices */
export const lendingPrices = z.strictObject({
  /** Base units a MiB, for a delivery that is ordered now. */
  deliveryPerMiB: amount,
});

/** Why a receipt is worth nothing, for good. */
export const REFUSED_RECEIPTS = ['unknown', 'closed', 'other-device', 'other-terms', 'not-signed'] as const;
export type RefusedReceipt = (typeof REFUSED_RECEIPTS)[number];

export const deliveryOutcome = z.union([
  z.strictObject({
    ...{ session: hex32, content: hex32 },
    /** All that was booked of it. */
    bytes: byteCount,
    /** What this receipt has added to what the owner has coming; nothing, where it was booked before. */
    credited: amount,
  }),
  z.strictObject({ session: hex32, content: hex32, refused: z.enum(REFUSED_RECEIPTS) }),
]);
export type DeliveryOutcome = z.output<typeof deliveryOutcome>;

export const deliveryCoordinatorMessages = [
  /** Those that the device may serve and did not know of, or not so much. */
  z.strictObject({ type: z.literal('deliveries-open'), deliveries: z.array(openDelivery).min(1).max(MOST_RECEIPTS) }),
  /** For each receipt, in order. */
  z.strictObject({ type: z.literal('deliveries-booked'), outcomes: z.array(deliveryOutcome).max(MOST_RECEIPTS) }),
] as const;

export const deliveryDeviceMessages = [
  /** Again after anything that went wrong: each is booked once. */
  z.strictObject({ type: z.literal('deliveries'), receipts: z.array(signedReceipt).min(1).max(MOST_RECEIPTS) }),
] as const;
