import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { Wallet } from 'ethers';
import { type Answer, API } from '../core/api.ts';
import type { ApiKey, JobFilter, Right } from '../core/api-messages.ts';
import { fail } from '../core/errors.ts';
import type { Amount } from '../core/money.ts';
import type { Address, Hex32, Signature } from '../core/primitives.ts';
import { domainOf, fieldsOf, paramsHash, type Struct, type StructName } from '../core/typed-data.ts';
import type { JobView, NetworkInfo, OwnerBooks, Quote } from '../core/wire.ts';
import { Client, type FileIdentity, type Progress } from './client.ts';
import { type Patience, patiently } from './patience.ts';

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
const ORDER_LIVES_MS = 10 * 60_000;

export const isOver = ({ state }: JobView): boolean => state === 'done' || state === 'failed' || state === 'cancelled';

/** What an order is made of, before it is sent. */
export type Draft = {
  readonly workload: string;
  readonly path: string;
  readonly input: FileIdentity;
  readonly quote: Quote;
  readonly now: number;
  readonly webhook?: string;
  readonly uploading?: Progress;
};

/** With the account's own key, or with an API key of it. */
export type Credentials = { readonly privateKey: string } | { readonly apiKey: string };

/** A consumer's view of one coordinator. Private and API keys stay in this object. */
export class Consumer {
  readonly url: string;
  readonly network: NetworkInfo;
  readonly address: Address;
  readonly client: Client;
  readonly #wallet: Wallet | null;
  #token: { readonly text: string; readonly expiresAt: number } | null = null;

  private constructor(
    url: string,
    network: NetworkInfo,
    wallet: Wallet | null,
    address: Address,
    client: Client | null,
  ) {
    this.url = url;
    this.network = network;
    this.#wallet = wallet;
    this.address = address;
    this.client = client ?? new Client(url, (anew) => this.#authorised(anew));
  }

  /** Throws COORDINATOR_AWAY when nobody answers at `url`, UNAUTHORISED. */
  static async connect(url: string, credentials: string | Credentials): Promise<Consumer> {
    const network = await new Client(url, null).call(API.network);
    if (typeof credentials === 'string' || 'privateKey' in credentials) {
      const wallet = new Wallet(typeof credentials === 'string' ? credentials : credentials.privateKey);
      return new Consumer(url, network, wallet, wallet.address.toLowerCase() as Address, null);
    }
    const headers = { authorization: `Bearer ${credentials.apiKey}` };
    const client = new Client(url, async () => headers);
    const { account } = await client.call(API.account);
    return new Consumer(url, network, null, account, client);
  }

  /** Its books at the coordinator; `deposit` is what it can still spend. */
  books(): Promise<OwnerBooks> {
    return this.client.call(API.books, { params: { owner: this.address } });
  }
  account(): Promise<Answer<typeof API.account>> {
    return this.client.call(API.account);
  }

  quote(workload: string, inputBytes: number, params: Readonly<Record<string, string>>): Promise<Quote> {
    return this.client.call(API.quote, { body: { workload, inputBytes, params } });
  }

  jobs(query: {
    readonly state?: JobFilter;
    readonly limit?: number;
    readonly before?: string;
  }): Promise<Answer<typeof API.jobs>> {
    return this.client.call(API.jobs, { query });
  }
  job(id: Hex32): Promise<JobView> {
    return this.client.call(API.job, { params: { id } });
  }
  cancel(id: Hex32): Promise<JobView> {
    return this.client.call(API.cancel, { params: { id } });
  }

  async keys(): Promise<readonly ApiKey[]> {
    return (await this.client.call(API.keys)).keys;
  }
  createKey(fresh: {
    readonly name: string;
    readonly rights: readonly Right[];
    readonly cap: Amount | null;
    readonly expiresAt: number | null;
  }): Promise<Answer<typeof API.createKey>> {
    return this.client.call(API.createKey, { body: fresh });
  }
  revokeKey(id: string): Promise<ApiKey> {
    return this.client.call(API.revokeKey, { params: { id } });
  }

  /** Uploads the input (once) and orders the job. The order is idempotent: with `patience` it is sent again until it is answered. */
  async submit(draft: Draft, patience: Patience | null = null): Promise<JobView> {
    const again = <T>(work: () => Promise<T>) => (patience === null ? work() : patiently(patience, work));
    await again(() => this.client.upload(draft.path, draft.input, draft.uploading));
    const value: Struct<'JobOrder'> = {
      consumer: this.address,
      workload: draft.workload,
      paramsHash: paramsHash(draft.quote.params),
      inputHash: draft.input.hash,
      inputBytes: draft.input.bytes,
      maxPrice: draft.quote.hold,
      nonce: randomHex32(),
      expiresAt: draft.now + ORDER_LIVES_MS,
    };
    const signature = this.#wallet === null ? {} : { signature: await this.#sign('JobOrder', value) };
    const webhook = draft.webhook === undefined ? {} : { webhook: draft.webhook };
    const body = { value, ...signature, ...webhook, params: draft.quote.params };
    return await again(() => this.client.call(API.order, { body }));
  }

  /** Yields each newer state of a job until it is over. A coordinator that is away is waited for. */
  async *follow(job: JobView, patience: Patience): AsyncGenerator<JobView> {
    let current = job;
    yield current;
    while (!isOver(current)) {
      const asking = { params: { id: current.jobId }, query: { after: current.rev } };
      const next: JobView = await patiently(patience, () => this.client.call(API.job, asking, patience.signal));
      if (next.rev === current.rev) continue;
      current = next;
      yield current;
    }
  }

  /** Streams a blob to `path`; what arrives must hash to its name. */
  fetch(
    hash: Hex32,
    path: string,
    patience: Patience,
    options: { readonly overwrite?: boolean; readonly progress?: Progress } = {},
  ): Promise<void> {
    return patiently(patience, () => this.client.download(hash, path, options));
  }

  async #authorised(anew: boolean): Promise<Readonly<Record<string, string>>> {
    const now = Date.now();
    if (anew || this.#token === null || this.#token.expiresAt < now + 60_000) {
      const value = { account: this.address, networkId: this.network.networkId, issuedAt: now };
      const signature = await this.#sign('Access', value);
      const grant = await new Client(this.url, null).call(API.access, { body: { value, signature } });
      this.#token = { text: grant.token, expiresAt: grant.expiresAt };
    }
    return { authorization: `Bearer ${this.#token.text}` };
  }

  /** Signs what belongs to storage and deliveries. Throws UNAUTHORISED where there is only an API key. */
  readonly prove = <N extends 'ChannelBinding' | 'Grant' | 'TransferReceipt'>(
    name: N,
    value: Struct<N>,
  ): Promise<Signature> => this.#sign(name, value);

  async #sign<N extends StructName>(name: N, value: Struct<N>): Promise<Signature> {
    if (this.#wallet === null)
      return fail('UNAUTHORISED', 'this needs the key file of the account; name it with --key');
    const domain = domainOf(this.network.chainId, this.network.distributor);
    return (await this.#wallet.signTypedData(domain, fieldsOf(name), value)) as Signature;
  }
}
