import { z } from 'zod';
import { concat } from './keccak.ts';

/**
 * Signed files in the form of DSSE, the Dead Simple Signing Envelope (secure-systems-lab/dsse, protocol 1.0): what is signed
 * are the very bytes of the payload with their type, so nothing depends on how JSON is written.
 */

/** Longer ones are refused before they are parsed. Characters; an envelope is ASCII. */
export const MAX_ENVELOPE_LENGTH = 2 ** 20;

/** Ed25519 of an adapter: whether the 64 bytes of a signature over `data` are of the key of 32 bytes. Never throws. */
export type Verify = (publicKey: Uint8Array, data: Uint8Array, signature: Uint8Array) => boolean;

const keyId = z.string().min(1).max(128);

export const envelope = z.strictObject({
  payloadType: z.string().max(128),
  payload: z.string(),
  signatures: z.array(z.strictObject({ keyid: keyId, sig: z.string().max(128) })).max(16),
});
export type Envelope = z.output<typeof envelope>;

const publicKey = z.string().refine((text) => fromBase64(text)?.length === 32, 'expected 32 bytes in base64');

/** The public keys that a build trusts, and how many of them must have signed. One alone could be stolen. */
export const keyring = z
  .strictObject({
    threshold: z.number().int().min(2).max(16),
    /** None: this build trusts nothing. */
    keys: z.array(z.strictObject({ keyid: keyId, public: publicKey })).max(16),
  })
  .refine(({ keys }) => new Set(keys.map((key) => key.keyid)).size === keys.length, 'a key id is listed twice')
  .refine(({ keys }) => new Set(keys.map((key) => key.public)).size === keys.length, 'a key is listed twice')
  .refine(({ threshold, keys }) => keys.length === 0 || keys.length >= threshold, 'fewer keys than must sign');
export type Keyring = z.output<typeof keyring>;

export const NO_KEYS: Keyring = { threshold: 2, keys: [] };

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** null: not base64 (RFC 4648 section 4) in its one canonical form, with padding and without spare bits. */
export function fromBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const body = text.replace(/=+$/, '');
  const bytes = new Uint8Array(Math.floor((body.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const digit of body) {
    held = ((held << 6) | DIGITS.indexOf(digit)) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = (held >> bits) & 0xff;
  }
  return (held & ((1 << bits) - 1)) === 0 ? bytes : null;
}

/** null: not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string | null {
  try {
    return decodeURIComponent(Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''));
  } catch {
    return null;
  }
}

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** The pre-authentication encoding: what is signed. `type` is ASCII. */
export const preAuth = (type: string, payload: Uint8Array): Uint8Array =>
  concat(ascii(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload);

/** How the signatures of an envelope stand against a keyring. A key counts once, however often it signed. */
export type Signatures = { readonly valid: number; readonly needed: number; readonly unknown: number };

export type Opened =
  | { readonly kind: 'opened'; readonly payload: Uint8Array }
  | { readonly kind: 'malformed'; readonly detail: string }
  | ({ readonly kind: 'signatures' } & Signatures);

/** Opens an envelope of one type. The payload is answered only if enough different keys of the ring have signed it. */
export function openEnvelope(text: string, type: string, ring: Keyring, verify: Verify): Opened {
  const read = envelope.safeParse(parseJson(text));
  if (!read.success) return { kind: 'malformed', detail: 'it is no signed envelope' };
  const { payloadType, payload: encoded, signatures } = read.data;
  if (payloadType !== type) return { kind: 'malformed', detail: 'it is signed as something else' };
  const payload = fromBase64(encoded);
  if (payload === null) return { kind: 'malformed', detail: 'its payload is not base64' };
  const said = preAuth(type, payload);
  const signers = new Set<string>();
  let unknown = 0;
  for (const { keyid, sig } of signatures) {
    const key = ring.keys.find((one) => one.keyid === keyid);
    const bytes = fromBase64(sig);
    if (key === undefined) unknown++;
    else if (bytes !== null && verify(fromBase64(key.public) ?? new Uint8Array(), said, bytes)) signers.add(key.public);
  }
  if (ring.keys.length === 0 || signers.size < ring.threshold) {
    return { kind: 'signatures', valid: signers.size, needed: ring.threshold, unknown };
  }
  return { kind: 'opened', payload };
}

/** undefined: not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
