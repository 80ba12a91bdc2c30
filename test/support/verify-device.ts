import type { Context } from '../../coordinator/context.ts';
import type { Sessions } from '../../coordinator/sessions.ts';
import { type Address, type Hex32, ZERO_HASH } from '../../core/primitives.ts';
import { itemsHash, type ReportItem, reportHash } from '../../core/typed-data.ts';
import {
  type CoordinatorMessage,
  coordinatorMessage,
  type DeviceMessage,
  encodeWire,
  type Lease,
  type Verdict,
} from '../../core/wire.ts';
import { type Account, newAccount } from './chain.ts';
import { Signatory } from './device.ts';
import { WORKLOAD } from './network.ts';
import { randomHex32 } from './random.ts';

/** Where a device lives. */
type Host = {
  readonly context: Context;
  readonly sessions: Sessions;
  readonly now: number;
  readonly keep: (content: Buffer) => Promise<Hex32>;
};

export const outputFor = (inputHash: Hex32): Buffer => Buffer.from(`answer to ${inputHash}`);

/** A device that does its work at once, and tells what it likes. */
export class WorldDevice {
  readonly owner: Signatory;
  readonly key: Signatory;
  readonly network: string | null;
  readonly leases: Lease[] = [];
  /** What it was told, as it went over the wire. */
  readonly heard: string[] = [];
  readonly verdicts: Verdict[] = [];
  readonly lied = new Set<Hex32>();
  lies: (lease: Lease) => boolean | Promise<boolean>;
  slots = 4;
  /** Keeps its results to itself until it is told to send them. */
  holds = false;
  #kept: (() => void)[] = [];
  readonly #world: Host;
  readonly #done = new Map<Hex32, Hex32>();
  readonly #open = new Set<Hex32>();
  /** Results that nobody has said are stored: sent again whenever it comes back. */
  readonly #unstored = new Map<Hex32, () => void>();
  #unreported: ReportItem[] = [];
  #last: { readonly sequence: number; readonly hash: Hex32 } = { sequence: 0, hash: ZERO_HASH };
  #receive: (message: DeviceMessage) => void = () => undefined;
  #busy: Promise<void> = Promise.resolve();
  #challenge: string | null = null;
  #welcomed: (() => void) | null = null;
  #receipted: (() => void) | null = null;

  constructor(world: Host, owner: Account, network: string | null, lies: WorldDevice['lies']) {
    const { chain } = world.context.options;
    this.#world = world;
    this.network = network;
    this.lies = lies;
    this.owner = new Signatory(owner, chain);
    this.key = new Signatory(newAccount(), chain);
  }

  get address(): Address {
    return this.key.address;
  }

  async join(): Promise<void> {
    this.#challenge = null;
    const session = this.#world.sessions.connect(
      { send: (text) => this.#hear(text), close: () => undefined, pause: () => undefined },
      this.network,
    );
    this.#receive = (message) => session.receive(encodeWire(message));
    const { networkId } = this.#world.context;
    const nonce = this.#challenge ?? ZERO_HASH;
    const value = { device: this.address, networkId, nonce: nonce as Hex32, issuedAt: this.#world.now };
    const signature = await this.key.sign('Session', value);
    const welcome = new Promise<void>((resolve) => {
      this.#welcomed = resolve;
    });
    const offered = { workloads: [{ ...WORKLOAD }], leases: [...this.#open] };
    this.#receive({ type: 'hello', value, signature, agent: 'test', platform: 'linux', ...offered });
    await welcome;
    for (const send of [...this.#unstored.values()]) send();
    this.#receive({ type: 'ready', lane: 'cpu', slots: this.slots });
  }

  async idle(): Promise<void> {
    await this.#busy;
  }

  #hear(text: string): void {
    this.heard.push(text);
    const message: CoordinatorMessage = coordinatorMessage.parse(JSON.parse(text));
    if (message.type === 'challenge') this.#challenge = message.nonce;
    else if (message.type === 'welcome') this.#welcomed?.();
    else if (message.type === 'receipt') this.#receipted?.();
    else if (message.type === 'lease') this.#work([message.lease]);
    else if (message.type === 'leases') this.#work(message.leases);
    else if (message.type === 'verdict') this.#judged(message.verdict);
    else if (message.type === 'verdicts') for (const verdict of message.verdicts) this.#judged(verdict);
    else if (message.type === 'result-stored') this.#unstored.delete(message.leaseId);
    else if (message.type === 'results-stored') for (const leaseId of message.leaseIds) this.#unstored.delete(leaseId);
    else if (message.type === 'cancel') this.#forget(message.leaseId);
  }

  #forget(leaseId: Hex32): void {
    this.#open.delete(leaseId);
    this.#unstored.delete(leaseId);
  }

  #work(leases: readonly Lease[]): void {
    for (const lease of leases) this.#open.add(lease.leaseId);
    this.leases.push(...leases);
    this.#busy = this.#busy.then(async () => {
      for (const lease of leases) await this.#do(lease);
      this.#receive({ type: 'ready', lane: 'cpu', slots: this.slots });
    });
  }

  async #do(lease: Lease): Promise<void> {
    const { leaseId } = lease;
    const lie = await this.lies(lease);
    if (lie) this.lied.add(leaseId);
    const output = lie ? Buffer.from(`lie ${randomHex32()}`) : outputFor(lease.inputHash);
    const outputHash = await this.#world.keep(output);
    this.#done.set(leaseId, outputHash);
    const times = { startedAt: this.#world.now, finishedAt: this.#world.now };
    const value = { leaseId, device: this.address, outputHash, outputBytes: output.length, ...times };
    const signature = await this.key.sign('Result', value);
    const send = () => {
      this.#unstored.set(leaseId, send);
      this.#receive({ type: 'result', value, signature });
    };
    if (this.holds) this.#kept.push(send);
    else send();
  }

  release(): void {
    this.holds = false;
    for (const send of this.#kept.splice(0)) send();
  }

  #judged(verdict: Verdict): void {
    const { leaseId } = verdict;
    this.#forget(leaseId);
    this.verdicts.push(verdict);
    const outputHash = this.#done.get(leaseId);
    if (verdict.kind !== 'accepted' || outputHash === undefined) return;
    this.#unreported.push({ leaseId, outputHash, amount: verdict.amount });
  }

  async report(): Promise<void> {
    const items = this.#unreported;
    if (items.length === 0) return;
    this.#unreported = [];
    const value = {
      ...{
        owner: this.owner.address,
        device: this.address,
        sequence: this.#last.sequence + 1,
        previous: this.#last.hash,
      },
      ...{ periodStart: 1, periodEnd: 2, itemsHash: itemsHash(items), itemCount: items.length },
      total: items.reduce((total, { amount }) => total + amount, 0n),
    };
    const signature = await this.key.sign('Report', value);
    const receipt = new Promise<void>((resolve) => {
      this.#receipted = resolve;
    });
    this.#receive({ type: 'report', value, signature, items });
    await receipt;
    this.#last = { sequence: value.sequence, hash: reportHash(value) };
  }
}
