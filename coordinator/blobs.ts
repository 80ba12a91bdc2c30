import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fail } from '../core/errors.ts';
import type { Hex32 } from '../core/primitives.ts';

/** Content-addressed bytes: a name is the SHA-256 of what it names, so a blob is never overwritten. */
export type Blobs = {
  readonly maxBytes: number;
  /** Bytes of a blob; null when it is not here. */
  readonly size: (sha256: Hex32) => Promise<number | null>;
  readonly read: (sha256: Hex32) => Readable;
  /** Throws REFUSED when the content has another hash or is larger than `maxBytes`, DISK_FULL; then nothing is kept. */
  readonly write: (sha256: Hex32, content: AsyncIterable<Uint8Array>) => Promise<void>;
};

/** A folder of blobs. What an earlier process left half-written is removed. */
export async function openBlobs(folder: string, maxBytes: number): Promise<Blobs> {
  const incoming = join(folder, 'incoming');
  await mkdir(incoming, { recursive: true });
  for (const name of await readdir(incoming)) await rm(join(incoming, name), { force: true });
  const pathOf = (sha256: Hex32): string => join(folder, sha256.slice(2, 4), sha256.slice(2));

  return {
    maxBytes,
    async size(sha256) {
      const info = await stat(pathOf(sha256)).catch(() => null);
      return info?.size ?? null;
    },
    read: (sha256) => createReadStream(pathOf(sha256)),
    async write(sha256, content) {
      const temporary = join(incoming, randomUUID());
      try {
        const file = await open(temporary, 'wx');
        try {
          const hash = createHash('sha256');
          let bytes = 0;
          for await (const chunk of content) {
            bytes += chunk.byteLength;
            if (bytes > maxBytes) fail('REFUSED', `a blob holds at most ${maxBytes} bytes`, { maxBytes });
            hash.update(chunk);
            await file.writeFile(chunk);
          }
          const actual = `0x${hash.digest('hex')}`;
          if (actual !== sha256) fail('REFUSED', `the content has the hash ${actual}`, { expected: sha256, actual });
          await file.sync();
        } finally {
          await file.close();
        }
        const path = pathOf(sha256);
        await mkdir(join(path, '..'), { recursive: true });
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') {
          fail('DISK_FULL', 'the coordinator has no space left for blobs', {}, error);
        }
        throw error;
      }
    },
  };
}
