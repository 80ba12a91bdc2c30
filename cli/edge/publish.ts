import { z } from 'zod';
import { type Chunk, type ContentFile, chunksOf, contentName, encodeManifest } from '../../core/content.ts';
import { asFailure, fail } from '../../core/errors.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import { hex32 } from '../../core/primitives.ts';
import type { DeviceChannel } from '../channel.ts';
import { atOnce } from './at-once.ts';
import type { EdgePlaces } from './places.ts';
import { chunked, chunkFrom, filesBelow, type Source } from './walk.ts';

/** Chunks on their way to one device at a time. */
const CHUNKS_AT_ONCE = 4;
/** Sets of devices that are tried before it is left at what there is. */
const MOST_ROUNDS = 8;
const MISSING_BYTES = 16 * 1024 * 1024;
const missingAnswer = z.object({ missing: z.array(hex32) });

export type PublishOptions = {
  readonly places: Pick<EdgePlaces, 'register' | 'open'>;
  readonly publisher: Address;
  readonly folder: string;
  /** On how many devices it is to lie, each of another owner. */
  readonly copies: number;
  readonly signal: AbortSignal;
  /** Told again and again: bytes that have reached a device, of all that are to go out. */
  readonly progress?: (sent: number, total: number) => void;
  /** Told of a device that failed; another takes its place. */
  readonly failed?: (device: Address, why: string) => void;
};

export type Published = {
  readonly content: Hex32;
  readonly files: number;
  readonly bytes: number;
  /** Those that hold all of it. */
  readonly devices: readonly Address[];
};

type Whole = {
  readonly content: Hex32;
  readonly manifest: Uint8Array;
  /** Each chunk once, with where it can be read. */
  readonly chunks: readonly (Chunk & { readonly read: () => Promise<Uint8Array> })[];
};

/**
 * Puts all files of a folder on devices, under the one name that follows from what is in them. Done again it sends only what is missing. Throws BAD_INPUT for
 * names that cannot be published, CONFLICT when a file changes meanwhile, NOT_FOUND when no device lends room, CANCELLED, and when every
 * device failed what the last of them said.
 */
export async function publishFolder(options: PublishOptions): Promise<Published> {
  const { places, publisher, folder, copies, signal, failed } = options;
  const sources = await filesBelow(folder);
  const files: ContentFile[] = [];
  for (const source of sources) {
    signal.throwIfAborted();
    files.push(await chunked(source));
  }
  const manifest = encodeManifest(publisher, files);
  const content = contentName(manifest);
  const whole: Whole = { content, manifest, chunks: readable(sources, files) };
  const bytes = whole.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0);
  const order = { content, manifestBytes: manifest.length, bytes, chunks: whole.chunks.length, copies };
  const held = new Set<Address>();
  const useless = new Set<Address>();
  let sent = 0;
  let last: unknown = null;
  const count = (more: number): void => {
    sent += more;
    options.progress?.(sent, copies * (bytes + manifest.length));
  };

  for (let round = 0; round < MOST_ROUNDS && held.size < copies; round++) {
    const { devices } = await places.register({ ...order, without: [...useless] });
    const fresh = devices.map(({ device }) => device).filter((device) => !held.has(device) && !useless.has(device));
    if (fresh.length === 0) break;
    await Promise.all(
      fresh.map(async (device) => {
        try {
          await pushTo(places, device, whole, signal, count);
          held.add(device);
        } catch (error) {
          if (signal.aborted) return;
          last = error;
          useless.add(device);
          failed?.(device, asFailure(error).message);
        }
      }),
    );
    signal.throwIfAborted();
    // The fault is ours, and every device would meet it.
    if (asFailure(last).code === 'CONFLICT') throw last;
  }
  if (held.size > 0) return { content, files: files.length, bytes, devices: [...held] };
  if (last !== null) throw last;
  return fail('NOT_FOUND', 'no device lends room for this content now; try again later, or publish less of it');
}

function readable(sources: readonly Source[], files: readonly ContentFile[]): Whole['chunks'] {
  const places = new Map<Hex32, () => Promise<Uint8Array>>();
  for (const [at, file] of files.entries()) {
    const place = sources[at]?.place ?? '';
    for (const [index, hash] of file.chunks.entries()) places.set(hash, () => chunkFrom(place, file, index));
  }
  const nowhere = async (): Promise<never> => fail('INTERNAL', 'a chunk is of no file');
  return chunksOf(files).map((chunk) => ({ ...chunk, read: places.get(chunk.hash) ?? nowhere }));
}

async function pushTo(
  places: Pick<EdgePlaces, 'open'>,
  device: Address,
  { content, manifest, chunks }: Whole,
  signal: AbortSignal,
  count: (bytes: number) => void,
): Promise<void> {
  const channel = await places.open(device, content, signal);
  const put = async (hash: Hex32, data: Uint8Array): Promise<void> => {
    const headers = { 'idlemesh-content': content, 'content-length': String(data.length) };
    const asked = { method: 'PUT', path: `/v1/chunks/${hash}`, headers, body: data, signal } as const;
    await collect((await channel.request(asked)).body, 0);
    count(data.length);
  };
  try {
    await put(content, manifest);
    const missing = await missingAt(channel, content, signal);
    for (const { hash, bytes } of chunks) if (!missing.has(hash)) count(bytes);
    const left = chunks.filter(({ hash }) => missing.has(hash));
    await atOnce(left, CHUNKS_AT_ONCE, async ({ hash, read }) => put(hash, await read()));
    // What it threw out to make room for the rest it does not hold.
    const lost = await missingAt(channel, content, signal);
    if (lost.size > 0) fail('DISK_FULL', `it has no room for all of it: ${lost.size} chunks gave way to others`);
  } finally {
    channel.close();
  }
}

async function missingAt(channel: DeviceChannel, content: Hex32, signal: AbortSignal): Promise<ReadonlySet<Hex32>> {
  const { body } = await channel.request({ method: 'GET', path: `/v1/contents/${content}/missing`, signal });
  const said = await collect(body, MISSING_BYTES);
  const read = missingAnswer.safeParse(JSON.parse(said.toString('utf8')));
  return read.success ? new Set(read.data.missing) : fail('REFUSED', 'the device did not say what it lacks');
}

async function collect(body: AsyncIterable<Uint8Array>, most: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (bytes > most) fail('REFUSED', 'the device said more than it should');
    parts.push(part);
  }
  return Buffer.concat(parts);
}
