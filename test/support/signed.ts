import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addSignature, encodeEnvelope, newKey, publicPart, readKey, wrap } from '../../cli/signing.ts';
import { type CatalogueEntry, encodeManifest, type Minimum } from '../../core/catalogue.ts';
import type { Keyring } from '../../core/dsse.ts';
import type { EnginePlatform } from '../../core/release.ts';

/** Three release keys of a test, and one that nobody knows. */
export const KEYS = [1, 2, 3].map(() => readKey(newKey()));
export const STRANGER = readKey(newKey());
export const KEYRING: Keyring = { threshold: 2, keys: KEYS.map(publicPart) };

export const PLATFORM: EnginePlatform = process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64';
const DAY_S = 86_400;

/** An entry as a release lists it, for this machine. */
export function releaseEntry({ image, pull, ...manifest }: CatalogueEntry): object {
  return { ...encodeManifest(manifest), images: { [PLATFORM]: { id: image, pull } } };
}

export type Draft = {
  readonly format?: number;
  readonly version?: number;
  /** Unix seconds. */
  readonly issuedAt?: number;
  readonly expiresAt?: number;
  readonly minimums?: readonly Minimum[];
  readonly entries?: readonly unknown[];
};

/** The payload of a release, valid from `now` on for 60 days unless it says otherwise. `now` in Unix ms. */
export function payload(now: number, change: Draft = {}): Uint8Array {
  const issuedAt = Math.floor(now / 1000);
  const whole = { format: 1, version: 1, issuedAt, expiresAt: issuedAt + 60 * DAY_S, minimums: [], entries: [] };
  return Buffer.from(JSON.stringify({ ...whole, ...change }));
}

/** A release signed by two of the three keys, or by those that are named. */
export const signed = (now: number, change: Draft = {}, keys = KEYS.slice(0, 2)): string =>
  encodeEnvelope(keys.reduce(addSignature, wrap(payload(now, change))));

/** Files as an agent is given them: a signed catalogue of these entries, and the keys. */
export async function signedFiles(
  folder: string,
  entries: readonly CatalogueEntry[],
  version = 1,
): Promise<{ readonly catalogueFile: string; readonly catalogueKeysFile: string }> {
  const files = {
    catalogueFile: join(folder, 'catalogue.json'),
    catalogueKeysFile: join(folder, 'catalogue-keys.json'),
  };
  await writeFile(files.catalogueFile, signed(Date.now(), { version, entries: entries.map(releaseEntry) }));
  await writeFile(files.catalogueKeysFile, JSON.stringify(KEYRING));
  return files;
}
