import { z } from 'zod';
import { collision, pathFault } from './content-paths.ts';
import { fail } from './errors.ts';
import { canonicalJson, sha256Hex, utf8 } from './keccak.ts';
import { type Address, address, byteCount, type Hex32, hex32 } from './primitives.ts';

/**
 * Published content (docs/decisions/0035): files cut into chunks that are named by their SHA-256, and a manifest that lists them. The
 * manifest's own SHA-256 is the name of the content, so whoever has the name can check every byte, wherever it came from. The manifest names its
 * publisher: nobody else can speak for a content of that name.
 */

export const CHUNK_BYTES = 1024 * 1024;
/** A manifest is passed on in one piece. */
export const MOST_MANIFEST_BYTES = 8 * 1024 * 1024;

const file = z.strictObject({ path: z.string().max(1_024), bytes: byteCount, chunks: z.array(hex32) });
const manifestShape = z.strictObject({ version: z.literal(1), publisher: address, files: z.array(file) });

export type ContentFile = Readonly<Omit<z.output<typeof file>, 'chunks'>> & { readonly chunks: readonly Hex32[] };
export type Manifest = {
  readonly version: 1;
  readonly publisher: Address;
  /** In ascending order of their paths, by UTF-16 code units. */
  readonly files: readonly ContentFile[];
};

export type Chunk = { readonly hash: Hex32; readonly bytes: number };

/** How many bytes a chunk of a file has: all but the last are full. */
export const chunkLength = (bytes: number, index: number): number => Math.min(CHUNK_BYTES, bytes - index * CHUNK_BYTES);

/** Each chunk once, however often it occurs. Throws BAD_INPUT when one name stands for two lengths. */
export function chunksOf(files: readonly ContentFile[]): readonly Chunk[] {
  const all = new Map<Hex32, number>();
  for (const { path, bytes, chunks } of files) {
    for (const [index, hash] of chunks.entries()) {
      const length = chunkLength(bytes, index);
      if ((all.get(hash) ?? length) !== length) fail('BAD_INPUT', `a chunk of ${path} has two lengths`, { path });
      all.set(hash, length);
    }
  }
  return [...all].map(([hash, bytes]) => ({ hash, bytes }));
}

function requireWhole({ files }: Manifest): void {
  for (const { path, bytes, chunks } of files) {
    const fault = pathFault(path);
    if (fault !== null) fail('BAD_INPUT', `${JSON.stringify(path)} cannot be published: ${fault}`, { path });
    if (chunks.length !== Math.ceil(bytes / CHUNK_BYTES)) {
      fail('BAD_INPUT', `${path} has ${bytes} bytes and ${chunks.length} chunks, which do not fit`, { path });
    }
  }
  const same = collision(files.map(({ path }) => path));
  if (same !== null) {
    const [a, b] = same;
    fail('BAD_INPUT', `${a} and ${b} are one file on systems that do not tell capitals apart; rename one`, { a, b });
  }
  chunksOf(files);
}

/** Throws BAD_INPUT for paths that not every system can keep apart, and for more files than a manifest can name. */
export function encodeManifest(publisher: Address, files: readonly ContentFile[]): Uint8Array {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const manifest: Manifest = { version: 1, publisher: publisher.toLowerCase() as Address, files: sorted };
  requireWhole(manifest);
  const text = utf8(canonicalJson(manifest));
  if (text.length > MOST_MANIFEST_BYTES) {
    fail('BAD_INPUT', `the list of these files is longer than ${MOST_MANIFEST_BYTES} bytes; publish them in parts`);
  }
  return text;
}

export const contentName = (manifest: Uint8Array): Hex32 => sha256Hex(manifest);

/** Throws BAD_INPUT for whatever `encodeManifest` would not have written, byte for byte. `text`: the bytes as UTF-8. */
export function parseManifest(text: string): Manifest {
  let read: Manifest | null = null;
  try {
    read = manifestShape.parse(JSON.parse(text));
  } catch (error) {
    return fail('BAD_INPUT', 'that is no list of published files', {}, error);
  }
  requireWhole(read);
  const sorted = read.files.every(({ path }, at) => at === 0 || (read.files[at - 1]?.path ?? '') < path);
  if (!sorted || canonicalJson(read) !== text) fail('BAD_INPUT', 'the list of files is not in its one form');
  return read;
}

/** A part of a chunk, from `from` to before `to`. */
export type Piece = Chunk & { readonly index: number; readonly from: number; readonly to: number };

/** Which parts of which chunks make up the bytes of a file from `start` to before `end`, in order. */
export function piecesOf({ bytes, chunks }: ContentFile, start: number, end: number): readonly Piece[] {
  const [low, high] = [Math.max(0, start), Math.min(bytes, end)];
  if (low >= high) return [];
  const first = Math.floor(low / CHUNK_BYTES);
  return chunks.slice(first, Math.ceil(high / CHUNK_BYTES)).map((hash, offset) => {
    const index = first + offset;
    const [length, at] = [chunkLength(bytes, index), index * CHUNK_BYTES];
    return { hash, bytes: length, index, from: Math.max(0, low - at), to: Math.min(length, high - at) };
  });
}

/** Names the bytes of a file: alike for equal files, and for no others. */
export const fileTag = ({ chunks }: ContentFile): Hex32 => {
  const [only] = chunks;
  return only !== undefined && chunks.length === 1 ? only : sha256Hex(utf8(chunks.join('\n')));
};
