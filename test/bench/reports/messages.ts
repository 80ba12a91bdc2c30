import { randomBytes, randomInt } from 'node:crypto';
import { computeAddress, hashMessage, verifyTypedData } from 'ethers';
import { signDigest, signerOf } from '../../../coordinator/recover.ts';
import { fromHex, type Keccak, toHex } from '../../../core/keccak.ts';
import type { Address, Hex32, Signature } from '../../../core/primitives.ts';
import { type Domain, digestOf, domainOf, fieldsOf, reportHash, type Struct } from '../../../core/typed-data.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';

export type Message = {
  readonly kind: string;
  readonly domain: Domain;
  readonly value: Struct<'Report'>;
  readonly signature: Signature;
};

export const DOMAIN = domainOf(8453, '0x00000000000000000000000000000000000c0ffe');

/** The order of the curve's group, and half of it, up to which an s is low. */
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const HALF = ORDER / 2n;
const [R, S, V] = [0, 32, 64] as const;

export type Key = { readonly secret: Uint8Array; readonly address: Address };
export function newKey(): Key {
  const secret = randomBytes(32);
  return { secret, address: computeAddress(toHex(secret)).toLowerCase() as Address };
}

const report = (device: Address): Struct<'Report'> => ({
  ...{ owner: randomAddress(), device, sequence: randomInt(1, 2 ** 40), previous: randomHex32() },
  ...{ periodStart: randomInt(2 ** 41), periodEnd: randomInt(2 ** 41), itemsHash: randomHex32() },
  ...{ itemCount: randomInt(1, 1_001), total: BigInt(`0x${randomBytes(randomInt(1, 33)).toString('hex')}`) },
});

export const signed = (key: Key, value: Struct<'Report'>): Signature =>
  signDigest(digestOf(DOMAIN, 'Report', value), key.secret);

/** A report that its device has signed. */
export function validMessage(key: Key): Message {
  const value = report(key.address);
  return { kind: 'valid', domain: DOMAIN, value, signature: signed(key, value) };
}

type Change = (message: Message, key: Key) => Partial<Message>;

const withBytes =
  (change: (bytes: Uint8Array) => Uint8Array): Change =>
  ({ signature }) => ({ signature: toHex(change(fromHex(signature))) });
const flipped = (from: number, to: number): Change =>
  withBytes((bytes) => {
    const at = randomInt(from, to);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << randomInt(8));
    return bytes;
  });
const filled = (from: number, to: number, value: number): Change => withBytes((bytes) => bytes.fill(value, from, to));
const withS = (change: (s: bigint) => bigint): Change =>
  withBytes((bytes) => {
    const s = change(BigInt(toHex(bytes.subarray(S, V))));
    bytes.set(fromHex(`0x${s.toString(16).padStart(64, '0')}`), S);
    return bytes;
  });
const withV = (v: (old: number) => number): Change =>
  withBytes((bytes) => {
    bytes[V] = v(bytes[V] ?? 0);
    return bytes;
  });
/** The first bit of s says which key it is (EIP-2098). */
const compact = (bytes: Uint8Array): Uint8Array => {
  if (bytes[V] === 28) bytes[S] = (bytes[S] ?? 0) | 0x80;
  return bytes.slice(0, V);
};
const otherDomain =
  (change: () => object): Change =>
  () => ({ domain: { ...DOMAIN, ...change() } });
/** Also what the type of a field cannot hold: whatever the value is, both must say the same of it. */
const field =
  (name: keyof Struct<'Report'>, other: () => unknown): Change =>
  ({ value }) => ({ value: { ...value, [name]: other() } as Struct<'Report'> });

const ofReport = Object.keys(report('0x')) as (keyof Struct<'Report'>)[];
const BEYOND: Readonly<Record<keyof Struct<'Report'>, readonly unknown[]>> = {
  ...{ owner: ['0x12', `0x${'0'.repeat(39)}g`, 5], device: [`0x${'1'.repeat(42)}`, null] },
  ...{ sequence: [-1, 2n ** 64n, 1.5], previous: ['0x', `0x${'1'.repeat(62)}`], periodStart: [-5n, 2n ** 64n] },
  ...{ periodEnd: [Number.NaN, 2n ** 65n], itemsHash: [`0x${'1'.repeat(66)}`, 7], itemCount: [2 ** 32, -1] },
  total: [2n ** 256n, -1n],
};
const pick = <T>(list: readonly T[]): T => list[randomInt(list.length)] as T;

/** What is done to a signed report, by its name. */
export const CHANGES: Readonly<Record<string, Change>> = {
  ...Object.fromEntries(
    ofReport.flatMap((name) => [
      [`another ${name}`, field(name, () => report(randomAddress())[name])],
      [`${name} beyond its type`, field(name, () => pick(BEYOND[name]))],
    ]),
  ),
  'a bit of r': flipped(R, S),
  'a bit of s': flipped(S, V),
  'a bit of v': flipped(V, V + 1),
  'any v': withV(() => randomInt(256)),
  'v of 0 or 1': withV((v) => v - 27),
  'the other v': withV((v) => 55 - v),
  'v with a chain': withV((v) => v + 8 + 2 * randomInt(100)),
  'high s': withS((s) => ORDER - s),
  'high s and the other v': (message, key) => ({
    ...withV((v) => 55 - v)({ ...message, ...withS((s) => ORDER - s)(message, key) }, key),
  }),
  's just above half': withS(() => HALF + BigInt(randomInt(1, 1_000))),
  's just below half': withS(() => HALF - BigInt(randomInt(1_000))),
  's beyond the order': withS(() => ORDER + BigInt(randomInt(1_000))),
  'r beyond the order': filled(R, S, 0xff),
  'r of zero': filled(R, S, 0),
  's of zero': filled(S, V, 0),
  'all zero': filled(R, V + 1, 0),
  compact: withBytes(compact),
  'compact with a changed bit': (message, key) =>
    flipped(R, V)({ ...message, ...withBytes(compact)(message, key) }, key),
  'a byte short of compact': withBytes((bytes) => bytes.slice(0, V - 1)),
  'a byte too long': withBytes((bytes) => Uint8Array.of(...bytes, 0)),
  'no bytes': withBytes(() => new Uint8Array()),
  'half a byte more': ({ signature }) => ({ signature: `${signature}0` }),
  'no hex': ({ signature }) => ({ signature: `${signature.slice(0, -1)}g` as Signature }),
  'random bytes': withBytes(() => randomBytes(V + 1)),
  'another chain': otherDomain(() => ({ chainId: randomInt(1, 8_000) })),
  'another contract': otherDomain(() => ({ verifyingContract: randomAddress() })),
  'another name': otherDomain(() => ({ name: 'Idlemash' })),
  'another version': otherDomain(() => ({ version: '2' })),
  'signed as another type': ({ value }, key) => {
    const other = {
      device: key.address,
      networkId: value.previous,
      nonce: value.itemsHash,
      issuedAt: value.periodStart,
    };
    return { signature: signDigest(digestOf(DOMAIN, 'Session', other), key.secret) };
  },
  'signed without the domain': ({ value }, key) => ({ signature: signDigest(reportHash(value), key.secret) }),
  'signed as text': ({ value }, key) => {
    const text = hashMessage(fromHex(reportHash(value))) as Hex32;
    return { signature: signDigest(text, key.secret) };
  },
  'signed by another': ({ value }) => ({ signature: signed(newKey(), value) }),
};

export function changed(kind: string, key: Key): Message {
  const message = validMessage(key);
  return { ...message, ...CHANGES[kind]?.(message, key), kind };
}

/** Whose signature it is; null: nobody's. */
export function ownVerdict({ domain, value, signature }: Message, keccak: Keccak): string | null {
  try {
    return signerOf(digestOf(domain, 'Report', value, keccak), signature, keccak);
  } catch {
    return null;
  }
}

export function ethersVerdict({ domain, value, signature }: Message): string | null {
  try {
    return verifyTypedData(domain, fieldsOf('Report'), value, signature).toLowerCase();
  } catch {
    return null;
  }
}
