import { z } from 'zod';
import type { Amount } from './money.ts';
import {
  type Address,
  address,
  amount,
  byteCount,
  type Hex32,
  hex32,
  type Signature,
  sameAddress,
  signature,
  unixMs,
} from './primitives.ts';
import type { Struct } from './typed-data.ts';

const MIB = 1024 * 1024;

/**
 * Pay as you go for bytes that pass (docs/decisions/0032). A consumer signs each few MiB how much it has had so far; the device
 * gives nothing more beyond what it dares to lose. Whatever breaks off, each side has at most one step too little.
 */
export const RECEIPTS = {
  /** A new receipt is due after so many bytes. */
  stepBytes: 4 * MIB,
  /** The most that is out without one: a step that is on its way, and one that is being counted. */
  unsignedBytes: 8 * MIB,
} as const;

/** Cumulative: a later one of the same session and content stands for all before it. `price` is in base units a MiB. */
export type Receipt = Struct<'TransferReceipt'>;
export type SignedReceipt = { readonly value: Receipt; readonly signature: Signature };

export const signedReceipt = z.strictObject({
  value: z.strictObject({
    ...{ session: hex32, consumer: address, device: address, content: hex32 },
    ...{ bytes: byteCount, price: amount, issuedAt: unixMs },
  }),
  signature,
}) satisfies z.ZodType<SignedReceipt>;

/** What a receipt is about. */
export type Transfer = {
  readonly session: Hex32;
  readonly consumer: Address;
  readonly device: Address;
  readonly content: Hex32;
  /** Agreed for the session, base units a MiB. */
  readonly price: Amount;
};

/**
 * What so many bytes cost, rounded down: of a sum that grows by steps, each step is worth the difference, so no rounding is ever
 * paid twice.
 */
export const costOf = (bytes: number, price: Amount): Amount => (BigInt(bytes) * price) / BigInt(MIB);

/** Why a receipt is not one for this transfer; null: it is, if its consumer signed it. */
export function receiptFault({ value }: SignedReceipt, of: Transfer): string | null {
  if (value.session !== of.session) return 'the receipt is for another session';
  if (!sameAddress(value.consumer, of.consumer)) return 'the receipt is of another consumer';
  if (!sameAddress(value.device, of.device)) return 'the receipt is for another device';
  if (value.content !== of.content) return 'the receipt is for another content';
  if (value.price !== of.price) return `the receipt is at another price than the session: ${of.price} base units a MiB`;
  return null;
}
