import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { z } from 'zod';
import { type Answer, API, type Asking } from '../core/api.ts';
import type { Endpoint } from '../core/endpoint.ts';
import { fail, isFailure } from '../core/errors.ts';
import type { Hex32 } from '../core/primitives.ts';
import { encodeWire, problemDetails } from '../core/wire.ts';

/** Of a file as it is on disk. */
export type FileIdentity = { readonly hash: Hex32; readonly bytes: number };
/** Bytes so far. */
export type Progress = (bytes: number) => void;
/** Says who asks; `anew` when the coordinator did not believe it. */
export type Authorise = (anew: boolean) => Promise<Readonly<Record<string, string>>>;

const away =
  (url: string) =>
  (error: unknown): never =>
    fail('COORDINATOR_AWAY', `nobody answers at ${url}; is the coordinator running?`, { url }, error);

/**
 * The coordinator's interface, typed by the table that its router is made of. Throws the failure that an answer names, with what it says of
 * when to come back, and COORDINATOR_AWAY when there is none.
 */
export class Client {
  readonly url: string;
  readonly #authorise: Authorise | null;

  constructor(url: string, authorise: Authorise | null) {
    this.url = url;
    this.#authorise = authorise;
  }

  async call<E extends Endpoint & { readonly answer: z.ZodType }>(
    endpoint: E,
    asking: Asking<E> = {},
    signal?: AbortSignal,
  ): Promise<Answer<E>> {
    const { method, auth } = endpoint;
    const url = `${this.url}${pathTo(endpoint, asking)}`;
    const { body } = asking;
    const init: RequestInit = {
      method,
      ...(body === undefined ? {} : { body: encodeWire(body) }),
      ...(signal === undefined ? {} : { signal }),
    };
    const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    const ask = (headers: Readonly<Record<string, string>>) => send(url, { ...init, headers: { ...type, ...headers } });
    const response = auth === 'none' ? await ask({}) : await this.#renewing(ask);
    const parsed = endpoint.answer.safeParse(await response.json().catch(away(this.url)));
    if (parsed.success) return parsed.data as Answer<E>;
    return fail('COORDINATOR_AWAY', `${url} answered something this version does not understand`, {}, parsed.error);
  }

  /** What an endpoint answers as bytes. Throws as `call` does. */
  async bytes<E extends Endpoint & { readonly answer: 'bytes' }>(endpoint: E, asking: Asking<E>): Promise<Uint8Array> {
    const url = `${this.url}${pathTo(endpoint, asking)}`;
    const response = await this.#renewing((headers) => send(url, { method: endpoint.method, headers }));
    return new Uint8Array(await response.arrayBuffer().catch(away(this.url)));
  }

  /** Sends bytes to an endpoint that takes a blob. Throws as `call` does. */
  async give<E extends Endpoint & { readonly upload: true }>(
    endpoint: E,
    asking: Asking<E>,
    bytes: Uint8Array,
  ): Promise<void> {
    const url = `${this.url}${pathTo(endpoint, asking)}`;
    const type = { 'content-type': 'application/octet-stream' };
    await this.#renewing((headers) =>
      send(url, { method: endpoint.method, headers: { ...headers, ...type }, body: Buffer.from(bytes) }),
    );
  }

  /** Brings a file there, streamed; one that is there already is not sent again. */
  async upload(path: string, { hash, bytes }: FileIdentity, progress: Progress = () => undefined): Promise<void> {
    const url = `${this.url}${pathTo(API.putBlob, { params: { sha256: hash } })}`;
    const known = await this.#renewing((headers) => send(url, { method: 'HEAD', headers }, [404]));
    if (!known.ok) {
      await this.#renewing((headers) =>
        send(url, {
          method: 'PUT',
          headers: { ...headers, 'content-type': 'application/octet-stream', 'content-length': String(bytes) },
          body: Readable.toWeb(Readable.from(counted(createReadStream(path), progress))) as ReadableStream,
          duplex: 'half',
        }),
      );
    }
    progress(bytes);
  }

  /**
   * Streams a blob to `path` through a temporary file; what arrives must hash to its name. Throws REFUSED otherwise, and CONFLICT when
   * there is a file of that name and `overwrite` is not set.
   */
  async download(
    hash: Hex32,
    path: string,
    {
      overwrite = false,
      progress = () => undefined,
    }: { readonly overwrite?: boolean; readonly progress?: Progress } = {},
  ): Promise<void> {
    const url = `${this.url}${pathTo(API.blob, { params: { sha256: hash } })}`;
    const response = await this.#renewing((headers) => send(url, { headers }));
    if (response.body === null) return fail('COORDINATOR_AWAY', 'the coordinator sent no body');
    const partial = `${path}.part`;
    const digest = createHash('sha256');
    let reserved = false;
    try {
      await pipeline(
        counted(arriving(Readable.fromWeb(response.body), this.url), progress),
        async function* tap(source: AsyncIterable<Uint8Array>) {
          for await (const chunk of source) {
            digest.update(chunk);
            yield chunk;
          }
        },
        createWriteStream(partial),
      );
      if (`0x${digest.digest('hex')}` !== hash) fail('REFUSED', 'the output differs from what was verified; try again');
      // Whoever makes the file in the meantime keeps it.
      if (!overwrite) reserved = await reserve(path);
      await rename(partial, path);
      reserved = false;
    } finally {
      await rm(partial, { force: true });
      if (reserved) await rm(path, { force: true });
    }
  }

  /** A coordinator that was restarted may not know its own token any more. */
  async #renewing<T>(use: (headers: Readonly<Record<string, string>>) => Promise<T>): Promise<T> {
    if (this.#authorise === null) return await use({});
    try {
      return await use(await this.#authorise(false));
    } catch (error) {
      if (!isFailure(error, 'UNAUTHORISED')) throw error;
      return await use(await this.#authorise(true));
    }
  }
}

/** Makes an empty file, and none other than that. Throws CONFLICT. */
export async function reserve(path: string): Promise<true> {
  const file = await open(path, 'wx').catch((error: unknown) => exists(path, error));
  await file.close();
  return true;
}

function exists(path: string, error: unknown): never {
  if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  return fail('CONFLICT', `${path} is there already; name another file, or say --force`, { path }, error);
}

type Parts = {
  readonly params?: unknown;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
};

function pathTo(endpoint: Pick<Endpoint, 'path'>, { params, query }: Parts): string {
  const path = endpoint.path.replaceAll(/:([a-zA-Z0-9]+)/g, (_all, name: string) =>
    encodeURIComponent(String((params as Readonly<Record<string, unknown>> | undefined)?.[name])),
  );
  const asked = Object.entries(query ?? {}).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return asked.length === 0 ? path : `${path}?${new URLSearchParams(asked)}`;
}

/** What breaks off on the way is the coordinator's absence; what cannot be written is not. */
async function* arriving(source: AsyncIterable<Uint8Array>, url: string): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    away(url)(error);
  }
}

async function* counted(source: AsyncIterable<Uint8Array>, progress: Progress): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.byteLength;
    progress(bytes);
    yield chunk;
  }
}

async function send(url: string, init: RequestInit, fine: readonly number[] = []): Promise<Response> {
  const response = await fetch(url, init).catch(away(new URL(url).origin));
  if (response.ok || fine.includes(response.status)) return response;
  const after = Number(response.headers.get('retry-after') ?? Number.NaN);
  const info = Number.isFinite(after) ? { retryAfter: after } : {};
  const problem = problemDetails.safeParse(await response.json().catch(() => null));
  if (problem.success) return fail(problem.data.code, problem.data.detail, info);
  if (response.status === 401) return fail('UNAUTHORISED', 'the coordinator does not accept these credentials');
  return fail('COORDINATOR_AWAY', `${url} answered ${response.status} without saying why`, info);
}
