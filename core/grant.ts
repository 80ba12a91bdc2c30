import { z } from 'zod';
import { fail } from './errors.ts';
import {
  type Address,
  address,
  type Hex32,
  hex32,
  type Signature,
  sameAddress,
  signature,
  type UnixMs,
  unixMs,
} from './primitives.ts';
import type { Struct } from './typed-data.ts';

/** A reader of this address is anybody. */
export const ANYBODY: Address = `0x${'0'.repeat(40)}`;

/** Whom a publisher lets read a content, until when; signed by the publisher. */
export type SignedGrant = { readonly value: Struct<'Grant'>; readonly signature: Signature };

const parts = z.tuple([hex32, address, address, z.coerce.number().pipe(unixMs), signature]);

/** One word that can be passed on: `content.publisher.reader.expiresAt.signature`. */
export const grantText = ({ value, signature: signed }: SignedGrant): string =>
  [value.content, value.publisher, value.reader, value.expiresAt, signed].join('.');

/** As its text travels; whether it is signed, and lets anybody do anything, is another question. */
export const grantWord = z
  .string()
  .max(512)
  .regex(/^0x[0-9a-f]{64}(\.0x[0-9a-fA-F]{40}){2}\.\d{1,16}\.0x[0-9a-fA-F]{130}$/);

/** Throws BAD_INPUT. */
export function parseGrant(text: string): SignedGrant {
  const read = parts.safeParse(grantWord.safeParse(text).success ? text.split('.') : null);
  if (!read.success) return fail('BAD_INPUT', 'that is no grant; copy the whole of it');
  const [content, publisher, reader, expiresAt, signed] = read.data;
  return { value: { content, publisher, reader, expiresAt }, signature: signed };
}

/**
 * Why a grant does not let `reader` read `content` at this time; null: it does, if its publisher is the content's, and signed it.
 */
export function grantFault(
  { content, reader, expiresAt }: Struct<'Grant'>,
  asked: { readonly content: Hex32; readonly reader: Address; readonly now: UnixMs },
): string | null {
  if (content !== asked.content) return 'the grant is for another content';
  if (expiresAt <= asked.now) return 'the grant has expired; ask its publisher for a new one';
  if (!sameAddress(reader, ANYBODY) && !sameAddress(reader, asked.reader)) return 'the grant is for somebody else';
  return null;
}
