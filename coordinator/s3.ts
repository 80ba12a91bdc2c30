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

const PREFIX = 'blobs/';
const RETRIES = 3;

/**
 * Blobs in a bucket of an S3-compatible store. What comes is written to `folder` first, and sent only when its hash is right:
 * stores differ in what they check, and a half-sent object must not count. The age of a blob is the store's own date of it.
 */
export async function openS3Blobs(options: S3Options, folder: string, maxBytes: number): Promise<Blobs> {
  await mkdir(folder, { recursive: true });
  const { endpoint, bucket, region, accessKeyId, secretAccessKey } = options;
  const client = new AwsClient({ accessKeyId, secretAccessKey, region, service: 's3', retries: RETRIES });
  const base = `${endpoint.replace(/\/$/, '')}/${bucket}`;
  const urlOf = (sha256: Hex32): string => `${base}/${PREFIX}${sha256.slice(2)}`;

  /** Answers what the store said when it is one of `fine`. Its words may quote the request, so they are not passed on. */
  async function ask(url: string, init: RequestInit, ...fine: readonly number[]): Promise<Response> {
    const what = `${init.method ?? 'GET'} of a blob`;
    const response = await client.fetch(url, init).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : '';
      throw new Failure('INTERNAL', `the blob store does not answer: ${reason.slice(0, 200)}`);
    });
    if (response.ok || fine.includes(response.status)) return response;
    await response.body?.cancel();
    if (response.status === 507) return fail('DISK_FULL', 'the blob store has no space left');
    return fail('INTERNAL', `the blob store answered ${response.status} to a ${what}`);
  }

  async function* list(): AsyncGenerator<{ readonly sha256: Hex32; readonly at: number }> {
    for (let token: string | null = ''; token !== null; ) {
      const query = new URLSearchParams({ 'list-type': '2', prefix: PREFIX });
      if (token !== '') query.set('continuation-token', token);
      const text = await (await ask(`${base}?${query}`, {})).text();
      for (const [, entry = ''] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
        const sha256 = hex32.safeParse(`0x${tagOf(entry, 'Key')?.slice(PREFIX.length)}`);
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
      // An object's date changes only with the object: it is copied onto itself, within the store.
      const headers = {
        'x-amz-copy-source': `/${bucket}/${PREFIX}${sha256.slice(2)}`,
        'x-amz-metadata-directive': 'REPLACE',
      };
      await (await ask(urlOf(sha256), { method: 'PUT', headers })).text();
    },
    async drop(before, needed) {
      const dropped: Hex32[] = [];
      for await (const { sha256, at } of list()) {
        if (at >= before || needed.has(sha256)) continue;
        await ask(urlOf(sha256), { method: 'DELETE' }, 404);
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
        const init = { method: 'PUT', headers, body, duplex: 'half', aws: { allHeaders: true } };
        await (await sendOnce(init as unknown as RequestInit, urlOf(sha256))).text();
      } finally {
        await rm(file, { force: true });
      }
    },
  };

  async function sendOnce(init: RequestInit, url: string): Promise<Response> {
    const signed = await client.sign(url, init);
    const response = await fetch(signed);
    if (!response.ok) {
      await response.body?.cancel();
      fail('INTERNAL', `the blob store answered ${response.status} to a PUT of a blob`);
    }
    return response;
  }
}

const tagOf = (xml: string, name: string): string | null =>
  new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? null;

async function* bytesOf(ask: () => Promise<Response>): AsyncGenerator<Uint8Array> {
  const { body } = await ask();
  if (body !== null) yield* body as ReadableStream<Uint8Array>;
}
