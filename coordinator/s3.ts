import { createReadStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { AwsClient } from 'aws4fetch';
import { Failure, fail } from '../core/errors.ts';
import { type Hex32, hex32 } from '../core/primitives.ts';
import { type Blobs, receiveBlob } from './blobs.ts';

export type S3Options = {
  /** `https://host` of the store, without the bucket. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  /** Never logged. */
  readonly secretAccessKey: string;
};

const BLOBS = 'blobs/';
/** Empty objects whose date says when a blob was used: not every store lets an object be copied onto itself. */
const USES = 'uses/';
const RETRIES = 3;

/**
 * Blobs in a bucket of an S3-compatible store. What comes is written to `folder` first, and sent only when its hash is right:
 * stores differ in what they check, and a half-sent object must not count. The age of a blob is by the store's clock.
 */
export async function openS3Blobs(options: S3Options, folder: string, maxBytes: number): Promise<Blobs> {
  await mkdir(folder, { recursive: true });
  const { endpoint, bucket, region, accessKeyId, secretAccessKey } = options;
  const client = new AwsClient({ accessKeyId, secretAccessKey, region, service: 's3', retries: RETRIES });
  const base = `${endpoint.replace(/\/$/, '')}/${bucket}`;
  const urlOf = (sha256: Hex32, prefix = BLOBS): string => `${base}/${prefix}${sha256.slice(2)}`;

  const ask = (url: string, init: RequestInit, ...fine: readonly number[]): Promise<Response> =>
    judged(() => client.fetch(url, init), init.method ?? 'GET', fine);

  async function* list(prefix: string): AsyncGenerator<{ readonly sha256: Hex32; readonly at: number }> {
    for (let token: string | null = ''; token !== null; ) {
      const query = new URLSearchParams({ 'list-type': '2', prefix });
      if (token !== '') query.set('continuation-token', token);
      const text = await (await ask(`${base}?${query}`, {})).text();
      for (const [, entry = ''] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
        const sha256 = hex32.safeParse(`0x${tagOf(entry, 'Key')?.slice(prefix.length)}`);
        const at = Date.parse(tagOf(entry, 'LastModified') ?? '');
        if (sha256.success && Number.isFinite(at)) yield { sha256: sha256.data, at };
      }
      token = tagOf(text, 'NextContinuationToken');
    }
  }

  return {
    maxBytes,
    async size(sha256) {
      const response = await ask(urlOf(sha256), { method: 'HEAD' }, 404);
      return response.status === 404 ? null : Number(response.headers.get('content-length'));
    },
    read: (sha256) => Readable.from(bytesOf(() => ask(urlOf(sha256), {}))),
    async renew(sha256) {
      await (await ask(urlOf(sha256, USES), { method: 'PUT', body: '' })).text();
    },
    async drop(before, needed) {
      const used = new Set<Hex32>();
      for await (const { sha256, at } of list(USES)) if (at >= before) used.add(sha256);
      const dropped: Hex32[] = [];
      for await (const { sha256, at } of list(BLOBS)) {
        if (at >= before || needed.has(sha256) || used.has(sha256)) continue;
        for (const prefix of [BLOBS, USES]) await ask(urlOf(sha256, prefix), { method: 'DELETE' }, 404);
        dropped.push(sha256);
      }
      return dropped;
    },
    async write(sha256, content, most) {
      const file = await receiveBlob(folder, sha256, content, most);
      try {
        const { size } = await stat(file);
        const headers = { 'content-length': String(size), 'x-amz-content-sha256': sha256.slice(2) };
        const body = Readable.toWeb(createReadStream(file));
        // A stream is sent once: who uploads tries again. Undici wants to know that the answer comes after it.
        const init = { method: 'PUT', headers, body, duplex: 'half' };
        await (await sendOnce(init as unknown as RequestInit, urlOf(sha256))).text();
      } finally {
        await rm(file, { force: true });
      }
    },
  };

  async function sendOnce(init: RequestInit, url: string): Promise<Response> {
    const signed = await client.sign(url, init);
    return await judged(() => fetch(signed), 'PUT');
  }
}

/** Answers what the store said when it is good, or one of `fine`. Its words may quote the request, so they are not passed on. */
async function judged(ask: () => Promise<Response>, method: string, fine: readonly number[] = []): Promise<Response> {
  const response = await ask().catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : '';
    throw new Failure('INTERNAL', `the blob store does not answer: ${reason.slice(0, 200)}`);
  });
  if (response.ok || fine.includes(response.status)) return response;
  await response.body?.cancel();
  if (response.status === 507) return fail('DISK_FULL', 'the blob store has no space left');
  return fail('INTERNAL', `the blob store answered ${response.status} to a ${method}`);
}

const tagOf = (xml: string, name: string): string | null =>
  new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? null;

async function* bytesOf(ask: () => Promise<Response>): AsyncGenerator<Uint8Array> {
  const { body } = await ask();
  if (body !== null) yield* body as ReadableStream<Uint8Array>;
}
