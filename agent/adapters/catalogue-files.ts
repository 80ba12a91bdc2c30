import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Keyring, keyring, MAX_ENVELOPE_LENGTH, NO_KEYS, parseJson } from '../../core/dsse.ts';
import { asFailure } from '../../core/errors.ts';
import { hex32 } from '../../core/primitives.ts';
import { ENGINE_PLATFORMS, type EnginePlatform } from '../../core/release.ts';
import type { CatalogueShelf, Log } from '../ports.ts';
import { verifyEd25519 } from './ed25519.ts';
import { errnoOf, readIfThere, writeFileAtomic } from './files.ts';

const kept = z.strictObject({
  version: z.number().int().positive(),
  digest: hex32,
  keys: z.array(z.string()).max(16),
  envelope: z.string(),
});

/** The text of an envelope, cut off just above what is too long anyway: a giant file fills no memory. null: no file. */
export async function readEnvelope(path: string): Promise<string | null> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  });
  if (file === null) return null;
  try {
    const bytes = Buffer.alloc(MAX_ENVELOPE_LENGTH + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = (await file.read(bytes, length, bytes.length - length, length)).bytesRead;
    }
    return bytes.toString('latin1', 0, length);
  } finally {
    await file.close();
  }
}

/** The trust root of a build. Throws BAD_INPUT when the file is no keyring. */
export async function readKeyring(path: string): Promise<Keyring> {
  const text = await readIfThere(path);
  return text === null ? NO_KEYS : keyring.parse(parseJson(text));
}

const MACHINES: Readonly<Record<string, EnginePlatform>> = { x64: ENGINE_PLATFORMS[0], arm64: ENGINE_PLATFORMS[1] };

/** Catalogue and keys of the build, and the newest catalogue that was in force, in the agent's own folder. */
export async function catalogueFiles(options: {
  readonly folder: string;
  readonly catalogueFile: string;
  readonly keysFile: string;
  readonly log: Log;
}): Promise<CatalogueShelf> {
  const path = join(options.folder, 'catalogue-kept.json');
  const keys = await readKeyring(options.keysFile).catch((error: unknown) => {
    options.log('error', 'catalogue-keys-unreadable', { path: options.keysFile, detail: asFailure(error).message });
    return NO_KEYS;
  });
  return {
    keys,
    verify: verifyEd25519,
    platform: MACHINES[process.arch] ?? null,
    bundled: () => readEnvelope(options.catalogueFile),
    async kept() {
      const text = await readIfThere(path);
      return text === null ? null : kept.parse(JSON.parse(text));
    },
    keep: (value) => writeFileAtomic(path, JSON.stringify(value)),
  };
}
