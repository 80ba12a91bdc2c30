import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fail } from '../core/errors.ts';
import type { Hex32, UnixMs } from '../core/primitives.ts';

/** Content-addressed bytes: a name is the SHA-256 of what it names, so a blob is never overwritten. */
export type Blobs = {
  readonly maxBytes: number;
  /** Bytes of a blob; null when it is not here. */
  readonly size: (sha256: Hex32) => Promise<number | null>;
  readonly read: (sha256: Hex32) => Readable;
  /** Counts as used now: who was told that it is here may rely on it for as long as blobs are kept. */
  readonly renew: (sha256: Hex32) => Promise<void>;
  /** Removes blobs unused since `before`, but for those in `needed`. Answers which. */
  readonly drop: (before: UnixMs, needed: ReadonlySet<string>) => Promise<readonly Hex32[]>;
  /** Throws REFUSED when the content has another hash or is larger than `most`, DISK_FULL; then nothing is kept. */
  readonly write: (sha256: Hex32, content: AsyncIterable<Uint8Array>, most: number) => Promise<void>;
};

/** Another replica may just be writing into the same folder; nobody writes one blob for so long. */
const HALF_WRITTEN_MS = 6 * 3_600_000;

/** A folder of blobs. What an earlier process left half-written is removed after a while. */
export async function openBlobs(folder: string, maxBytes: number, now: () => UnixMs): Promise<Blobs> {
  const incoming = join(folder, 'incoming');
  await mkdir(incoming, { recursive: true });
  for (const name of await readdir(incoming)) {
    const path = join(incoming, name);
    const info = await stat(path).catch(() => null);
    if (info !== null && Date.now() - info.mtimeMs > HALF_WRITTEN_MS) await rm(path, { force: true });
  }
  const pathOf = (sha256: Hex32): string => join(folder, sha256.slice(2, 4), sha256.slice(2));
  const renew = async (path: string): Promise<void> => utimes(path, now() / 1000, now() / 1000);

  return {
    maxBytes,
    async size(sha256) {
      const info = await stat(pathOf(sha256)).catch(() => null);
      return info?.size ?? null;
    },
    read: (sha256) => createReadStream(pathOf(sha256)),
    renew: (sha256) => renew(pathOf(sha256)),
    async drop(before, needed) {
      const dropped: Hex32[] = [];
      for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
        if (!entry.isFile() || !/^[0-9a-f]{64}$/.test(entry.name) || needed.has(`0x${entry.name}`)) continue;
        const path = join(entry.parentPath, entry.name);
        const info = await stat(path).catch(() => null);
        if (info === null || info.mtimeMs >= before) continue;
        await rm(path, { force: true });
        dropped.push(`0x${entry.name}`);
      }
      return dropped;
    },
    async write(sha256, content, most) {
      const temporary = await receiveBlob(incoming, sha256, content, most);
      const path = pathOf(sha256);
      await mkdir(join(path, '..'), { recursive: true });
      await renew(temporary);
      await rename(temporary, path);
    },
  };
}

/**
 * Writes what comes to a file of its own in `folder`, and answers its path once the hash is right. Throws REFUSED when the
 * content has another hash or is larger than `most`, DISK_FULL; then nothing is kept.
 */
export async function receiveBlob(
  folder: string,
  sha256: Hex32,
  content: AsyncIterable<Uint8Array>,
  most: number,
): Promise<string> {
  const temporary = join(folder, randomUUID());
  try {
    const file = await open(temporary, 'wx');
    try {
      const hash = createHash('sha256');
      let bytes = 0;
      for await (const chunk of content) {
        bytes += chunk.byteLength;
        if (bytes > most) fail('REFUSED', `this blob may hold at most ${most} bytes`, { most });
        hash.update(chunk);
        await file.writeFile(chunk);
      }
      const actual = `0x${hash.digest('hex')}`;
      if (actual !== sha256) fail('REFUSED', `the content has the hash ${actual}`, { expected: sha256, actual });
      await file.sync();
    } finally {
      await file.close();
    }
    return temporary;
  } catch (error) {
    await rm(temporary, { force: true });
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') {
      fail('DISK_FULL', 'the coordinator has no space left for blobs', {}, error);
    }
    throw error;
  }
}
