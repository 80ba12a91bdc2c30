import { z } from 'zod';
import { MOST_MANIFEST_BYTES } from './content.ts';
import { grantWord } from './grant.ts';
import { address, byteCount, hex32, unixMs } from './primitives.ts';

/** Published content: what its publisher and its readers say to the coordinator, and what devices say of the room that they lend to it. */

/** Devices that are to hold one content. */
export const MOST_COPIES = 16;
const MOST_AVOIDED = 64;

/** POST /v1/contents: sent again it changes nothing but the devices. */
export const contentOrder = z.strictObject({
  content: hex32,
  /** Of its manifest, and of its chunks, each counted once. */
  manifestBytes: byteCount.min(1).max(MOST_MANIFEST_BYTES),
  bytes: byteCount,
  chunks: z.number().int().nonnegative().max(1_000_000),
  /** On how many devices it is to lie. */
  copies: z.number().int().min(1).max(MOST_COPIES),
  /** Devices that turned out to be of no use: they are let go of. */
  without: z.array(address).max(MOST_AVOIDED).default([]),
});
export type ContentOrder = z.output<typeof contentOrder>;

export const contentQuery = z.strictObject({
  /** Not needed by the publisher. */
  grant: grantWord.optional(),
});

export const contentView = z.strictObject({
  content: hex32,
  publisher: address,
  manifestBytes: byteCount,
  bytes: byteCount,
  chunks: z.number().int().nonnegative(),
  publishedAt: unixMs,
  /** Chosen to hold it. Those that lend room now come first, otherwise in no order. */
  devices: z.array(z.strictObject({ device: address, lends: z.boolean() })),
});
export type ContentView = z.output<typeof contentView>;

export const edgeOffer = z.strictObject({ freeBytes: byteCount, usedBytes: byteCount });
export type EdgeOffer = z.output<typeof edgeOffer>;

export const contentDeviceMessages = [
  /** States a level: the room that it lends to published content now; null: none. */
  z.strictObject({ type: z.literal('edge-offer'), offer: edgeOffer.nullable() }),
] as const;
