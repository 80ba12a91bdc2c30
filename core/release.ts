import { z } from 'zod';
import { type Catalogue, contentId, minimum, pullSource, workloadManifest } from './catalogue.ts';
import { fromUtf8, type Keyring, MAX_ENVELOPE_LENGTH, openEnvelope, parseJson, type Verify } from './dsse.ts';
import { keccakText, sha256Hex } from './keccak.ts';
import type { Hex32, UnixMs } from './primitives.ts';

/** A release of the catalogue: what is signed, when it counts, and why one is refused. */

export const RELEASE_TYPE = 'application/vnd.idlemesh.catalogue+json';

/** Of the machine that an engine's containers run on. */
export const ENGINE_PLATFORMS = ['linux/amd64', 'linux/arm64'] as const;
export type EnginePlatform = (typeof ENGINE_PLATFORMS)[number];

const DAY_S = 86_400;
/** One that never ends could be served for ever in place of its successors. */
export const LONGEST_LIFE_S = 366 * DAY_S;
/** A clock may show the wrong zone, as where two systems share a machine; more than that is a wrong clock. */
const CLOCK_SLACK_MS = DAY_S * 1000;
/** From then on the owner is told that it ends soon. */
export const EXPIRES_SOON_MS = 7 * DAY_S * 1000;

const platformImage = z.strictObject({
  /** Digest of the image's configuration. */
  id: contentId,
  pull: pullSource.nullable(),
});

const releaseEntry = workloadManifest.extend({
  images: z.strictObject({ 'linux/amd64': platformImage.optional(), 'linux/arm64': platformImage.optional() }),
});

const unixSeconds = z.number().int().nonnegative().max(8_640_000_000_000);

const frame = z.strictObject({
  format: z.literal(1),
  /** Grows with every release: a device goes back to no lower one. */
  version: z.number().int().positive(),
  issuedAt: unixSeconds,
  expiresAt: unixSeconds,
});

/** Rows that this build does not understand are of a later one, and are left out: what it does not know, it does not run. */
const understood = <T extends z.ZodType>(row: T, most: number) =>
  z
    .array(z.unknown())
    .max(most)
    .transform((rows): readonly z.output<T>[] =>
      rows.flatMap((one) => {
        const read = row.safeParse(one);
        return read.success ? [read.data] : [];
      }),
    );

const lasts = ({ issuedAt, expiresAt }: z.output<typeof frame>): boolean =>
  expiresAt > issuedAt && expiresAt - issuedAt <= LONGEST_LIFE_S;
const LASTS = 'a release ends after it begins, and within 366 days';

/** As it is read. */
const release = frame
  .extend({ minimums: understood(minimum, 64), entries: understood(releaseEntry, 256) })
  .refine(lasts, LASTS);
export type Release = z.output<typeof release>;

const differ = (ids: readonly string[]): boolean => new Set(ids).size === ids.length;

type Compared = Pick<z.output<typeof releaseEntry>, 'id' | 'purpose' | 'comparison'>;
const hasVerifier = ({ comparison: rule }: Compared, entries: readonly Compared[]): boolean =>
  rule === 'exact' ||
  !('entry' in rule) ||
  entries.some(({ id, purpose }) => id === rule.entry && purpose === 'verifier');

/** As it is signed: nothing in it may be left out. */
export const strictRelease = frame
  .extend({ minimums: z.array(minimum).max(64), entries: z.array(releaseEntry).max(256) })
  .refine(lasts, LASTS)
  .refine(({ entries }) => differ(entries.map(({ id }) => id)), 'a workload is listed twice')
  .refine(({ minimums }) => differ(minimums.map(({ component }) => component)), 'a component is listed twice')
  .refine(({ entries }) => entries.every(({ images }) => Object.keys(images).length > 0), 'a workload has no image')
  .refine(
    ({ entries }) => entries.every((entry) => hasVerifier(entry, entries)),
    'a verifier that a workload names is not listed',
  );

/** Why a release is not in force. */
export type CatalogueRefusal =
  /** This build knows no release keys. */
  | { readonly kind: 'no-keys' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'malformed'; readonly detail: string }
  /** `valid` of `needed` keys have signed; `unknown` signatures are of keys that this build does not know. */
  | { readonly kind: 'signatures'; readonly valid: number; readonly needed: number; readonly unknown: number }
  /** Signed, but in a form that only later builds understand. */
  | { readonly kind: 'newer-format' }
  | { readonly kind: 'older'; readonly version: number; readonly highest: number }
  /** Another content under a version that is in use already. */
  | { readonly kind: 'rewritten'; readonly version: number }
  /** The clock here shows a time long before it was issued. */
  | { readonly kind: 'clock'; readonly issuedAt: UnixMs }
  | { readonly kind: 'expired'; readonly since: UnixMs };

/** The highest version ever in force on a device. */
export type Highest = { readonly version: number; readonly digest: Hex32 };

export type Genuine = { readonly release: Release /** Of the signed bytes. */; readonly digest: Hex32 };
export type Verdict =
  | ({ readonly kind: 'genuine' } & Genuine)
  | { readonly kind: 'refused'; readonly why: CatalogueRefusal };

type Trust = { readonly keys: Keyring; readonly verify: Verify };

const refused = (why: CatalogueRefusal): Verdict => ({ kind: 'refused', why });

/** Whether enough keys have signed it and it is a release at all; whatever the time. */
export function readRelease(text: string | null, { keys, verify }: Trust): Verdict {
  if (keys.keys.length === 0) return refused({ kind: 'no-keys' });
  if (text === null) return refused({ kind: 'missing' });
  if (text.length > MAX_ENVELOPE_LENGTH) return refused({ kind: 'too-large' });
  const opened = openEnvelope(text, RELEASE_TYPE, keys, verify);
  if (opened.kind !== 'opened') return refused(opened);
  const payload = parseJson(fromUtf8(opened.payload) ?? '');
  const ours = z.object({ format: z.literal(1) }).safeParse(payload);
  const read = release.safeParse(payload);
  if (read.success) return { kind: 'genuine', release: read.data, digest: sha256Hex(opened.payload) };
  if (!ours.success && z.object({ format: z.number().int().min(2) }).safeParse(payload).success) {
    return refused({ kind: 'newer-format' });
  }
  return refused({ kind: 'malformed', detail: read.error.issues[0]?.message ?? 'it is no release' });
}

/** The entity tag of an envelope over HTTP. */
export const releaseTag = (text: string): string => `"${keccakText(text)}"`;

/** Why a genuine release may not be put in force after what was; null: it may. */
export function replay({ release: { version }, digest }: Genuine, highest: Highest | null): CatalogueRefusal | null {
  if (highest === null || version > highest.version) return null;
  if (version < highest.version) return { kind: 'older', version, highest: highest.version };
  return digest === highest.digest ? null : { kind: 'rewritten', version };
}

/** Why it does not count at this time; null: it does. */
export function untimely(times: Pick<Release, 'issuedAt' | 'expiresAt'>, now: UnixMs): CatalogueRefusal | null {
  const issuedAt = times.issuedAt * 1000;
  const since = times.expiresAt * 1000;
  if (now < issuedAt - CLOCK_SLACK_MS) return { kind: 'clock', issuedAt };
  return now >= since ? { kind: 'expired', since } : null;
}

/**
 * Whether the memory of `before` still says something under `keys`: what so few of the keys have signed that it could not be
 * brought back now needs no memory, and a network with keys of its own begins anew.
 */
export const remembers = (keys: Keyring, before: readonly string[]): boolean =>
  keys.keys.filter((key) => before.includes(key.public)).length >= keys.threshold;

/**
 * A release with one image for each workload: that of the first of the platforms for which it has one. A device names its own
 * alone; a coordinator all of them, since results are compared byte for byte and so come from one image.
 */
export function resolveRelease(
  { version, minimums, entries }: Pick<Release, 'version' | 'minimums' | 'entries'>,
  platforms: readonly EnginePlatform[],
): Catalogue {
  return {
    version,
    minimums: [...minimums],
    entries: entries.flatMap(({ images, ...manifest }) => {
      const image = platforms.map((platform) => images[platform]).find((one) => one !== undefined);
      return image === undefined ? [] : [{ ...manifest, image: image.id, pull: image.pull }];
    }),
  };
}
