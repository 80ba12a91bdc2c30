import { z } from 'zod';
import { address, hex32, unixMs } from './primitives.ts';

/**
 * Channels between a consumer and a device (docs/decisions/0031):
 *
 *   consumer ── POST /v1/channels ──► coordinator ── channel ──► device
 *       └──────── GET /v1/relay/ID ────────► relay ◄──── GET /v1/relay/ID ────────┘
 *
 * What passes through the relay is TLS between the two ends; the relay has no key of it.
 */

/** What a channel is for: shards that are stored, or content that is delivered. */
export const PURPOSES = ['storage', 'edge'] as const;
export type Purpose = (typeof PURPOSES)[number];
export const purpose = z.enum(PURPOSES);

/** Where a device can be dialled without the relay: a DNS name or an address, without brackets. */
export const endpoint = z.strictObject({
  host: z
    .string()
    .max(253)
    .regex(/^[0-9A-Za-z.:-]+$/),
  port: z.number().int().min(1).max(65_535),
});
export type DirectAddress = z.output<typeof endpoint>;
const direct = z.array(endpoint).max(8);

/** Base URL of the coordinator that holds the channel; null: the one that was asked. */
const relay = z
  .url({ protocol: /^https?$/ })
  .max(1024)
  .nullable();
const ticket = z.string().min(16).max(128);

export const channelOrder = z.strictObject({ device: address, purpose });
export const channelGrant = z.strictObject({
  channelId: hex32,
  device: address,
  relay,
  /** Lets its holder into the channel, and says nothing of who that is. */
  ticket,
  /** Whoever has not come by then need not come. */
  expiresAt: unixMs,
  direct,
});
export type ChannelGrant = z.output<typeof channelGrant>;

export const channelCoordinatorMessages = [
  z.strictObject({
    type: z.literal('channel'),
    channelId: hex32,
    consumer: address,
    purpose,
    relay,
    ticket,
    expiresAt: unixMs,
  }),
] as const;

export const channelDeviceMessages = [
  /** States a level: where it can be dialled now. */
  z.strictObject({ type: z.literal('reachable'), direct }),
] as const;
