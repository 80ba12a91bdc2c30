import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Wallet } from 'ethers';
import type { z } from 'zod';
import { fail, isFailure } from '../core/errors.ts';
import type { Address, Hex32, Signature } from '../core/primitives.ts';
import { domainOf, fieldsOf, paramsHash, type Struct, type StructName } from '../core/typed-data.ts';
import {
  accessGrant,
  encodeWire,
  type JobView,
  jobView,
  type NetworkInfo,
  networkInfo,
  type OwnerBooks,
  ownerBooks,
  problemDetails,
  type Quote,
  quote,
} from '../core/wire.ts';
import { type Patience, patiently } from './patience.ts';

/** Of a file as it is on disk. */
export type FileIdentity = { readonly hash: Hex32; readonly bytes: number };

export async function identify(path: string): Promise<FileIdentity> {
  const info = await stat(path).catch((error: unknown) =>
    fail('NOT_FOUND', `cannot read ${path}; check the name`, { path }, error),
  );
  if (!info.isFile()) fail('BAD_INPUT', `${path} is not a file`, { path });
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return { hash: `0x${hash.digest('hex')}`, bytes: info.size };
}

const randomHex32 = (): Hex32 => `0x${randomBytes(32).toString('hex')}`;

/** A consumer's view of one coordinator. Requests are signed; the private key stays in this object. */
export class Consumer {
  readonly url: string;
  readonly network: NetworkInfo;
  readonly #wallet: Wallet;
  #token: { readonly text: string; readonly expiresAt: number } | null = null;

  private constructor(url: string, network: NetworkInfo, wallet: Wallet) {
    this.url = url;
    this.network = network;
    this.#wallet = wallet;
  }

  /** Throws COORDINATOR_AWAY when nobody answers at `url`. */
  static async connect(url: string, privateKey: string): Promise<Consumer> {
    const network = await request(`${url}/v1/network`, {}, networkInfo);
    return new Consumer(url, network, new Wallet(privateKey));
  }

  get address(): Address {
    return this.#wallet.address.toLowerCase() as Address;
  }

  /** Its books at the coordinator; `deposit` is what it can still spend. */
  books(): Promise<OwnerBooks> {
    return request(`${this.url}/v1/owners/${this.address}`, {}, ownerBooks);
  }

  quote(workload: string, inputBytes: number, params: Readonly<Record<string, string>>): Promise<Quote> {
    return this.#post('/v1/quotes', { workload, inputBytes, params }, quote);
  }

  /** Uploads the input (once) and orders the job. The order is idempotent: sending it again answers the same job. */
  async submit(options: {
    readonly workload: string;
    readonly path: string;
    readonly input: FileIdentity;
    readonly quote: Quote;
    readonly now: number;
  }): Promise<JobView> {
    await this.#upload(options.path, options.input);
    const value: Struct<'JobOrder'> = {
      consumer: this.address,
      workload: options.workload,
      paramsHash: paramsHash(options.quote.params),
      inputHash: options.input.hash,
      inputBytes: options.input.bytes,
      maxPrice: options.quote.hold,
      nonce: randomHex32(),
      expiresAt: options.now + 10 * 60_000,
    };
    const signature = await this.#sign('JobOrder', value);
    return this.#post('/v1/jobs', { value, signature, params: options.quote.params }, jobView);
  }

  /** Yields each newer state of a job until it is done or failed. A coordinator that is away is waited for. */
  async *follow(job: JobView, patience: Patience): AsyncGenerator<JobView> {
    let current = job;
    yield current;
    while (current.state !== 'done' && current.state !== 'failed') {
      const path = `/v1/jobs/${current.jobId}?after=${current.rev}`;
      const next: JobView = await patiently(patience, () => this.#get(path, jobView, patience.signal));
      if (next.rev === current.rev) continue;
      current = next;
      yield current;
    }
  }

  /** Streams a blob to `path` through a temporary file; what arrives must hash to its name. Throws REFUSED otherwise. */
  fetch(hash: Hex32, path: string, patience: Patience): Promise<void> {
    return patiently(patience, () => this.#fetchOnce(hash, path));
  }

  async #fetchOnce(hash: Hex32, path: string): Promise<void> {
    const response = await this.#renewing(async (headers) => send(`${this.url}/v1/blobs/${hash}`, { headers }));
    if (response.body === null) fail('COORDINATOR_AWAY', 'the coordinator sent no body');
    const partial = `${path}.part`;
    const digest = createHash('sha256');
    try {
      await pipeline(
        arriving(Readable.fromWeb(response.body), this.url),
        async function* tap(source: AsyncIterable<Uint8Array>) {
          for await (const chunk of source) {
            digest.update(chunk);
            yield chunk;
          }
        },
        createWriteStream(partial),
      );
      if (`0x${digest.digest('hex')}` !== hash) fail('REFUSED', 'the output differs from what was verified; try again');
      await rename(partial, path);
    } finally {
      await rm(partial, { force: true });
    }
  }

  async #upload(path: string, input: FileIdentity): Promise<void> {
    const address = `${this.url}/v1/blobs/${input.hash}`;
    const headers = await this.#authorised();
    const known = await fetch(address, { method: 'HEAD', headers }).catch(away(this.url));
    if (known.ok) return;
    await send(address, {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/octet-stream', 'content-length': String(input.bytes) },
      body: Readable.toWeb(createReadStream(path)) as ReadableStream,
      duplex: 'half',
    });
  }

  async #authorised(): Promise<Record<string, string>> {
    const now = Date.now();
    if (this.#token === null || this.#token.expiresAt < now + 60_000) {
      const value = { account: this.address, networkId: this.network.networkId, issuedAt: now };
      const signature = await this.#sign('Access', value);
      const grant = await request(`${this.url}/v1/access`, jsonPost({ value, signature }), accessGrant);
      this.#token = { text: grant.token, expiresAt: grant.expiresAt };
    }
    return { authorization: `Bearer ${this.#token.text}` };
  }

  async #sign<N extends StructName>(name: N, value: Struct<N>): Promise<Signature> {
    const domain = domainOf(this.network.chainId, this.network.distributor);
    return (await this.#wallet.signTypedData(domain, fieldsOf(name), value)) as Signature;
  }

  async #post<T extends z.ZodType>(path: string, body: unknown, schema: T): Promise<z.output<T>> {
    const init = jsonPost(body);
    return request(
      `${this.url}${path}`,
      { ...init, headers: { ...init.headers, ...(await this.#authorised()) } },
      schema,
    );
  }

  #get<T extends z.ZodType>(path: string, schema: T, signal?: AbortSignal): Promise<z.output<T>> {
    const ended = signal === undefined ? {} : { signal };
    return this.#renewing((headers) => request(`${this.url}${path}`, { headers, ...ended }, schema));
  }

  /** A coordinator that was restarted may not know its own token any more. */
  async #renewing<T>(use: (headers: Record<string, string>) => Promise<T>): Promise<T> {
    try {
      return await use(await this.#authorised());
    } catch (error) {
      if (!isFailure(error, 'UNAUTHORISED')) throw error;
      this.#token = null;
      return use(await this.#authorised());
    }
  }
}

const jsonPost = (body: unknown) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: encodeWire(body),
});

const away =
  (url: string) =>
  (error: unknown): never =>
    fail('COORDINATOR_AWAY', `nobody answers at ${url}; is the coordinator running?`, { url }, error);

/** What breaks off on the way is the coordinator's absence; what cannot be written is not. */
async function* arriving(source: AsyncIterable<Uint8Array>, url: string): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    away(url)(error);
  }
}

async function send(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init).catch(away(url));
  if (response.ok) return response;
  const problem = problemDetails.safeParse(await response.json().catch(() => null));
  return problem.success
    ? fail(problem.data.code, problem.data.detail)
    : fail('COORDINATOR_AWAY', `${url} answered ${response.status} without saying why`);
}

async function request<T extends z.ZodType>(url: string, init: RequestInit, schema: T): Promise<z.output<T>> {
  const response = await send(url, init);
  const parsed = schema.safeParse(await response.json().catch(away(url)));
  return parsed.success
    ? parsed.data
    : fail('COORDINATOR_AWAY', `${url} answered something this version does not understand`, {}, parsed.error);
}
