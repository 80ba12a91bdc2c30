import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { Wallet } from 'ethers/wallet';
import type { CoordinatorDirectory, CoordinatorLink, DeviceKey } from '../../agent/ports.ts';
import { isSignedBy } from '../../agent/signatures.ts';
import { fail } from '../../core/errors.ts';
import { merkleTree } from '../../core/merkle.ts';
import { sum } from '../../core/money.ts';
import { type Address, type Hex32, type Signature, type UnixMs, ZERO_HASH } from '../../core/primitives.ts';
import { releaseTag } from '../../core/release.ts';
import type { CoordinatorState } from '../../core/signals.ts';
import { domainOf, fieldsOf, type ItemOutcome, outcomesHash, reportHash, type Struct } from '../../core/typed-data.ts';
import type { CoordinatorMessage, DeviceMessage, Lease, NetworkInfo, OwnerProof } from '../../core/wire.ts';
import { randomAddress, randomHex32 } from '../support/random.ts';
import type { FakeChain } from './chain.ts';

export const sha256 = (data: Uint8Array): Hex32 => `0x${createHash('sha256').update(data).digest('hex')}`;

type Connect = Parameters<CoordinatorDirectory['connect']>[0];

/** A coordinator in memory: leases on demand, accepts each result once, signs receipts, refuses to credit twice. */
export class FakeNetwork implements CoordinatorDirectory {
  readonly #signer = new Wallet(`0x${'11'.repeat(32)}`);
  readonly info: NetworkInfo;
  readonly #chain: FakeChain;
  now: () => UnixMs;
  /** Reachable at all. */
  up = true;
  /** The signed catalogue that it offers. */
  offer: string | null = null;
  /** How often it was asked for it. */
  asked = 0;
  refusal: string | null = null;
  /** Receives reports but its receipts are lost on the way. */
  losesReceipts = false;
  /** Signs receipts with a key that is not the network's. */
  forgesReceipts = false;
  automaticVerdicts = true;
  /** What devices fetched, in order. */
  readonly downloads: Hex32[] = [];
  readonly blobs = new Map<Hex32, Uint8Array>();
  readonly leases = new Map<Hex32, Lease>();
  readonly results = new Map<Hex32, Struct<'Result'>>();
  readonly declines: Extract<DeviceMessage, { type: 'decline' }>[] = [];
  readonly reports = new Map<number, Struct<'Report'>>();
  /** How often each lease was credited: more than once is theft. */
  readonly credits = new Map<Hex32, number>();
  readonly received: DeviceMessage[] = [];
  /** How much longer it waits when it is asked to, ms. */
  renewsBy = 0;
  slots = 0;
  enrolled = 0;
  credited = 0n;
  #published: OwnerProof | null = null;
  #links = new Set<FakeLink>();

  constructor(chain: FakeChain, now: () => UnixMs) {
    this.#chain = chain;
    this.now = now;
    this.info = {
      ...{
        networkId: randomHex32(),
        name: 'fake',
        chainId: 31337,
        rpcUrl: 'http://127.0.0.1:1',
        token: randomAddress(),
      },
      ...{ tokenSymbol: 'IDLE', distributor: randomAddress(), replicas: 0, reportEveryMs: 2_000, epochEveryMs: 10_000 },
      coordinator: this.#signer.address.toLowerCase() as Address,
      now: now(),
    };
  }

  network = async (): Promise<NetworkInfo> => {
    if (!this.up) fail('COORDINATOR_AWAY', 'connection refused');
    return { ...this.info, now: this.now() };
  };
  catalogue = async (_url: string, known: string | null): Promise<string | null> => {
    if (!this.up) fail('COORDINATOR_AWAY', 'connection refused');
    this.asked++;
    return this.offer !== null && releaseTag(this.offer) === known ? null : this.offer;
  };
  enrol = async (_url: string, value: Struct<'Enrollment'>, signature: Signature): Promise<void> => {
    if (!this.up) fail('COORDINATOR_AWAY', 'connection refused');
    if (this.refusal !== null) fail('REFUSED', this.refusal);
    if (!isSignedBy(this.info, value.owner, 'Enrollment', value, signature)) fail('REFUSED', 'bad signature');
    this.enrolled++;
  };
  connect = (options: Connect): CoordinatorLink => {
    const link = new FakeLink(this, options);
    this.#links.add(link);
    return link;
  };
  links = (): number => this.#links.size;
  forget(link: FakeLink): void {
    this.#links.delete(link);
  }
  become(up: boolean): void {
    this.up = up;
    for (const link of this.#links) link.turn();
  }
  tell(message: CoordinatorMessage): void {
    for (const link of this.#links) link.deliver(message);
  }

  /** Gives the device a lease over `input`. */
  issue(
    lease: Omit<Lease, 'leaseId' | 'jobId' | 'inputHash' | 'inputBytes' | 'deadline'> & Partial<Lease>,
    input: string,
  ): Hex32 {
    const data = Buffer.from(input);
    const inputHash = sha256(data);
    this.blobs.set(inputHash, data);
    const made: Lease = {
      ...{ leaseId: randomHex32(), jobId: randomHex32(), inputHash, inputBytes: data.length },
      deadline: this.now() + 3_600_000,
      ...lease,
    };
    this.leases.set(made.leaseId, made);
    this.tell({ type: 'lease', lease: made });
    return made.leaseId;
  }

  async take(link: FakeLink, message: DeviceMessage): Promise<void> {
    this.received.push(message);
    switch (message.type) {
      case 'ready':
        this.slots = message.slots;
        return;
      case 'decline':
        this.declines.push(message);
        return;
      case 'renew': {
        const deadline = this.now() + this.renewsBy;
        const leases = message.leaseIds.flatMap((leaseId) => (this.renewsBy > 0 ? [{ leaseId, deadline }] : []));
        if (leases.length > 0) link.deliver({ type: 'renewed', leases });
        return;
      }
      case 'result': {
        const lease = this.leases.get(message.value.leaseId);
        if (lease === undefined || !this.blobs.has(message.value.outputHash)) return;
        this.results.set(lease.leaseId, message.value);
        link.deliver({ type: 'result-stored', leaseId: lease.leaseId });
        if (this.automaticVerdicts) this.accept(lease.leaseId);
        return;
      }
      case 'report':
        return this.#takeReport(link, message);
      default:
        return;
    }
  }
  accept(leaseId: Hex32): void {
    const amount = this.leases.get(leaseId)?.price ?? 0n;
    this.tell({ type: 'verdict', verdict: { leaseId, kind: 'accepted', amount } });
  }

  async #takeReport(link: FakeLink, message: Extract<DeviceMessage, { type: 'report' }>): Promise<void> {
    const { value, items } = message;
    if (!isSignedBy(this.info, value.device, 'Report', value, message.signature))
      throw new Error('bad report signature');
    const before = this.reports.get(value.sequence);
    if (before && reportHash(before) !== reportHash(value))
      throw new Error(`two reports with sequence ${value.sequence}`);
    const last = [...this.reports.values()].at(-1);
    const follows = value.sequence === (last?.sequence ?? 0) + 1;
    if (before === undefined && (!follows || value.previous !== (last ? reportHash(last) : ZERO_HASH))) {
      const message = `report ${value.sequence} does not follow the last one`;
      link.deliver({ type: 'error', code: 'CONFLICT', message, about: reportHash(value) });
      return;
    }
    if (before === undefined) {
      this.reports.set(value.sequence, value);
      for (const item of items) this.credits.set(item.leaseId, (this.credits.get(item.leaseId) ?? 0) + 1);
      this.credited += sum(items.map((item) => item.amount));
    }
    const outcomes: ItemOutcome[] = items.map(({ leaseId, amount }) => ({ leaseId, kind: 'credited', amount }));
    const receipt: Struct<'Receipt'> = {
      ...{ reportHash: reportHash(value), owner: value.owner, device: value.device, sequence: value.sequence },
      ...{
        outcomesHash: outcomesHash(outcomes),
        credited: value.total,
        cumulative: this.credited,
        issuedAt: this.now(),
      },
    };
    const signer = this.forgesReceipts ? Wallet.createRandom() : this.#signer;
    const domain = domainOf(this.info.chainId, this.info.distributor);
    const signature = (await signer.signTypedData(domain, fieldsOf('Receipt'), receipt)) as Signature;
    if (!this.losesReceipts) link.deliver({ type: 'receipt', value: receipt, signature, outcomes });
  }

  /** As a power cut does to a store without fsync: the newest reports were never here. */
  loseReports(above: number): void {
    for (const sequence of [...this.reports.keys()]) if (sequence > above) this.reports.delete(sequence);
  }

  /** Publishes what is credited, as the owner's leaf among others. */
  closeEpoch(owner: Address): void {
    const tree = merkleTree([
      { owner, cumulative: this.credited },
      { owner: randomAddress(), cumulative: 7n },
    ]);
    const epoch = (this.#published?.epoch ?? 0) + 1;
    this.#published = { epoch, root: tree.root, cumulative: this.credited, proof: [...(tree.proofOf(owner) ?? [])] };
    this.tell({ type: 'epoch', epoch, root: tree.root });
  }
  publish(proof: OwnerProof): void {
    this.#published = proof;
  }
  proof = (): OwnerProof | null => this.#published;
  claim(value: Struct<'Claim'>, signature: Signature): Hex32 {
    if (!isSignedBy(this.info, value.owner, 'Claim', value, signature)) fail('REFUSED', 'bad signature');
    return this.#chain.pay(value.owner, value.recipient, value.amount);
  }
}

class FakeLink implements CoordinatorLink {
  readonly #network: FakeNetwork;
  readonly #options: Connect;
  readonly #key: DeviceKey;
  #state: CoordinatorState = { kind: 'connecting' };
  #closed = false;
  #messages = new Set<(message: CoordinatorMessage) => void>();
  #states = new Set<(state: CoordinatorState) => void>();

  constructor(network: FakeNetwork, options: Connect) {
    this.#network = network;
    this.#options = options;
    this.#key = options.key;
  }
  start = (): void => queueMicrotask(() => this.turn());
  state = (): CoordinatorState => this.#state;
  turn(): void {
    if (this.#closed) return;
    const { up } = this.#network;
    if (up === (this.#state.kind === 'connected')) return;
    const since = this.#network.now();
    this.#state = up ? { kind: 'connected', since } : { kind: 'away', since, detail: 'connection lost' };
    for (const listener of this.#states) listener(this.#state);
    this.#network.slots = 0;
    if (!up) return;
    const { leases } = this.#options.hello();
    const open = leases.filter((id) => this.#network.leases.has(id) && !this.#network.results.has(id));
    const last = [...this.#network.reports.values()].at(-1);
    this.deliver({
      ...{ type: 'welcome', owner: this.#options.owner, token: 'token-token-token', leases: open },
      lastReport: last === undefined ? null : { sequence: last.sequence, reportHash: reportHash(last) },
    });
    for (const leaseId of leases) {
      if (this.#network.automaticVerdicts && this.#network.results.has(leaseId)) this.#network.accept(leaseId);
    }
  }
  deliver(message: CoordinatorMessage): void {
    queueMicrotask(() => {
      if (this.#state.kind !== 'connected') return;
      for (const listener of this.#messages) listener(message);
    });
  }
  send = (message: DeviceMessage): boolean => {
    if (this.#closed || this.#state.kind !== 'connected') return false;
    void this.#network.take(this, message);
    return true;
  };
  onMessage = (listener: (message: CoordinatorMessage) => void): (() => void) => {
    this.#messages.add(listener);
    return () => this.#messages.delete(listener);
  };
  onState = (listener: (state: CoordinatorState) => void): (() => void) => {
    this.#states.add(listener);
    return () => this.#states.delete(listener);
  };
  #up(): void {
    if (!this.#network.up) fail('COORDINATOR_AWAY', 'connection refused');
  }
  download = async (hash: Hex32, _bytes: number, path: string): Promise<void> => {
    this.#up();
    const data = this.#network.blobs.get(hash);
    if (data === undefined) fail('NOT_FOUND', 'no such blob');
    this.#network.downloads.push(hash);
    await writeFile(path, data);
  };
  upload = async (hash: Hex32, path: string): Promise<void> => {
    this.#up();
    const data = await readFile(path);
    if (sha256(data) !== hash) fail('REFUSED', 'hash differs');
    this.#network.blobs.set(hash, data);
  };
  books: CoordinatorLink['books'] = async () => {
    this.#up();
    const published = this.#network.proof()?.cumulative ?? 0n;
    const { credited } = this.#network;
    return {
      ...{ owner: this.#options.owner, credited, pending: 0n, matured: credited - published, published },
      ...{ claimed: 0n, clawedBack: 0n, deposit: 0n },
    };
  };
  proof: CoordinatorLink['proof'] = async () => {
    this.#up();
    return this.#network.proof();
  };
  relayClaim: CoordinatorLink['relayClaim'] = async (claim, signature) => {
    this.#up();
    if (this.#key.address === claim.owner) fail('REFUSED', 'a device key moves no funds');
    return this.#network.claim(claim, signature);
  };
  close = async (): Promise<void> => {
    this.#closed = true;
    this.#messages.clear();
    this.#states.clear();
    this.#network.forget(this);
  };
}
