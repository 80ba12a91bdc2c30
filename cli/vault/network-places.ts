import { setTimeout as pause } from 'node:timers/promises';
import { API } from '../../core/api.ts';
import { type ErrorCode, fail, isFailure } from '../../core/errors.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import type { FileShape } from '../../core/stored-file.ts';
import { acknowledgement, type StoredFileView } from '../../core/wire-storage.ts';
import type { ChannelAsk, ChannelReply } from '../channel.ts';
import { ChannelPool, type Dial } from '../channel-pool.ts';
import { channelTo } from '../channels.ts';
import type { Consumer } from '../consumer.ts';
import type { FoundFile, Holding, Offer, Place, Places, Shard, Token } from './places.ts';

/** What may be otherwise in a moment: a connection that broke, a device that is just starting or has not heard of the agreement yet. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  ...(['COORDINATOR_AWAY', 'NOT_FOUND', 'TIMEOUT', 'TOO_MANY', 'ENGINE_AWAY'] as const),
]);
/** Before each further attempt. */
const PUT_WAITS_MS = [200, 1_000, 3_000, 10_000] as const;
const GET_WAITS_MS = [500] as const;
const MOST_SHARD_BYTES = 8 * 1024 * 1024;
const MOST_SEAL_BYTES = 8 * 1024;
const PAGE_AT_ONCE = 4;

type Options = {
  readonly consumer: Consumer;
  /** For how long a file is stored that is stored now. */
  readonly months?: number;
  /** Otherwise channels through the network. */
  readonly dial?: Dial;
  readonly waitsMs?: { readonly put: readonly number[]; readonly get: readonly number[] };
};

/** The places that the coordinator finds, reached over channels. Close it. */
export function networkPlaces({
  consumer,
  months = 1,
  dial,
  waitsMs,
}: Options): Places & { readonly close: () => void } {
  const { client } = consumer;
  const pool = new ChannelPool(dial ?? ((device, signal) => channelTo(consumer, device, 'storage', signal)));
  const waits = waitsMs ?? { put: PUT_WAITS_MS, get: GET_WAITS_MS };

  async function patient<T>(
    all: readonly number[],
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    for (const wait of all) {
      try {
        return await work();
      } catch (error) {
        if (!isFailure(error) || !PASSING.has(error.code)) throw error;
        await pause(wait, undefined, signal === undefined ? {} : { signal });
      }
    }
    return await work();
  }

  async function exchange<T>(
    device: Address,
    wanted: ChannelAsk,
    use: (reply: ChannelReply) => Promise<T>,
  ): Promise<T> {
    const channel = await pool.to(device);
    return await use(await channel.request(wanted));
  }
  const under = ({ agreementId }: Place) => ({ 'idlemesh-agreement': agreementId });
  const stopping = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { signal });

  /** It is its owner's alone: whoever repairs does without. */
  async function manifestOf(fileId: Hex32, bytes: number | null): Promise<Uint8Array | null> {
    if (bytes === null) return null;
    return await client.bytes(API.fileManifest, { params: { id: fileId } }).catch((error: unknown) => {
      if (isFailure(error, 'NOT_FOUND') || isFailure(error, 'UNAUTHORISED')) return null;
      throw error;
    });
  }

  async function found(file: StoredFileView): Promise<FoundFile> {
    const { fileId, shape, holdings } = file;
    return { fileId, shape, holdings, manifest: await manifestOf(fileId, file.manifestBytes) };
  }

  return {
    async offer(file: Offer) {
      const body = { fileId: file.fileId, shape: shapeOf(file), months };
      return (await client.call(API.storeFile, { body })).places;
    },
    async put(place, hash, bytes, signal) {
      const headers = { ...under(place), 'content-length': String(bytes.length) };
      const wanted = { method: 'PUT' as const, path: `/v1/shards/${hash}`, headers, body: bytes, ...stopping(signal) };
      await patient(waits.put, signal, () =>
        exchange(place.device, wanted, (reply) => collected(reply, MOST_SEAL_BYTES)),
      );
    },
    async get(place, hash, signal) {
      const wanted = { method: 'GET' as const, path: `/v1/shards/${hash}`, headers: under(place), ...stopping(signal) };
      return await patient(waits.get, signal, () =>
        exchange(place.device, wanted, (reply) => collected(reply, MOST_SHARD_BYTES)),
      );
    },
    async seal(place, { shards, tokens }: { readonly shards: readonly Shard[]; readonly tokens: readonly Token[] }) {
      const { agreementId: id } = place;
      const body = Buffer.from(JSON.stringify({ shards }));
      const wanted = { method: 'POST' as const, path: `/v1/agreements/${id}/seal`, body };
      const said = await patient(waits.put, undefined, () =>
        exchange(place.device, wanted, (reply) => collected(reply, MOST_SEAL_BYTES)),
      );
      const signed = acknowledgement.safeParse(parsed(said));
      if (!signed.success) fail('REFUSED', `${place.device} does not say what it has got`);
      // Whether it is the device's signature, and about these shards, is for the coordinator to judge: it pays on the strength of it.
      const sealing = { shards, tokens, acknowledgement: signed.data };
      await client.call(API.sealAgreement, { params: { id }, body: sealing });
    },
    keep: (fileId, manifest) => client.give(API.putFileManifest, { params: { id: fileId } }, manifest),
    async list() {
      const listed = [];
      for (let after: Hex32 | undefined; ; ) {
        const page = await client.call(API.files, { query: after === undefined ? {} : { after } });
        listed.push(...page.files);
        if (page.next === null) break;
        after = page.next;
      }
      const whole = listed.filter(({ manifestBytes }) => manifestBytes !== null);
      const kept = [];
      for (let at = 0; at < whole.length; at += PAGE_AT_ONCE) {
        const reading = whole.slice(at, at + PAGE_AT_ONCE).map(async ({ fileId, bytes, healthy, of }) => ({
          ...{ fileId, bytes, availability: { healthy, of } },
          manifest: await client.bytes(API.fileManifest, { params: { id: fileId } }),
        }));
        kept.push(...(await Promise.all(reading)));
      }
      return kept;
    },
    async find(fileId) {
      try {
        return await found(await client.call(API.file, { params: { id: fileId } }));
      } catch (error) {
        if (isFailure(error, 'NOT_FOUND')) return null;
        throw error;
      }
    },
    async drop(fileId) {
      await client.call(API.dropFile, { params: { id: fileId } }).catch((error: unknown) => {
        if (!isFailure(error, 'NOT_FOUND')) throw error;
      });
    },
    replace: (fileId, { agreementId }: Place | Holding) =>
      client.call(API.replacePlace, { params: { id: fileId }, body: { lost: agreementId } }),
    close: () => pool.close(),
  };
}

/** The shape alone: whoever gets more than is asked for refuses it. */
const shapeOf = ({ k, n, groups, shardBytes, lastShardBytes }: FileShape): FileShape => ({
  ...{ k, n, groups, shardBytes, lastShardBytes },
});

/** Throws REFUSED for an answer that is longer. */
async function collected({ body }: ChannelReply, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (bytes > most) fail('REFUSED', 'the device said more than it should');
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function parsed(said: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(said).toString('utf8'));
  } catch {
    return null;
  }
}
