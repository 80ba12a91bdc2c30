import { type FileHandle, lstat, mkdir, open, realpath, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CHUNK_BYTES, type ContentFile, chunkLength, fileTag } from '../../core/content.ts';
import { fail } from '../../core/errors.ts';
import type { Hex32 } from '../../core/primitives.ts';
import { atOnce } from './at-once.ts';
import { type ContentReader, hashOf } from './reader.ts';
import { fillFrom } from './walk.ts';

const FILES_AT_ONCE = 4;
/** Of one file; with the files, what is kept in memory: 16 MiB. */
const CHUNKS_AT_ONCE = 4;

export type FetchOptions = {
  readonly folder: string;
  /** Files of the same name and other content are replaced; else they are a CONFLICT, before anything is fetched. */
  readonly overwrite: boolean;
  readonly signal: AbortSignal;
  /** Told again and again: bytes that are there, of all. */
  readonly progress?: (done: number, total: number) => void;
};

export type Fetched = { readonly files: number; readonly bytes: number; readonly fetchedBytes: number };

/**
 * Writes all files of a content into a folder. A file has its name only when all of it is there, checked and on disk; what was broken off goes on
 * where it was, and what is there already is not fetched. Throws what `ContentReader.chunk` throws, CONFLICT and CANCELLED.
 */
export async function fetchContent(reader: ContentReader, options: FetchOptions): Promise<Fetched> {
  const { files } = reader.manifest;
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let [done, fetchedBytes] = [0, 0];
  const count = (bytes: number, fetched: boolean): void => {
    done += bytes;
    if (fetched) fetchedBytes += bytes;
    options.progress?.(done, total);
  };
  await mkdir(options.folder, { recursive: true });
  const folder = await realpath(options.folder);
  const wanted: ContentFile[] = [];
  for (const file of files) {
    const there = await same(join(folder, file.path), file);
    if (there === false && !options.overwrite) {
      fail('CONFLICT', `${join(options.folder, file.path)} is there and is something else; say --force to replace it`);
    }
    if (there === true) count(file.bytes, false);
    else wanted.push(file);
  }
  await atOnce(wanted, FILES_AT_ONCE, (file) => fetchFile(reader, folder, file, options.signal, count));
  return { files: files.length, bytes: total, fetchedBytes };
}

/** null: there is nothing of that name. */
async function same(path: string, file: ContentFile): Promise<boolean | null> {
  const info = await stat(path).catch(() => null);
  if (info === null) return null;
  if (info.isDirectory()) fail('CONFLICT', `${path} is a folder, and is to be a file; move it away`);
  if (!info.isFile() || info.size !== file.bytes) return false;
  const handle = await open(path, 'r');
  try {
    return (await lackingOf(handle, file)).length === 0;
  } finally {
    await handle.close();
  }
}

/** Indices of the chunks that are not in a file as they should be. */
async function lackingOf(handle: FileHandle, { bytes, chunks }: ContentFile): Promise<readonly number[]> {
  const lacking: number[] = [];
  const piece = Buffer.allocUnsafe(CHUNK_BYTES);
  for (const [index, hash] of chunks.entries()) {
    const part = piece.subarray(0, chunkLength(bytes, index));
    const read = await fillFrom(handle, part, index * CHUNK_BYTES);
    if (read !== part.length || hashOf(part) !== hash) lacking.push(index);
  }
  return lacking;
}

async function fetchFile(
  reader: ContentReader,
  folder: string,
  file: ContentFile,
  signal: AbortSignal,
  count: (bytes: number, fetched: boolean) => void,
): Promise<void> {
  const path = join(folder, file.path);
  const parent = dirname(path);
  await requireNoLink(folder, file.path);
  await mkdir(parent, { recursive: true });
  // Of these very bytes at this very place: what is left of another content is not taken for part of this one.
  const mark = hashOf(Buffer.from(`${file.path}\n${fileTag(file)}`)).slice(2, 26);
  const partial = join(parent, `.${mark}.part`);
  const handle = await open(partial, 'a+').then(async (made) => {
    await made.close();
    return await open(partial, 'r+');
  });
  try {
    const lacking = new Set(await lackingOf(handle, file));
    for (const index of file.chunks.keys()) if (!lacking.has(index)) count(chunkLength(file.bytes, index), false);
    await atOnce(lacking, CHUNKS_AT_ONCE, async (index) => {
      const bytes = chunkLength(file.bytes, index);
      const hash: Hex32 = file.chunks[index] ?? fail('INTERNAL', 'there is no such chunk');
      const data = await reader.chunk({ hash, bytes }, signal);
      await handle.write(data, 0, data.length, index * CHUNK_BYTES);
      count(bytes, true);
    });
    await handle.truncate(file.bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(partial, path);
}

/** A link that lies in the way could lead anywhere. */
async function requireNoLink(folder: string, path: string): Promise<void> {
  let inner = folder;
  for (const name of path.split('/').slice(0, -1)) {
    inner = join(inner, name);
    const info = await lstat(inner).catch(() => null);
    if (info === null) return;
    if (!info.isDirectory()) fail('REFUSED', `${inner} is in the way; remove it`, { path });
  }
}
