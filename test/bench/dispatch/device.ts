import { randomBytes } from 'node:crypto';
import { Wallet } from 'ethers';
import secp256k1 from 'secp256k1';
import { WebSocket } from 'ws';
import { fastKeccak, resultsHashBy } from '../../../coordinator/keccak.ts';
import { fromHex, toHex } from '../../../core/keccak.ts';
import type { Address, Hex32, Signature } from '../../../core/primitives.ts';
import { type Domain, digestOf, type ResultItem, type Struct, type StructName } from '../../../core/typed-data.ts';
import { encodeWire } from '../../../core/wire.ts';

const keccak = await fastKeccak();
/** Results in one request. */
const REQUEST = 20;
const FLUSH_MS = 20;
const REJOIN_MS = 50;

type Output = { readonly outputHash: Hex32; readonly outputBytes: number };
type Told = { readonly type: string } & Readonly<Record<string, unknown>>;
type LeaseTold = { readonly leaseId: Hex32; readonly jobId: Hex32 };

/** What all devices of one process saw. */
export class Tally {
  /** Leases whose result was acknowledged. */
  readonly stored = new Set<Hex32>();
  /** Leases by job, as they came. */
  readonly leases = new Map<Hex32, Hex32>();
  readonly latenciesMs: number[] = [];
  doubled = 0;
  refused = 0;
  rejoined = 0;
}

/** A device that answers every lease at once with the same output, twenty results under one signature. */
export class BenchDevice {
  readonly address: Address;
  readonly #key = randomBytes(32);
  readonly #domain: Domain;
  readonly #networkId: Hex32;
  readonly #urls: () => readonly string[];
  readonly #tally: Tally;
  readonly #output: Output;
  readonly #workload: { readonly id: string; readonly image: string };
  #slots = 0;
  readonly #waiting: Hex32[] = [];
  readonly #sent = new Map<Hex32, number>();
  #socket: WebSocket | null = null;
  #timer: NodeJS.Timeout | undefined;
  #turn = Math.floor(Math.random() * 1000);
  #over = false;

  constructor(options: {
    readonly domain: Domain;
    readonly networkId: Hex32;
    readonly urls: () => readonly string[];
    readonly tally: Tally;
    readonly output: Output;
    readonly workload: { readonly id: string; readonly image: string };
  }) {
    this.#domain = options.domain;
    this.#networkId = options.networkId;
    this.#urls = options.urls;
    this.#tally = options.tally;
    this.#output = options.output;
    this.#workload = options.workload;
    this.address = new Wallet(toHex(this.#key)).address.toLowerCase() as Address;
  }

  join(): void {
    if (this.#over) return;
    const urls = this.#urls();
    const url = urls[this.#turn++ % urls.length] ?? '';
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/session`);
    this.#socket = socket;
    socket.on('message', (data) => this.#heard(JSON.parse(data.toString()) as Told));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#over || this.#socket !== socket) return;
      this.#tally.rejoined += 1;
      setTimeout(() => this.join(), REJOIN_MS);
    });
  }

  /** How many leases it takes from now on. */
  takes(slots: number): void {
    this.#slots = slots;
    this.#ready(this.#sent.size + this.#waiting.length);
  }

  leave(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#socket?.terminate();
  }

  #heard(message: Told): void {
    if (message.type === 'challenge') this.#hello(message['nonce'] as Hex32);
    else if (message.type === 'welcome') this.#welcomed(message['leases'] as readonly Hex32[]);
    else if (message.type === 'lease') this.#take([message['lease'] as LeaseTold]);
    else if (message.type === 'leases') this.#take(message['leases'] as readonly LeaseTold[]);
    else if (message.type === 'result-stored') this.#acknowledged([message['leaseId'] as Hex32]);
    else if (message.type === 'results-stored') this.#acknowledged(message['leaseIds'] as readonly Hex32[]);
    else if (message.type === 'error') this.#tally.refused += 1;
  }

  #hello(nonce: Hex32): void {
    const value = { device: this.address, networkId: this.#networkId, nonce, issuedAt: Date.now() };
    this.#send({
      ...{ type: 'hello', value, signature: this.#sign('Session', value), agent: 'bench', platform: 'linux/amd64' },
      ...{ workloads: [this.#workload], leases: [...new Set([...this.#waiting, ...this.#sent.keys()])] },
    });
  }

  #welcomed(ours: readonly Hex32[]): void {
    const held = new Set(ours);
    // Unsent or unacknowledged: those that are still ours are sent again.
    const again = [...new Set([...this.#sent.keys(), ...this.#waiting])].filter((id) => held.has(id));
    this.#sent.clear();
    this.#waiting.splice(0, this.#waiting.length, ...again);
    this.#ready(again.length);
    this.#flush();
  }

  #ready(held: number): void {
    this.#send({ type: 'ready', lane: 'cpu', slots: Math.max(0, this.#slots - held) });
  }

  #take(leases: readonly LeaseTold[]): void {
    for (const { leaseId, jobId } of leases) {
      if (this.#tally.leases.has(jobId)) this.#tally.doubled += 1;
      this.#tally.leases.set(jobId, leaseId);
      this.#waiting.push(leaseId);
    }
    while (this.#waiting.length >= REQUEST) this.#answer(REQUEST);
    if (this.#waiting.length > 0) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#flush(), FLUSH_MS);
    }
  }

  #flush(): void {
    while (this.#waiting.length > 0) this.#answer(REQUEST);
  }

  #answer(most: number): void {
    const now = Date.now();
    const ids = this.#waiting.splice(0, most);
    const results: ResultItem[] = ids.map((leaseId) => ({ leaseId, ...this.#output, startedAt: now, finishedAt: now }));
    const value = { device: this.address, resultsHash: resultsHashBy(keccak, results), resultCount: results.length };
    const at = performance.now();
    for (const leaseId of ids) this.#sent.set(leaseId, at);
    this.#send({ type: 'results', value, signature: this.#sign('Results', value), results });
  }

  #acknowledged(ids: readonly Hex32[]): void {
    const now = performance.now();
    for (const leaseId of ids) {
      const sent = this.#sent.get(leaseId);
      if (sent !== undefined) this.#tally.latenciesMs.push(now - sent);
      this.#sent.delete(leaseId);
      this.#tally.stored.add(leaseId);
    }
  }

  #sign<N extends StructName>(name: N, value: Struct<N>): Signature {
    const { signature, recid } = secp256k1.ecdsaSign(fromHex(digestOf(this.#domain, name, value)), this.#key);
    return toHex(Uint8Array.from([...signature, 27 + recid]));
  }

  #send(message: unknown): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encodeWire(message));
  }
}
