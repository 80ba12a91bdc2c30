import type { FileHandle } from 'node:fs/promises';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CHUNK_BYTES, type ContentFile, chunkLength } from '../../core/content.ts';
import { pathFault } from '../../core/content-paths.ts';
import { fail } from '../../core/errors.ts';
import type { Hex32 } from '../../core/primitives.ts';
import { hashOf } from './reader.ts';

/** A file that is to be published, and where it lies. */
export type Source = { readonly path: string; readonly place: string };

/** All files below a folder. Throws BAD_INPUT for anything that is neither file nor folder, and for names that not every system can write. */
export async function filesBelow(folder: string): Promise<readonly Source[]> {
  const info = await stat(folder).catch((error: unknown) => fail('NOT_FOUND', `cannot read ${folder}`, {}, error));
  if (!info.isDirectory()) fail('BAD_INPUT', `${folder} is not a folder`);
  const found: Source[] = [];
  const look = async (inner: string, prefix: string): Promise<void> => {
    for (const entry of await readdir(inner, { withFileTypes: true })) {
      const place = join(inner, entry.name);
      // Some systems keep names in parts: what is published has one form.
      const path = `${prefix}${entry.name.normalize('NFC')}`;
      const fault = pathFault(path);
      if (fault !== null) fail('BAD_INPUT', `${place} cannot be published: ${fault}`);
      if (entry.isDirectory()) await look(place, `${path}/`);
      else if (entry.isFile()) found.push({ path, place });
      // A link could lead to what nobody meant to publish.
      else fail('BAD_INPUT', `${place} is neither a file nor a folder; leave it out`);
    }
  };
  await look(folder, '');
  if (found.length === 0) fail('BAD_INPUT', `there is no file in ${folder}`);
  return found;
}

/** Reads a file once, and names its chunks. */
export async function chunked({ path, place }: Source): Promise<ContentFile> {
  const file = await open(place, 'r');
  try {
    const chunks: Hex32[] = [];
    const piece = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let bytes = 0; ; ) {
      const read = await fillFrom(file, piece, bytes);
      if (read > 0) chunks.push(hashOf(piece.subarray(0, read)));
      bytes += read;
      if (read < piece.length) return { path, bytes, chunks };
    }
  } finally {
    await file.close();
  }
}

/** One chunk of a file as it was published. Throws CONFLICT when the file has changed since. */
export async function chunkFrom(place: string, file: ContentFile, index: number): Promise<Uint8Array> {
  const handle = await open(place, 'r');
  try {
    const piece = Buffer.allocUnsafe(chunkLength(file.bytes, index));
    const read = await fillFrom(handle, piece, index * CHUNK_BYTES);
    if (read === piece.length && hashOf(piece) === file.chunks[index]) return piece;
    return fail('CONFLICT', `${place} has changed while it was being published; publish the folder again`);
  } finally {
    await handle.close();
  }
}

/** As much as there is, up to the length of `into`. Answers how much. */
export async function fillFrom(file: FileHandle, into: Uint8Array, position: number): Promise<number> {
  let at = 0;
  while (at < into.length) {
    const { bytesRead } = await file.read(into, at, into.length - at, position + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at;
}
