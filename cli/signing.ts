import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type Envelope, envelope, type Keyring, parseJson, preAuth } from '../core/dsse.ts';
import { fail } from '../core/errors.ts';
import { RELEASE_TYPE } from '../core/release.ts';

type PublicPart = Keyring['keys'][number];

/** What others may know of a key; its id is the SHA-256 of its 32 bytes. */
export function publicPart(key: KeyObject): PublicPart {
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  const bytes = Buffer.from(x ?? '', 'base64url');
  if (key.asymmetricKeyType !== 'ed25519' || bytes.length !== 32) fail('BAD_INPUT', 'the key is not an Ed25519 key');
  return { keyid: createHash('sha256').update(bytes).digest('hex'), public: bytes.toString('base64') };
}

/** A new private key as PKCS #8 in PEM. */
export const newKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();

/** Throws BAD_INPUT, and says nothing of the content. */
export function readKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    return fail('BAD_INPUT', 'the file holds no private key in PEM');
  }
}

/** An envelope around these very bytes, signed by nobody yet. */
export const wrap = (payload: Uint8Array): Envelope => ({
  payloadType: RELEASE_TYPE,
  payload: Buffer.from(payload).toString('base64'),
  signatures: [],
});

/** Adds the signature of a key; its earlier one is replaced. */
export function addSignature(to: Envelope, key: KeyObject): Envelope {
  const { keyid } = publicPart(key);
  const sig = sign(null, preAuth(to.payloadType, Buffer.from(to.payload, 'base64')), key).toString('base64');
  return { ...to, signatures: [...to.signatures.filter((one) => one.keyid !== keyid), { keyid, sig }] };
}

/** The signatures of all on one content. Throws CONFLICT when the contents differ. */
export function mergeSignatures(all: readonly Envelope[]): Envelope {
  const [first, ...others] = all;
  if (first === undefined) return fail('BAD_INPUT', 'nothing to merge');
  if (others.some((one) => one.payload !== first.payload || one.payloadType !== first.payloadType)) {
    fail('CONFLICT', 'the files do not hold the same release: sign one and the same file');
  }
  const signatures = new Map(all.flatMap((one) => one.signatures.map((signature) => [signature.keyid, signature])));
  return { ...first, signatures: [...signatures.values()] };
}

export const encodeEnvelope = (value: Envelope): string => `${JSON.stringify(value)}\n`;

/** Throws BAD_INPUT. */
export function readEnvelopeText(text: string): Envelope {
  const read = envelope.safeParse(parseJson(text));
  return read.success ? read.data : fail('BAD_INPUT', 'the file is no signed envelope');
}
