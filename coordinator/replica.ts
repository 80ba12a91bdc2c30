import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { asFailure } from '../core/errors.ts';
import { type Address, address, type Hex32, hex32, type UnixMs } from '../core/primitives.ts';
import { channelCoordinatorMessages } from '../core/wire-channel.ts';
import { shortName } from './context.ts';
import { type Db, integerColumn, one } from './db.ts';
import type { Log } from './options.ts';
import { arrive, freeAllClaims, freeClaimsOfDead, nextReplica, PRESENCE } from './presence.ts';

const channelNote = channelCoordinatorMessages[0].omit({ type: true, ticket: true });
export type ChannelNote = z.output<typeof channelNote>;

/** What replicas tell each other. It wakes: who hears it looks into the books. */
const note = z.discriminatedUnion('kind', [
  z.strictObject({ from: z.string(), kind: z.literal('here'), devices: z.number().int().nonnegative() }),
  z.strictObject({ from: z.string(), kind: z.literal('work') }),
  /** Something was disabled or enabled, somebody banned. */
  z.strictObject({ from: z.string(), kind: z.literal('rules') }),
  z.strictObject({ from: z.string(), kind: z.literal('jobs'), jobs: z.array(z.string()) }),
  z.strictObject({ from: z.string(), kind: z.literal('leases'), leases: z.array(hex32) }),
  z.strictObject({ from: z.string(), kind: z.literal('session'), device: address, number: z.number() }),
  z.strictObject({ from: z.string(), kind: z.literal('epoch'), epoch: z.number(), root: hex32 }),
  /** For a device, wherever it is connected; without a secret: the ticket is made by who passes it on. */
  z.strictObject({ from: z.string(), kind: z.literal('channel'), device: address, channel: channelNote }),
  /** A delivery was ordered for a device, wherever it is connected. */
  z.strictObject({ from: z.string(), kind: z.literal('delivery'), device: address, session: hex32 }),
  /** Something has become of what a device keeps, or of how it stands. */
  z.strictObject({ from: z.string(), kind: z.literal('storage'), device: address, agreements: z.array(hex32) }),
]);
type Note = z.output<typeof note>;

/** Who acts on what others tell. */
export type Ears = {
  readonly work: () => void;
  readonly rules: () => void;
  readonly jobs: (shortNames: readonly string[]) => void;
  /** Leases of which their device should hear something, if it is connected here. */
  readonly leases: (leaseIds: readonly Hex32[]) => void;
  readonly session: (device: Address, number: number) => void;
  readonly epoch: (epoch: number, root: Hex32) => void;
  readonly channel: (device: Address, channel: ChannelNote) => void;
  readonly delivery: (device: Address, session: Hex32) => void;
  readonly storage: (device: Address, agreements: readonly Hex32[]) => void;
  /** What was told until now may have been missed. */
  readonly mended: () => void;
};

/** A note has at most 8,000 bytes. */
const JOBS_A_NOTE = 300;
const LEASES_A_NOTE = 100;
/** Between two times of telling, so that many things are one note. */
const GAP_MS = 4;
const HERE_EVERY_MS = 2_000;
/** Who was not heard for so long is gone. */
const GONE_AFTER_MS = 8_000;
/** Nobody was heard for so long: nobody is told anything. */
const ALONE_AFTER_MS = 20_000;

/** This coordinator as one of those that share a database. */
export class Replica {
  /** Under which it claims work. */
  readonly number: number;
  readonly #id = randomUUID();
  readonly #db: Db;
  readonly #log: Log;
  readonly #stop = new AbortController();
  #jobs = new Set<string>();
  #leases = new Set<Hex32>();
  #others: Record<string, unknown>[] = [];
  #heardAt = Number.NEGATIVE_INFINITY;
  #telling: Promise<void> | null = null;
  #listening: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #away: string | null = null;
  #devices: () => number = () => 0;
  readonly #heard = new Map<string, { readonly at: number; readonly devices: number }>();

  private constructor(db: Db, log: Log, number: number) {
    this.#db = db;
    this.#log = log;
    this.number = number;
  }

  static async open(db: Db, log: Log): Promise<Replica> {
    if (db.notes === null) await freeAllClaims(db);
    return new Replica(db, log, db.notes === null ? 0 : await nextReplica(db));
  }

  /** Why the database cannot be used; null: it can. */
  get away(): string | null {
    return this.#away;
  }

  /** Those that share the database, as they said last. */
  get others(): readonly { readonly devices: number }[] {
    const now = performance.now();
    for (const [id, { at }] of this.#heard) if (now - at > GONE_AFTER_MS) this.#heard.delete(id);
    return [...this.#heard.values()];
  }

  /** `devices`: how many are connected here. */
  listen(ears: Ears, devices: () => number): void {
    const { notes } = this.#db;
    if (notes === null) return;
    this.#devices = devices;
    const mended = () => {
      arrive(this.#db, this.number).catch((error: unknown) => {
        this.#log('warn', 'replica-not-seen', { message: asFailure(error).message });
      });
      this.#here();
      ears.mended();
    };
    const holding = { space: PRESENCE, number: this.number };
    this.#listening = notes.listen((text) => this.#hear(text, ears), mended, holding, this.#stop.signal);
    this.#timer = setInterval(() => this.#here(), HERE_EVERY_MS);
  }

  /** Frees what dead replicas had claimed. Answers whether there were any. */
  async bury(now: UnixMs): Promise<boolean> {
    return this.#db.notes !== null && (await freeClaimsOfDead(this.#db, now));
  }

  /** There is work that was not there before. */
  work(): void {
    if (this.company) this.#say({ kind: 'work' });
  }
  job(jobId: string): void {
    if (!this.company) return;
    this.#jobs.add(shortName(jobId));
    this.#tell();
  }
  /** Something is to be told of a lease whose device is not connected here. */
  lease(leaseId: Hex32): void {
    if (!this.company) return;
    this.#leases.add(leaseId);
    this.#tell();
  }
  rules(): void {
    if (this.company) this.#say({ kind: 'rules' });
  }
  /** A consumer wants to speak with a device that is not connected here. */
  channel(device: Address, channel: ChannelNote): void {
    if (this.company) this.#say({ kind: 'channel', device, channel });
  }
  delivery(device: Address, session: Hex32): void {
    if (this.company) this.#say({ kind: 'delivery', device, session });
  }
  /** Something is to be told to a device that is not connected here. */
  storage(device: Address, agreements: readonly Hex32[]): void {
    if (!this.company) return;
    const some = agreements.length === 0 ? [[]] : pieces(agreements, LEASES_A_NOTE);
    for (const piece of some) this.#say({ kind: 'storage', device, agreements: [...piece] });
  }
  epoch(epoch: number, root: Hex32): void {
    if (this.company) this.#say({ kind: 'epoch', epoch, root });
  }

  /** Numbers a device's new session; who has an older one of it elsewhere ends that. */
  async arrived(device: Address): Promise<number> {
    if (this.#db.notes === null) return 0;
    const number = await one(
      this.#db,
      z.object({ session: integerColumn }),
      `UPDATE devices SET session = nextval('session_numbers') WHERE device = $1 RETURNING session`,
      [device],
    );
    const session = number?.session ?? 0;
    this.#say({ kind: 'session', device, number: session });
    return session;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    // What was claimed here is free now.
    this.work();
    while (this.#telling !== null) await this.#telling;
    this.#stop.abort();
    await this.#listening;
  }

  /** Whether others were heard lately. */
  get company(): boolean {
    return performance.now() - this.#heardAt < ALONE_AFTER_MS;
  }

  #hear(text: string, ears: Ears): void {
    const heard = parse(text);
    if (heard === null || heard.from === this.#id) return;
    // A newcomer does not know of us yet.
    if (!this.company) this.#here();
    this.#heardAt = performance.now();
    if (heard.kind === 'here') this.#heard.set(heard.from, { at: this.#heardAt, devices: heard.devices });
    if (heard.kind === 'work') ears.work();
    else if (heard.kind === 'rules') ears.rules();
    else if (heard.kind === 'jobs') ears.jobs(heard.jobs);
    else if (heard.kind === 'leases') ears.leases(heard.leases);
    else if (heard.kind === 'session') ears.session(heard.device, heard.number);
    else if (heard.kind === 'epoch') ears.epoch(heard.epoch, heard.root);
    else if (heard.kind === 'channel') ears.channel(heard.device, heard.channel);
    else if (heard.kind === 'delivery') ears.delivery(heard.device, heard.session);
    else if (heard.kind === 'storage') ears.storage(heard.device, heard.agreements);
  }

  #here(): void {
    this.#say({ kind: 'here', devices: this.#devices() });
  }

  #say(what: DistributiveOmit<Note, 'from'>): void {
    if (this.#db.notes === null) return;
    this.#others.push(what);
    this.#tell();
  }

  #tell(): void {
    this.#telling ??= this.#send().finally(() => {
      this.#telling = null;
    });
  }

  async #send(): Promise<void> {
    while (this.#others.length + this.#jobs.size + this.#leases.size > 0) {
      const notes = [
        ...this.#others,
        ...pieces([...this.#leases], LEASES_A_NOTE).map((leases) => ({ kind: 'leases', leases })),
        ...pieces([...this.#jobs], JOBS_A_NOTE).map((jobs) => ({ kind: 'jobs', jobs })),
      ];
      this.#others = [];
      this.#leases = new Set();
      this.#jobs = new Set();
      const texts = new Set(notes.map((one) => JSON.stringify({ from: this.#id, ...one })));
      try {
        await this.#db.notes?.tell([...texts]);
        this.#away = null;
      } catch (error) {
        // Not told again: who heard nothing looks when it hears again.
        const { message } = asFailure(error);
        if (this.#away === null) this.#log('warn', 'replicas-not-told', { message });
        this.#away = message;
      }
      await new Promise((resolve) => setTimeout(resolve, GAP_MS));
    }
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

export function* piecesOf<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
const pieces = <T>(items: readonly T[], size: number): readonly (readonly T[])[] => [...piecesOf(items, size)];

function parse(text: string): Note | null {
  try {
    return note.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
