import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { verifyEd25519 } from '../../../agent/adapters/ed25519.ts';
import { addSignature, encodeEnvelope, mergeSignatures, readEnvelopeText, wrap } from '../../../cli/signing.ts';
import { imageIds } from '../../../core/catalogue.ts';
import { fromBase64, fromUtf8, keyring, MAX_ENVELOPE_LENGTH, NO_KEYS, preAuth } from '../../../core/dsse.ts';
import {
  type CatalogueRefusal,
  readRelease,
  remembers,
  replay,
  resolveRelease,
  strictRelease,
  untimely,
} from '../../../core/release.ts';
import { ENTRY } from '../../fakes/world.ts';
import { KEYRING, KEYS, PLATFORM, payload, releaseEntry, STRANGER, signed } from '../../support/signed.ts';

const NOW = 1_790_000_000_000;
const DAY_MS = 86_400_000;
const TRUST = { keys: KEYRING, verify: verifyEd25519 };
const CONTENT = { version: 7, entries: [releaseEntry(ENTRY)] };
const GOOD = signed(NOW, CONTENT);

type Case = {
  readonly text: string | null;
  readonly keys?: typeof KEYRING;
  readonly now?: number;
  readonly highest?: Parameters<typeof replay>[1];
};

/** Why it is refused, as a device would; null: it is taken. */
function refusal({ text, keys = KEYRING, now = NOW, highest = null }: Case): CatalogueRefusal | null {
  const verdict = readRelease(text, { ...TRUST, keys });
  if (verdict.kind === 'refused') return verdict.why;
  return replay(verdict, highest) ?? untimely(verdict.release, now);
}

const edit = (change: (whole: ReturnType<typeof readEnvelopeText>) => object): string =>
  JSON.stringify(change(readEnvelopeText(GOOD)));
const genuine = readRelease(GOOD, TRUST);
if (genuine.kind !== 'genuine') throw new Error('the control itself is refused');
const { digest } = genuine;
const other = Buffer.from(payload(NOW, { ...CONTENT, version: 8 })).toString('base64');
const flipped = (sig: string): string => (sig.startsWith('A') ? `B${sig.slice(1)}` : `A${sig.slice(1)}`);
const [first, second] = KEYS;
if (first === undefined || second === undefined) throw new Error('no keys');
const shortBy = (valid: number, unknown = 0) => ({ kind: 'signatures', valid, needed: 2, unknown }) as const;

describe('a catalogue', () => {
  test('that two of three keys have signed is taken: the control of all that follows', () => {
    expect(refusal({ text: GOOD })).toBeNull();
    expect(refusal({ text: GOOD, highest: { version: 7, digest } })).toBeNull();
    expect(refusal({ text: GOOD, highest: { version: 6, digest: `0x${'0'.repeat(64)}` } })).toBeNull();
    expect(refusal({ text: signed(NOW, CONTENT, [...KEYS]) })).toBeNull();
  });

  const malformed = { kind: 'malformed' };
  const cases: readonly (readonly [string, Case, object])[] = [
    ['an altered payload', { text: edit((one) => ({ ...one, payload: other })) }, shortBy(0)],
    [
      'an altered signature',
      {
        text: edit((one) => ({
          ...one,
          signatures: one.signatures.map((s, at) => (at ? s : { ...s, sig: flipped(s.sig) })),
        })),
      },
      shortBy(1),
    ],
    ['no signature', { text: edit((one) => ({ ...one, signatures: [] })) }, shortBy(0)],
    ['one signature', { text: signed(NOW, CONTENT, [first]) }, shortBy(1)],
    [
      'one key twice',
      { text: edit((one) => ({ ...one, signatures: [one.signatures[0], one.signatures[0]] })) },
      shortBy(1),
    ],
    [
      'one key twice, under the name of another',
      {
        text: edit(({ signatures: [one, two], ...rest }) => ({
          ...rest,
          signatures: [one, { ...two, sig: one?.sig }],
        })),
      },
      shortBy(1),
    ],
    ['an unknown key beside a known one', { text: signed(NOW, CONTENT, [first, STRANGER]) }, shortBy(1, 1)],
    ['unknown keys alone', { text: signed(NOW, CONTENT, [STRANGER]) }, shortBy(0, 1)],
    ['a build without keys', { text: GOOD, keys: NO_KEYS }, { kind: 'no-keys' }],
    ['another type', { text: edit((one) => ({ ...one, payloadType: 'application/json' })) }, malformed],
    ['another type, signed as such', { text: otherType() }, malformed],
    [
      'an old version again',
      { text: GOOD, highest: { version: 8, digest } },
      { kind: 'older', version: 7, highest: 8 },
    ],
    [
      'the same version with other content',
      { text: signed(NOW, { ...CONTENT, entries: [] }), highest: { version: 7, digest } },
      { kind: 'rewritten', version: 7 },
    ],
    ['its end', { text: GOOD, now: NOW + 60 * DAY_MS }, { kind: 'expired', since: NOW + 60 * DAY_MS }],
    ['a clock of long before', { text: GOOD, now: NOW - 2 * DAY_MS }, { kind: 'clock', issuedAt: NOW }],
    ['a giant', { text: GOOD.padEnd(MAX_ENVELOPE_LENGTH + 1) }, { kind: 'too-large' }],
    ['garbage', { text: '\u0000\u00ff{' }, malformed],
    ['nothing', { text: null }, { kind: 'missing' }],
    ['a plain list', { text: JSON.stringify({ version: 7, entries: [] }) }, malformed],
    ['a form of later builds', { text: signed(NOW, { ...CONTENT, format: 2 }) }, { kind: 'newer-format' }],
    ['no end in sight', { text: signed(NOW, { ...CONTENT, expiresAt: NOW }) }, malformed],
  ];
  test.each(cases)('is refused for %s', (_what, given, why) => expect(refusal(given)).toMatchObject(why));

  test('within a day of a wrong zone, and to its last second, is in force', () => {
    expect(refusal({ text: GOOD, now: NOW - DAY_MS + 1 })).toBeNull();
    expect(refusal({ text: GOOD, now: NOW + 60 * DAY_MS - 1 })).toBeNull();
    expect(refusal({ text: GOOD.padEnd(MAX_ENVELOPE_LENGTH) })).toBeNull();
  });

  test('with any one byte altered is refused, or says the same', () => {
    fc.assert(
      fc.property(fc.nat(GOOD.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const byte = String.fromCharCode(GOOD.charCodeAt(at) ^ mask);
        const verdict = readRelease(GOOD.slice(0, at) + byte + GOOD.slice(at + 1), TRUST);
        if (verdict.kind === 'genuine') expect(verdict).toEqual(genuine);
      }),
      { numRuns: 2_000 },
    );
  });
});

function otherType(): string {
  const wrapped = { ...wrap(payload(NOW, CONTENT)), payloadType: 'application/json' };
  return encodeEnvelope(KEYS.reduce(addSignature, wrapped));
}

test('signatures that were made apart come together on one content alone', () => {
  const [one, two] = [first, second].map((key) => addSignature(wrap(payload(NOW, CONTENT)), key));
  if (one === undefined || two === undefined) throw new Error('not signed');
  expect(refusal({ text: encodeEnvelope(one) })).toEqual(shortBy(1));
  expect(refusal({ text: encodeEnvelope(mergeSignatures([one, two])) })).toBeNull();
  const foreign = addSignature(wrap(payload(NOW, { ...CONTENT, version: 9 })), second);
  expect(() => mergeSignatures([one, foreign])).toThrow(/same release/);
});

test('what a later build would understand is left out, and nothing else', () => {
  const later = { ...releaseEntry(ENTRY), id: 'later', magic: true };
  const verdict = readRelease(signed(NOW, { entries: [later, releaseEntry(ENTRY)] }), TRUST);
  expect(verdict).toMatchObject({ kind: 'genuine', release: { entries: [{ id: ENTRY.id }] } });
});

test('a release is resolved for the platforms that are asked for, the first of them first', () => {
  const pull = { repository: 'registry.example:5000/idlemesh/echo', digest: `sha256:${'cc'.repeat(32)}`, bytes: 12 };
  const arm = { id: `sha256:${'dd'.repeat(32)}`, pull };
  const both = {
    ...releaseEntry(ENTRY),
    images: { 'linux/amd64': { id: ENTRY.image, pull: null }, 'linux/arm64': arm },
  };
  const verdict = readRelease(signed(NOW, { entries: [both] }), TRUST);
  if (verdict.kind !== 'genuine') throw new Error('refused');
  const on = (...platforms: Parameters<typeof resolveRelease>[1][number][]) =>
    resolveRelease(verdict.release, platforms).entries;
  expect(on('linux/amd64')).toEqual([ENTRY]);
  expect(on('linux/arm64')).toEqual([{ ...ENTRY, image: arm.id, pull }]);
  expect(on('linux/amd64', 'linux/arm64')).toEqual([ENTRY]);
  expect(on()).toEqual([]);
  expect(on('linux/arm64').map(imageIds)).toEqual([[arm.id, pull.digest]]);
  expect(on(PLATFORM)).toHaveLength(1);
});

test('a release that names a verifier lists it, or is not signed', () => {
  const echo = releaseEntry({ ...ENTRY, comparison: { kind: 'verifier', entry: 'letters' } });
  const letters = releaseEntry({ ...ENTRY, id: 'letters', purpose: 'verifier' });
  const signable = (...entries: readonly object[]) =>
    strictRelease.safeParse(JSON.parse(Buffer.from(payload(NOW, { entries })).toString())).success;
  expect(signable(echo, letters)).toBe(true);
  expect(signable(echo)).toBe(false);
  expect(signable(echo, releaseEntry({ ...ENTRY, id: 'letters' }))).toBe(false);
});

test('a build that does not know how a workload is compared leaves that one out, and runs the others', () => {
  const other = { ...releaseEntry({ ...ENTRY, id: 'later' }), comparison: { kind: 'by-heart' } };
  const verdict = readRelease(signed(NOW, { entries: [other, releaseEntry(ENTRY)] }), TRUST);
  if (verdict.kind !== 'genuine') throw new Error('refused');
  expect(verdict.release.entries.map(({ id }) => id)).toEqual([ENTRY.id]);
});

test('the memory of versions outlives a change of one key, and not a network with keys of its own', () => {
  const before = KEYRING.keys.map((key) => key.public);
  expect(remembers(KEYRING, before)).toBe(true);
  expect(remembers(KEYRING, [...before.slice(0, 2), 'a key that is gone'])).toBe(true);
  expect(remembers(KEYRING, before.slice(0, 1))).toBe(false);
});

describe('a keyring', () => {
  test('is refused when one key would be enough', () => {
    const [key] = KEYRING.keys;
    expect(keyring.safeParse(KEYRING).success).toBe(true);
    expect(keyring.safeParse({ ...KEYRING, threshold: 1 }).success).toBe(false);
    expect(keyring.safeParse({ threshold: 2, keys: [key, { ...key, keyid: 'again' }] }).success).toBe(false);
    expect(keyring.safeParse({ threshold: 2, keys: [key] }).success).toBe(false);
  });
});

test('what is signed is encoded as the example in the specification of DSSE', () => {
  const said = Buffer.from(preAuth('http://example.com/HelloWorld', Buffer.from('hello world'))).toString();
  expect(said).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world');
});

test('base64 and UTF-8 are read as Node writes them, in one form only', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(fromBase64(Buffer.from(bytes).toString('base64'))).toEqual(bytes);
    }),
  );
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => fromUtf8(Buffer.from(text)) === text));
  for (const text of ['AB==', 'A', 'AA=', 'A===', 'AA-_', 'AAA\n']) expect(fromBase64(text), text).toBeNull();
  expect(fromUtf8(Uint8Array.of(0xc0, 0x80))).toBeNull();
});
