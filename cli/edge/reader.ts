import { createHash } from 'node:crypto';
import { type Chunk, type Manifest, MOST_MANIFEST_BYTES, parseManifest } from '../../core/content.ts';
import { type ErrorCode, Failure, fail } from '../../core/errors.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import type { DeviceChannel } from '../channel.ts';
import { type EdgeDevice, EdgeDevices } from './devices.ts';
import type { EdgePayer, EdgePlaces } from './places.ts';

/** For one chunk, from one device. */
const CHUNK_MS = 120_000;
/** Between two times of asking where the content lies by now. */
const LOOK_MS = 30_000;

/** A content that can be read. Whatever comes out of it has been checked against the content's name. */
export type ContentReader = {
  readonly content: Hex32;
  readonly manifest: Manifest;
  /**
   * From any device that has it. When none could give it, throws NOT_FOUND, or what the last that said something else said, with the words of
   * all; and CANCELLED.
   */
  readonly chunk: (chunk: Chunk, signal?: AbortSignal) => Promise<Uint8Array>;
  readonly close: () => void;
};

export type ReaderOptions = {
  readonly places: EdgePlaces;
  readonly payer: EdgePayer;
  /** The word of its publisher; null: this account is its publisher. */
  readonly grant: string | null;
  /** Told of a device that gave something else than was asked for. */
  readonly lied?: (device: Address, hash: Hex32) => void;
  readonly chunkMs?: number;
};

/**
 * Opens a content by its name. Throws NOT_FOUND and UNAUTHORISED as the coordinator does, NOT_FOUND when none of its devices has its list of files,
 * and BAD_INPUT when the list, whole as it is, names what must not be written.
 */
export async function openContent(
  content: Hex32,
  options: ReaderOptions,
  signal?: AbortSignal,
): Promise<ContentReader> {
  const { places, payer, grant, chunkMs = CHUNK_MS } = options;
  const view = await places.find(content, grant);
  if (view.manifestBytes > MOST_MANIFEST_BYTES) fail('REFUSED', 'the list of files is too long');
  const names = view.devices.map(({ device }) => device);
  const devices = new EdgeDevices(places, content, names);
  const headers = { 'idlemesh-content': content, ...(grant === null ? {} : { 'idlemesh-grant': grant }) };

  async function from(channel: DeviceChannel, { hash, bytes }: Chunk, within: AbortSignal): Promise<Uint8Array | null> {
    const asked = { method: 'GET', path: `/v1/chunks/${hash}`, headers, signal: within } as const;
    const { body } = await channel.request(asked);
    const data = Buffer.allocUnsafe(bytes);
    let at = 0;
    for await (const part of body) {
      if (at + part.length > bytes) return null;
      data.set(part, at);
      at += part.length;
    }
    if (at !== bytes || hashOf(data) !== hash) return null;
    payer.received(channel, content, bytes);
    return data;
  }

  async function attempt(
    one: EdgeDevice,
    wanted: Chunk,
    outer: AbortSignal | undefined,
  ): Promise<Uint8Array | Failure> {
    one.busy += 1;
    const late = AbortSignal.timeout(chunkMs);
    try {
      const channel = await devices.channel(one);
      const data = await from(channel, wanted, outer === undefined ? late : AbortSignal.any([late, outer]));
      if (data !== null) return data;
      devices.lied(one);
      options.lied?.(one.device, wanted.hash);
      return fail('REFUSED', 'it gave something else');
    } catch (error) {
      const slow = late.aborted && outer?.aborted !== true;
      return devices.failed(one, slow ? new Failure('TIMEOUT', 'it took too long', {}, error) : error);
    } finally {
      one.busy -= 1;
    }
  }

  let lookedAt = performance.now();
  /** Whether it lies on more devices than are known. */
  async function moreDevices(): Promise<boolean> {
    if (performance.now() - lookedAt < LOOK_MS) return false;
    lookedAt = performance.now();
    const now = await places.find(content, grant).catch(() => null);
    return now !== null && devices.add(now.devices.map(({ device }) => device));
  }

  async function chunk(wanted: Chunk, outer?: AbortSignal): Promise<Uint8Array> {
    const tried = new Set<EdgeDevice>();
    const said: string[] = [];
    let code: ErrorCode = 'NOT_FOUND';
    for (;;) {
      const one = devices.next(tried);
      if (outer?.aborted === true) fail('CANCELLED', 'not wanted any more');
      if (one === null) {
        if (await moreDevices()) continue;
        break;
      }
      tried.add(one);
      const got = await attempt(one, wanted, outer);
      if (got instanceof Uint8Array) return got;
      said.push(`${one.device}: ${got.message}`);
      if (got.code !== 'NOT_FOUND') code = got.code;
    }
    const none = said.length === 0 ? 'no device holds it any more' : said.join('; ');
    return fail(code, `a part of the content cannot be had now: ${none}`, { content, hash: wanted.hash });
  }

  try {
    const bytes = await chunk({ hash: content, bytes: view.manifestBytes }, signal);
    const manifest = parseManifest(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return { content, manifest, chunk, close: () => devices.close() };
  } catch (error) {
    devices.close();
    throw error;
  }
}

export const hashOf = (data: Uint8Array): Hex32 => `0x${createHash('sha256').update(data).digest('hex')}`;
