import type { Address, Hex32, UnixMs } from '../../../core/primitives.ts';
import type { ReportItem } from '../../../core/typed-data.ts';
import type { SimCoordinator } from './coordinator.ts';
import type { Link } from './link.ts';
import { type Inbox, keyOf, type LeaseMessage, type Peer, truthOf, type Workload } from './model.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

/** What a device does with its work. */
export type Conscience = {
  /** Share of its jobs that it fakes; a fault is a wrong answer that it worked for. */
  readonly fakes: number;
  readonly faults: number;
  /** It cheats only while it is trusted, and always knows whether it is. */
  readonly sleeper: boolean;
  /** Tells its mates every input it sees, and what it answered. */
  readonly ring: Ring | null;
  /** Its first fake is its last: it takes no more work. */
  readonly leaves: boolean;
};

/** Devices that know each other: the same input gets the same answer from all of them, right or wrong. */
export type Ring = { readonly name: string; readonly answers: Map<Hex32, Hex32> };

/** One machine: its jobs come one after the other, however many devices it says it is. */
export class Machine {
  #freeAt: UnixMs = 0;
  worked = 0;

  take(now: UnixMs, ms: number): number {
    this.#freeAt = Math.max(now, this.#freeAt) + ms;
    return this.#freeAt - now;
  }
}

export type Traits = {
  readonly owner: Address;
  readonly network: string;
  readonly conscience: Conscience;
  readonly machine: Machine;
  readonly workloads: readonly Workload[];
  readonly slots: number;
  readonly skewMs: number;
};

/** How long a job takes, and how long it takes to make something up. */
export const JOB_MS = 600_000;
const FAKE_MS = JOB_MS / 20;
const TICK_MS = 600_000;
const FIRST_TICK_MS = 30_000;
/** Once there is no more work. */
const SLOW_TICK_MS = 6 * TICK_MS;
const REPORT_EVERY_TICKS = 12;
const ASK_AFTER_MS = 3_600_000;

type Waiting = { readonly outputHash: Hex32; readonly price: bigint; readonly at: UnixMs; stored: boolean };

export class SimDevice {
  readonly peer: Peer;
  readonly traits: Traits;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #coordinator: SimCoordinator;
  readonly #running = new Map<Hex32, LeaseMessage>();
  /** Finished, and no verdict yet. */
  readonly #waiting = new Map<Hex32, Waiting>();
  readonly #accepted = new Map<Hex32, ReportItem>();
  #report: { readonly sequence: number; readonly items: readonly ReportItem[] } | null = null;
  #sequence = 0;
  #ticks = 0;
  /** Takes no more work; what it has done it still reports. */
  #retired = false;
  /** Fakes that it has sent. */
  faked = 0;

  constructor(traits: Traits, link: Link, timeline: Timeline, random: Random, coordinator: SimCoordinator) {
    this.traits = traits;
    this.#timeline = timeline;
    this.#random = random;
    this.#coordinator = coordinator;
    const inbox: Inbox = {
      lease: (lease) => this.#take(lease),
      stored: (leaseId) => {
        const waiting = this.#waiting.get(leaseId);
        if (waiting !== undefined) waiting.stored = true;
      },
      verdict: (leaseId, accepted) => this.#verdict(leaseId, accepted),
      receipt: (sequence, credited) => this.#receipt(sequence, credited),
    };
    const { owner, network, workloads } = traits;
    this.peer = {
      ...{ device: random.address(), owner, network, link, inbox, stated: 0, restUntil: 0, lastReport: null },
      ...{ sent: new Set(), trust: new Map(), trustedWith: new Set(), graduated: new Set(), lanes: new Map() },
      workloads: new Set(workloads.map(keyOf)),
    };
    coordinator.join(this.peer);
    this.#tickAfter(random.between(0, FIRST_TICK_MS));
  }

  /** A restart: what was running is lost, what was done is on disk. */
  restart(): void {
    this.#running.clear();
  }

  #send(deliver: () => void): void {
    this.peer.link.pass(deliver);
  }

  #ready(): void {
    const slots = this.#retired ? 0 : Math.max(0, this.traits.slots - this.#running.size);
    this.#send(() => this.#coordinator.ready(this.peer, slots));
  }

  #take(lease: LeaseMessage): void {
    const { leaseId } = lease;
    if (this.#running.has(leaseId) || this.#waiting.has(leaseId) || this.#accepted.has(leaseId)) return;
    const late = this.#timeline.now + this.traits.skewMs > lease.deadline;
    if (late || this.#retired || this.#running.size >= this.traits.slots) {
      this.#send(() => this.#coordinator.decline(this.peer, leaseId));
      return;
    }
    this.#running.set(leaseId, lease);
    const { outputHash, works } = this.#answer(lease);
    const ms = works ? JOB_MS * this.#random.between(0.8, 1.2) : FAKE_MS;
    if (works) this.traits.machine.worked += 1;
    this.#timeline.after(this.traits.machine.take(this.#timeline.now, ms), () => {
      if (this.#running.get(leaseId) !== lease) return;
      this.#running.delete(leaseId);
      this.#waiting.set(leaseId, {
        ...{ outputHash, price: lease.workload.price, at: this.#timeline.now, stored: false },
      });
      this.#send(() => this.#coordinator.result(this.peer, leaseId, outputHash));
      this.#ready();
    });
  }

  #answer({ input, workload }: LeaseMessage): { readonly outputHash: Hex32; readonly works: boolean } {
    const { fakes, faults, sleeper, ring, leaves } = this.traits.conscience;
    const heard = ring?.answers.get(input);
    if (heard !== undefined) return { outputHash: heard, works: false };
    const dares = !sleeper || this.#coordinator.isTrusted(this.peer, workload);
    const fake = fakes > 0 && dares && this.#random.chance(fakes);
    const wrong = fake || this.#random.chance(faults);
    const outputHash: Hex32 = wrong ? `0xf${this.#random.id().slice(3)}` : truthOf(input);
    if (fake) this.faked += 1;
    if (fake && leaves) this.#retired = true;
    ring?.answers.set(input, outputHash);
    return { outputHash, works: !fake };
  }

  #verdict(leaseId: Hex32, accepted: boolean): void {
    const waiting = this.#waiting.get(leaseId);
    if (waiting === undefined) return;
    this.#waiting.delete(leaseId);
    if (accepted) this.#accepted.set(leaseId, { leaseId, outputHash: waiting.outputHash, amount: waiting.price });
  }

  #receipt(sequence: number, credited: readonly Hex32[]): void {
    if (this.#report?.sequence !== sequence) return;
    for (const { leaseId } of this.#report.items) this.#accepted.delete(leaseId);
    for (const leaseId of credited) this.#accepted.delete(leaseId);
    this.#report = null;
  }

  #tickAfter(ms: number): void {
    this.#timeline.after(ms, () => {
      this.#tick();
      this.#tickAfter(this.#coordinator.state.ordering ? TICK_MS : SLOW_TICK_MS);
    });
  }

  #tick(): void {
    this.#ticks += 1;
    if (this.peer.link.cut) return;
    if (this.#running.size < this.traits.slots) this.#ready();
    const unheard: Hex32[] = [];
    for (const [leaseId, { outputHash, at, stored }] of this.#waiting) {
      if (!stored) this.#send(() => this.#coordinator.result(this.peer, leaseId, outputHash));
      else if (this.#timeline.now - at > ASK_AFTER_MS) unheard.push(leaseId);
    }
    if (unheard.length > 0) this.#send(() => this.#coordinator.ask(this.peer, unheard));
    if (this.#report === null && this.#ticks % REPORT_EVERY_TICKS === 0 && this.#accepted.size > 0) {
      this.#sequence += 1;
      this.#report = { sequence: this.#sequence, items: [...this.#accepted.values()] };
    }
    const report = this.#report;
    if (report !== null) this.#send(() => this.#coordinator.report(this.peer, report.sequence, report.items));
  }
}
