import { createHash, randomBytes } from 'node:crypto';
import { Wallet } from 'ethers';
import { WebSocket } from 'ws';
import { type Address, type Hex32, type Signature, ZERO_HASH } from '../../core/primitives.ts';
import {
  type Domain,
  domainOf,
  fieldsOf,
  itemsHash,
  paramsHash,
  type ReportItem,
  reportHash,
  type Struct,
  type StructName,
} from '../../core/typed-data.ts';
import {
  accessGrant,
  type CoordinatorMessage,
  coordinatorMessage,
  type DeviceMessage,
  encodeWire,
  type JobView,
  jobView,
  type Lease,
  type NetworkInfo,
  quote,
} from '../../core/wire.ts';
import { type Account, newAccount } from './chain.ts';
import { until } from './wait.ts';

export const sha256 = (data: Uint8Array): Hex32 => `0x${createHash('sha256').update(data).digest('hex')}`;
export const randomHex32 = (): Hex32 => `0x${randomBytes(32).toString('hex')}`;

export class Signatory {
  readonly address: Address;
  readonly #wallet: Wallet;
  readonly #domain: Domain;

  constructor(account: Account, network: Pick<NetworkInfo, 'chainId' | 'distributor'>) {
    this.address = account.address;
    this.#wallet = new Wallet(account.privateKey);
    this.#domain = domainOf(network.chainId, network.distributor);
  }

  async sign<N extends StructName>(name: N, value: Struct<N>): Promise<Signature> {
    return (await this.#wallet.signTypedData(this.#domain, fieldsOf(name), value)) as Signature;
  }
}

export const post = (url: string, body: unknown): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: encodeWire(body) });

export const putBlob = (url: string, token: string, data: Uint8Array, name = sha256(data)): Promise<Response> =>
  fetch(`${url}/v1/blobs/${name}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    body: Buffer.from(data),
  });

export const getBlob = (url: string, token: string, name: Hex32): Promise<Response> =>
  fetch(`${url}/v1/blobs/${name}`, { headers: { authorization: `Bearer ${token}` } });

type Told<T extends CoordinatorMessage['type']> = Extract<CoordinatorMessage, { type: T }>;
type Stored = {
  readonly value: Struct<'Report'>;
  readonly signature: Signature;
  readonly items: readonly ReportItem[];
};

/** A device that does what a script says: enough of an agent to be a coordinator's counterpart, and to misbehave. */
export class TestDevice {
  readonly url: string;
  readonly network: NetworkInfo;
  readonly ownerAccount: Account;
  readonly owner: Signatory;
  readonly key: Signatory;
  readonly messages: CoordinatorMessage[] = [];
  /** What a proxy would say of it. */
  headers: Readonly<Record<string, string>> = {};
  token = '';
  /** How the other side ended the connection last. */
  closeCode: number | null = null;
  lastReport: Stored | null = null;
  readonly deviceAccount: Account;
  #socket: WebSocket | null = null;
  #closed: Promise<void> = Promise.resolve();

  constructor(url: string, network: NetworkInfo, owner = newAccount(), device = newAccount()) {
    this.url = url;
    this.network = network;
    this.ownerAccount = owner;
    this.owner = new Signatory(owner, network);
    this.deviceAccount = device;
    this.key = new Signatory(device, network);
  }

  /** The same device, with what it has reported, at another coordinator of its network. */
  movedTo(url: string): TestDevice {
    const moved = new TestDevice(url, this.network, this.ownerAccount, this.deviceAccount);
    moved.lastReport = this.lastReport;
    return moved;
  }

  async enrol(): Promise<Response> {
    const issuedAt = Date.now();
    const value = { owner: this.owner.address, device: this.key.address, issuedAt, expiresAt: issuedAt + 3_600_000 };
    return await post(`${this.url}/v1/enrollments`, { value, signature: await this.owner.sign('Enrollment', value) });
  }

  /** Dials in and says hello; answers the welcome. `leases`: what it claims to hold. */
  async connect(
    workloads: readonly { readonly id: string; readonly image: string }[],
    leases: readonly Hex32[] = [],
  ): Promise<Told<'welcome'>> {
    const from = await this.hello(workloads, leases);
    const welcome = await this.told('welcome', () => true, from);
    this.token = welcome.token;
    return welcome;
  }

  /** Dials in and says hello, however it is answered; answers how many messages came before. */
  async hello(
    workloads: readonly { readonly id: string; readonly image: string }[],
    leases: readonly Hex32[] = [],
  ): Promise<number> {
    const challenge = await this.dial();
    const value = {
      device: this.key.address,
      networkId: challenge.networkId,
      nonce: challenge.nonce,
      issuedAt: Date.now(),
    };
    const from = this.messages.length;
    this.send({
      type: 'hello',
      value,
      signature: await this.key.sign('Session', value),
      agent: 'test',
      platform: 'linux',
      workloads: [...workloads],
      leases: [...leases],
    });
    return from;
  }

  async dial(): Promise<Told<'challenge'>> {
    const from = this.messages.length;
    const socket = new WebSocket(`${this.url.replace('http', 'ws')}/v1/session`, { headers: this.headers });
    this.#socket = socket;
    this.#closed = new Promise((resolve) => {
      socket.once('close', (code) => {
        this.closeCode = code;
        resolve();
      });
    });
    socket.on('message', (data) => this.messages.push(coordinatorMessage.parse(JSON.parse(data.toString()))));
    socket.on('error', () => undefined);
    return await this.told('challenge', () => true, from);
  }

  send(message: DeviceMessage): void {
    this.raw(encodeWire(message));
  }

  raw(text: string): void {
    this.#socket?.send(text);
  }

  /** The first message of a type, from a position in `messages` on. */
  told<T extends CoordinatorMessage['type']>(
    type: T,
    fits: (message: Told<T>) => boolean = () => true,
    from = 0,
  ): Promise<Told<T>> {
    const isIt = (message: CoordinatorMessage): message is Told<T> => message.type === type;
    return until(`${type} to ${this.key.address}`, () => this.messages.slice(from).filter(isIt).find(fits));
  }

  async nextLease(from = 0): Promise<Lease> {
    return (await this.told('lease', () => true, from)).lease;
  }

  /** Uploads the output and sends the signed result. */
  async finish(lease: Lease, output: Uint8Array): Promise<void> {
    await putBlob(this.url, this.token, output);
    this.send(await this.result(lease, output));
  }

  async result(lease: Lease, output: Uint8Array): Promise<Extract<DeviceMessage, { type: 'result' }>> {
    const value = {
      leaseId: lease.leaseId,
      device: this.key.address,
      outputHash: sha256(output),
      outputBytes: output.byteLength,
      startedAt: 1,
      finishedAt: 2,
    };
    return { type: 'result', value, signature: await this.key.sign('Result', value) };
  }

  /** Signs the next report; `change` may spoil it. */
  async makeReport(items: readonly ReportItem[], change: Partial<Struct<'Report'>> = {}): Promise<Stored> {
    const previous = this.lastReport;
    const value: Struct<'Report'> = {
      owner: this.owner.address,
      device: this.key.address,
      sequence: (previous?.value.sequence ?? 0) + 1,
      previous: previous === null ? ZERO_HASH : reportHash(previous.value),
      periodStart: 1,
      periodEnd: 2,
      itemsHash: itemsHash(items),
      itemCount: items.length,
      total: items.reduce((total, item) => total + item.amount, 0n),
      ...change,
    };
    return { value, signature: await this.key.sign('Report', value), items };
  }

  /** Sends a report and answers its receipt. */
  async report(items: readonly ReportItem[]): Promise<Told<'receipt'>> {
    const stored = await this.makeReport(items);
    const receipt = await this.sendReport(stored);
    this.lastReport = stored;
    return receipt;
  }

  async sendReport(stored: Stored): Promise<Told<'receipt'>> {
    const from = this.messages.length;
    this.send({ type: 'report', ...stored, items: [...stored.items] });
    return await this.told('receipt', (message) => message.value.reportHash === reportHash(stored.value), from);
  }

  async hangUp(): Promise<void> {
    this.#socket?.terminate();
    await this.#closed;
  }

  /** Resolves when the other side ended the connection. */
  ended(): Promise<void> {
    return this.#closed;
  }
}

/** A consumer: deposits on chain, uploads, orders, waits, fetches. */
export class TestConsumer {
  readonly url: string;
  readonly account: Account;
  readonly #signatory: Signatory;
  readonly #network: NetworkInfo;
  token = '';

  constructor(url: string, network: NetworkInfo, account = newAccount()) {
    this.url = url;
    this.account = account;
    this.#network = network;
    this.#signatory = new Signatory(account, network);
  }

  async access(): Promise<Response> {
    const value = { account: this.account.address, networkId: this.#network.networkId, issuedAt: Date.now() };
    const response = await post(`${this.url}/v1/access`, {
      value,
      signature: await this.#signatory.sign('Access', value),
    });
    if (response.ok) this.token = accessGrant.parse(await response.clone().json()).token;
    return response;
  }

  /** The signed body of an order; `change` may spoil it before it is signed. */
  async makeOrder(
    workload: string,
    input: Uint8Array,
    change: Partial<Struct<'JobOrder'>> = {},
  ): Promise<{ readonly value: Struct<'JobOrder'>; readonly signature: Signature; readonly params: object }> {
    const body = { workload, inputBytes: input.byteLength, params: {} };
    const { params, hold } = quote.parse(await (await post(`${this.url}/v1/quotes`, body)).json());
    const value = {
      consumer: this.account.address,
      workload,
      paramsHash: paramsHash(params),
      inputHash: sha256(input),
      inputBytes: input.byteLength,
      maxPrice: hold,
      nonce: randomHex32(),
      expiresAt: Date.now() + 600_000,
      ...change,
    };
    return { value, signature: await this.#signatory.sign('JobOrder', value), params };
  }

  async submit(workload: string, input: Uint8Array): Promise<JobView> {
    if (this.token === '') await this.access();
    await putBlob(this.url, this.token, input);
    const response = await post(`${this.url}/v1/jobs`, await this.makeOrder(workload, input));
    if (!response.ok) throw new Error(`order refused: ${await response.text()}`);
    return jobView.parse(await response.json());
  }

  async job(jobId: Hex32, after?: number): Promise<JobView> {
    const query = after === undefined ? '' : `?after=${after}`;
    return jobView.parse(await (await fetch(`${this.url}/v1/jobs/${jobId}${query}`)).json());
  }

  /** Follows a job by long polls until it is in one of the states. */
  async follow(jobId: Hex32, states: readonly JobView['state'][]): Promise<JobView> {
    let view = await this.job(jobId);
    while (!states.includes(view.state)) view = await this.job(jobId, view.rev);
    return view;
  }
}
