import { findWorkload } from '../core/catalogue.ts';
import { asFailure } from '../core/errors.ts';
import { type Address, type Hex32, LANES, type Lane, type UnixMs } from '../core/primitives.ts';
import type { Lease } from '../core/wire.ts';
import { decideBy, paidCopies } from './checks.ts';
import type { Context } from './context.ts';
import { type Drawn, type Sent, soleOf, writeLeases } from './draws.ts';
import { seenParties } from './extra-jobs.ts';
import { Group } from './group.ts';
import { groupBy } from './group-by.ts';
import type { Sole } from './happenings.ts';
import { randomId } from './ids.ts';
import { type Job, kindOf, leaseMessage } from './jobs.ts';
import { copyOf, type LeaseRow, leasesOf, type NewLease } from './leases.ts';
import { likenessesOf } from './likenesses.ts';
import { demandOf, inTurn, isSecondChoice, mayTake, type Need, needOf, type Offer } from './matching.ts';
import { Pace } from './pace.ts';
import { claim, release } from './queue.ts';
import { ReadyWork, type Waiting } from './ready.ts';
import { rulesOf } from './results.ts';
import type { Party } from './verification/trust.ts';
import { inLots } from './verification/turns.ts';
import { workloadKey } from './verify.ts';

/** Jobs that are claimed in one go: some for each slot that is free, but no fewer and no more than these. */
const CLAIM = { least: 64, most: 4_000, perSlot: 2 } as const;
/** So long work is claimed: that of a replica that is seen by nobody is another's after it. */
const CLAIM_MS = 10_500;
/** Work in hand that nobody took for so long is let go, for other replicas and for younger work, */
const UNTAKEN_MS = 4_000;
/** and is not claimed again for so long. */
const REST_MS = 1_000;
/** Rounds whose leases are written in one transaction, and how many of those go on at once: two would be smaller ones. */
const ROUNDS = 50;
const WRITERS = 1;

/** A job of which this replica has copies to give out. */
type Open = {
  readonly job: Job;
  readonly need: Need & { readonly owners: Set<Address>; readonly networks: Set<string> };
  /** Number of its next lease. */
  next: number;
  /** Somebody else knows more of it. */
  stale: boolean;
  readonly since: UnixMs;
};
type Entry = Waiting & { readonly open: Open };
type Handed = Sent & { readonly entry: Entry };

/** A lease as its device is told of it. */
export type Given = { readonly message: Lease; readonly sole: Sole | null };

/** What the dispatcher needs of the sessions. */
export type Peers = {
  /** Devices that are connected here, with room or without. */
  readonly offers: () => readonly Offer[];
  /** Takes one of the slots that the device stated, before it is asked. */
  readonly reserve: (device: Address, leaseId: Hex32, lane: Lane) => void;
  /** The lease was not written. */
  readonly unreserve: (device: Address, leaseId: Hex32) => void;
  readonly send: (device: Address, leases: readonly Given[]) => void;
  readonly changed: (jobIds: readonly Hex32[]) => void;
  /** Owners that are connected here and trusted with a kind of work. */
  readonly trusted: (kind: string) => number;
};

/**
 * Hands out work. Ready work is claimed from the database in large pieces and kept in memory, so that who asks is matched at
 * once; what is matched is written, many leases in one commit, and only then sent.
 */
export class Dispatcher {
  readonly #context: Context;
  readonly #peers: Peers;
  readonly #ready = new ReadyWork<Entry>();
  readonly #group: Group<readonly Handed[], Drawn>;
  #claiming: Promise<void> | null = null;
  /** Kinds of which nothing was left to claim when it was looked at last, and nobody has said otherwise. */
  readonly #drained = new Set<string>();
  /** How fast work goes: so much of it is kept ready. */
  readonly #pace = new Pace();
  #scheduled = false;
  #round = 0;
  #closed = false;
  readonly #underWay = new Set<Promise<void>>();

  constructor(context: Context, peers: Peers) {
    this.#context = context;
    this.#peers = peers;
    this.#group = new Group((rounds) => this.#write(rounds), { most: ROUNDS, lanes: WRITERS });
  }

  /** Copies in hand that wait for a device. */
  get ready(): number {
    return this.#ready.size;
  }

  /** There may be work that was not there before. */
  woken(): void {
    this.#drained.clear();
    this.soon();
  }

  /** Hands out soon; calls that come until then are one. */
  soon(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (!this.#closed) this.#handOut();
    });
  }

  /** A job that wants more copies than are under way. */
  reopen(job: Job, leases: readonly LeaseRow[], wanted: number, seen: readonly Party[]): void {
    this.#add(job, leases, wanted, seen);
    this.soon();
  }

  /** Lets go of work that nobody here took. */
  async letGo(now: UnixMs): Promise<void> {
    const old = this.#ready.drop(({ open }) => open.stale || now - open.since > UNTAKEN_MS);
    const jobs = new Set(old.flatMap(({ jobId, open }) => (open.stale ? [] : [jobId])));
    await release(this.#context.db, [...jobs], now + REST_MS);
  }

  /** Gives out no more of what must not be done now; it is anybody's again, once it may. */
  async withdraw(isOff: (job: Job) => boolean): Promise<void> {
    const off = this.#ready.drop(({ open }) => isOff(open.job));
    await release(this.#context.db, [...new Set(off.map(({ jobId }) => jobId))], 0);
  }

  /** Resolves when nothing is being written any more; what was claimed is anybody's again. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#claiming;
    await Promise.all(this.#underWay);
    const rest = new Set(this.#ready.drop(() => true).map(({ jobId }) => jobId));
    await release(this.#context.db, [...rest], 0).catch(() => undefined);
  }

  #add(job: Job, leases: readonly LeaseRow[], wanted: number, seen: readonly Party[]): void {
    const { options } = this.#context;
    const entry = findWorkload(options.catalogue, job.workload);
    const demand = entry === null ? { memoryBytes: 0, diskBytes: 0, vramBytes: 0 } : demandOf(entry);
    const copies = leases.map(copyOf);
    const judging = job.about !== null || leases.some(({ state }) => state === 'finished');
    const judges = judging ? workloadKey(job.workload, job.image) : null;
    const need = needOf({ lane: job.lane, price: job.pay, demand, judges }, copies, options.maxAttempts, seen);
    const open: Open = {
      ...{ job, next: 1 + Math.max(-1, ...leases.map(({ copy }) => copy)), stale: false, since: options.clock.now() },
      need: { ...need, owners: new Set(need.owners), networks: new Set(need.networks) },
    };
    const waiting = {
      ...{ jobId: job.job_id, consumer: job.consumer, priority: job.priority, price: job.price, open },
      kind: kindOf(job),
    };
    for (let copy = 0; copy < wanted; copy++) this.#ready.add(waiting);
  }

  #handOut(): void {
    const offers = inTurn(this.#lots(this.#peers.offers()));
    const room = new Map(offers.map((offer) => [offer.device, { ...offer.slots }]));
    const handed: Handed[] = [];
    for (const again of [false, true]) {
      for (let took = true; took; ) {
        took = false;
        for (const offer of offers) {
          for (const lane of LANES) {
            const slots = room.get(offer.device);
            if (slots === undefined || slots[lane] <= 0) continue;
            const one = this.#assign(offer, lane, again);
            if (one === null) continue;
            slots[lane] -= 1;
            took = true;
            handed.push(one);
          }
        }
      }
    }
    this.#pace.add(handed.length, this.#context.options.clock.now());
    if (handed.length > 0) this.#follow(this.#send(handed));
    this.#refill(offers);
  }

  /** Many identities of one owner or line do not win more of scarce work. */
  #lots(offers: readonly Offer[]): readonly Offer[] {
    const { verification } = this.#context;
    if (verification === null) return offers;
    const parties = offers.map((offer) => ({ offer, owner: offer.owner, network: offer.network ?? null }));
    return inLots(verification.secret, String(this.#round++), parties).map(({ offer }) => offer);
  }

  /**
   * Where those who are trusted are too few, nobody could become trusted through them: their partners must be that many
   * different ones.
   */
  #prefersTrusted({ judges = null }: Need): boolean {
    const { verification } = this.#context;
    if (judges === null || verification === null) return false;
    return this.#peers.trusted(judges) >= verification.policy.trustedAfter;
  }

  #assign(offer: Offer, lane: Lane, again: boolean): Handed | null {
    const kinds = kindsOf(offer, lane);
    const entry = this.#ready.take(
      kinds,
      ({ open: { need, stale } }) =>
        !stale && mayTake(need, offer) && (again || !isSecondChoice(need, offer, this.#prefersTrusted(need))),
    );
    if (entry === null) return null;
    const { open } = entry;
    const { device, owner, network = null } = offer;
    const { clock, leaseMs } = this.#context.options;
    const lease: NewLease = {
      lease_id: randomId(),
      ...{ job_id: open.job.job_id, copy: open.next, device, owner, deadline: clock.now() + leaseMs },
      network,
    };
    // The others of a job are there to be compared with its first.
    const first = open.need.owners.size === 0 && open.job.replicas === 0;
    open.next += 1;
    open.need.owners.add(owner);
    if (network !== null) open.need.networks.add(network);
    this.#peers.reserve(device, lease.lease_id, lane);
    return { entry, offer, lease, job: open.job, first };
  }

  async #send(handed: readonly Handed[]): Promise<void> {
    let drawn: Drawn = new Map();
    try {
      drawn = await this.#group.add(handed);
    } catch (error) {
      this.#context.options.log('error', 'leases-not-written', { message: asFailure(error).message });
    }
    const good = handed.flatMap((one) => {
      const written = drawn.get(one.lease.lease_id);
      return written === undefined ? [] : [{ ...one, ...written }];
    });
    for (const [device, own] of groupBy(good, ({ lease }) => lease.device)) {
      this.#peers.send(
        device,
        own.map((one) => ({
          message: leaseMessage(one.job, one.lease.lease_id, one.lease.deadline),
          sole: soleOf(one),
        })),
      );
    }
    this.#context.metrics.handedOut(good.length);
    this.#peers.changed([...new Set(good.map(({ job }) => job.job_id))]);
    // Somebody else knows more of these jobs, or the device got another, or the database did not answer: they are looked at anew.
    const lost = handed.filter(({ lease, entry }) => drawn.get(lease.lease_id)?.job.job_id !== entry.jobId);
    for (const { lease, entry } of lost) {
      entry.open.stale = true;
      if (!drawn.has(lease.lease_id)) this.#peers.unreserve(lease.device, lease.lease_id);
    }
    const jobs = [...new Set(lost.map(({ entry }) => entry.jobId))];
    await release(this.#context.db, jobs, 0).catch(() => undefined);
    if (lost.length > 0) this.woken();
  }

  async #write(rounds: readonly (readonly Handed[])[]): Promise<readonly Drawn[]> {
    const drawn = await writeLeases(this.#context, rounds.flat());
    return rounds.map(() => drawn);
  }

  #refill(offers: readonly Offer[]): void {
    if (this.#claiming !== null || this.#closed) return;
    const kinds = new Set(
      offers.flatMap((offer) => LANES.filter((lane) => offer.slots[lane] > 0).flatMap((lane) => kindsOf(offer, lane))),
    );
    const room = offers.reduce((sum, { slots }) => sum + LANES.reduce((own, lane) => own + slots[lane], 0), 0);
    const most = Math.min(
      CLAIM.most,
      Math.max(CLAIM.least, room * CLAIM.perSlot, this.#pace.perSecond(this.#context.options.clock.now())),
    );
    const short = new Set([...kinds].filter((kind) => !this.#drained.has(kind) && this.#ready.sizeOf(kind) < most / 2));
    if (short.size === 0) return;
    this.#claiming = this.#claim(short, most)
      .catch((error: unknown) => {
        this.#context.options.log('error', 'work-not-claimed', { message: asFailure(error).message });
      })
      .finally(() => {
        this.#claiming = null;
      });
  }

  async #claim(kinds: ReadonlySet<string>, most: number): Promise<void> {
    const { db, options, replica, verification } = this.#context;
    const now = options.clock.now();
    for (const kind of kinds) this.#drained.add(kind);
    const claimant = { number: replica.number, shy: replica.company };
    const jobs = await db.tx((sql) => claim(sql, kinds, most, now, now + CLAIM_MS, claimant));
    if (jobs.length === 0) return;
    const ids = jobs.map(({ job_id }) => job_id);
    const leases = groupBy(await leasesOf(db, ids), ({ job_id }) => job_id);
    const compared = jobs.map((job) => ({ job, leases: leases.get(job.job_id) ?? [] }));
    const likenesses = await likenessesOf(db, compared, rulesOf(this.#context).comparison);
    const seen = await seenParties(db, jobs);
    const underWay: Hex32[] = [];
    for (const { job, leases: own } of compared) {
      const known = likenesses(job.job_id);
      if (known === null) underWay.push(job.job_id);
      if (known === null) continue;
      const decision = decideBy(job, own, options.maxAttempts, verification, known);
      if (decision.kind !== 'open') continue;
      const wanted = paidCopies(job, own, decision.wanted);
      if (wanted === 0) underWay.push(job.job_id);
      else this.#add(job, own, wanted, seen.get(job.job_id) ?? []);
    }
    // Nothing will change until a lease ends, and then its job is decided anew: unless one ended while this was read.
    await release(db, underWay, now + options.leaseMs, now + CLAIM_MS);
    for (const kind of kinds) this.#drained.delete(kind);
    this.soon();
  }

  #follow(work: Promise<void>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }
}

const lanesKinds = new WeakMap<ReadonlySet<string>, Map<Lane, readonly string[]>>();

/** Of one device; asked for each job that it gets. */
function kindsOf({ workloads }: Offer, lane: Lane): readonly string[] {
  const byLane = lanesKinds.get(workloads) ?? new Map<Lane, readonly string[]>();
  lanesKinds.set(workloads, byLane);
  const known = byLane.get(lane);
  if (known !== undefined) return known;
  const kinds = [...workloads].map((key) => `${key} ${lane}`);
  byLane.set(lane, kinds);
  return kinds;
}
