import { asFailure } from '../core/errors.ts';
import type { Address, Hex32 } from '../core/primitives.ts';
import type { CoordinatorMessage, Verdict } from '../core/wire.ts';
import { WITHDRAWN } from './admin.ts';
import { bannedAmong } from './bans.ts';
import { catchUp, lookAgain } from './catch-up.ts';
import { Comparer } from './comparer.ts';
import type { Context } from './context.ts';
import { Crowd } from './crowd.ts';
import { Dispatcher } from './dispatch.ts';
import type { Effects } from './effects.ts';
import { GpuProving } from './gpu-proving.ts';
import { groupBy } from './group-by.ts';
import { House, tidyHouse } from './house.ts';
import { Lending } from './lending.ts';
import type { LostBecause } from './metrics.ts';
import { type Ears, piecesOf } from './replica.ts';
import { Reports } from './report-groups.ts';
import { Results } from './results.ts';
import { REPLACED, Session } from './session.ts';
import type { Socket } from './session-host.ts';
import { standingsOf } from './standing.ts';
import { DEADLINE_PASSED, TakeBack } from './take-back.ts';
import { within } from './timer.ts';
import { CANCELLED_BY_CONSUMER } from './verify.ts';

const HELLO_WITHIN_MS = 10_000;
/** Times of judging between two at which all devices here are looked up: what this replica finds of them it knows at once. */
const LOOK_EVERY = 10;
/** Sessions whose bans are asked for in one statement. */
const AT_ONCE = 5_000;

/** All connected devices, and the work that is handed out to them. */
export class Sessions {
  readonly #context: Context;
  readonly #open = new Set<Session>();
  readonly #byDevice = new Map<Address, Session>();
  /** Those that may take work: whoever has said so, until it turns out that it has enough. */
  readonly #roomy = new Set<Session>();
  readonly #dispatcher: Dispatcher;
  readonly #results: Results;
  readonly #reports: Reports;
  readonly comparer: Comparer;
  readonly lending: Lending;
  readonly #proving: GpuProving;
  readonly #takeBack: TakeBack;
  readonly #house: House;
  readonly #crowd = new Crowd(() => this.#byDevice.values());
  #verified = 0;
  #draining = false;

  constructor(context: Context) {
    this.#context = context;
    this.#results = new Results(context);
    this.#reports = new Reports(context);
    this.#proving = new GpuProving(context);
    this.lending = new Lending(context, (device) => this.#byDevice.get(device));
    this.#takeBack = new TakeBack(context, (effects) => this.apply(effects));
    this.#house = new House(context, (effects) => this.apply(effects));
    this.comparer = new Comparer(context, (effects) => this.apply(effects));
    this.#dispatcher = new Dispatcher(context, {
      offers: () => this.#offers(),
      reserve: (device, leaseId, lane) => this.#byDevice.get(device)?.reserve(leaseId, lane),
      unreserve: (device, leaseId) => this.#byDevice.get(device)?.unreserve(leaseId),
      send: (device, leases) => {
        const session = this.#byDevice.get(device);
        // It has gone to another replica meanwhile.
        if (session === undefined) for (const { message } of leases) context.replica.lease(message.leaseId);
        else session.lease(leases);
      },
      changed: (jobIds) => this.#changed(jobIds),
      trusted: (kind) => this.#crowd.trusted(kind),
    });
    context.changes.onWork(() => this.#dispatcher.woken());
  }

  /** Begins a session on a new connection; the caller feeds it messages and says when the connection has ended. */
  connect(
    socket: Socket,
    network: string | null = null,
  ): {
    readonly receive: (text: string) => void;
    readonly measured: (rttMs: number) => void;
    readonly ended: () => void;
  } {
    const session = new Session(
      this.#context,
      {
        joined: (joined, device) => this.#join(joined, device),
        apply: (effects) => this.apply(effects),
        ready: (ready) => {
          this.#roomy.add(ready);
          this.#dispatcher.soon();
        },
        progressed: (jobId) => this.#changed([jobId]),
        deliver: (delivery) => this.#results.receive(delivery),
        report: (report) => this.#reports.receive(report),
        proving: this.#proving,
        lending: this.lending,
      },
      socket,
      network,
    );
    this.#open.add(session);
    // The books are being closed behind it: nothing more may be handled.
    if (this.#draining) void session.leave(0);
    const timer = setTimeout(() => session.party !== null || session.close('no hello'), HELLO_WITHIN_MS);
    return {
      receive: (text) => session.receive(text),
      measured: (rttMs) => session.measured(rttMs),
      ended: () => {
        clearTimeout(timer);
        this.#roomy.delete(session);
        for (const [device, current] of this.#byDevice) if (current === session) this.#byDevice.delete(device);
        session
          .ended()
          .finally(() => this.#open.delete(session))
          .catch(() => undefined);
      },
    };
  }

  /** What other replicas tell. */
  ears(): Ears {
    const { changes } = this.#context;
    return {
      work: () => changes.heardOfWork(),
      rules: () => {
        this.heedRules().catch((error) => this.#unseen(error));
      },
      jobs: (names) => {
        for (const name of names) changes.heardOf(name);
      },
      leases: (leaseIds) => {
        catchUp(this.#context, (device) => this.#byDevice.get(device), leaseIds).catch((error) => this.#unseen(error));
      },
      session: (device, number) => this.#byDevice.get(device)?.endIfOlderThan(number),
      epoch: (epoch, root) => this.broadcast({ type: 'epoch', epoch, root }),
      channel: (device, channel) => this.lending.channels.heard(device, channel),
      delivery: (device, session) => {
        this.lending.deliveries.heard(device, session).catch((error) => this.#unseen(error));
      },
      storage: (device, agreements) => {
        this.lending.storage.heard(device, agreements).catch((error) => this.#unseen(error));
      },
      mended: () => {
        changes.heardOfWork();
        changes.wakeAll();
        this.lookAgain().catch((error) => this.#unseen(error));
        this.lending.storage.lookAgain().catch((error) => this.#unseen(error));
      },
    };
  }

  /** Something was disabled or enabled, or somebody was banned. */
  async heedRules(): Promise<void> {
    const { db, disabled } = this.#context;
    await disabled.load(db);
    await this.#dispatcher.withdraw((job) => disabled.has(job));
    const sessions = [...this.#byDevice.values()];
    for (const some of piecesOf(sessions, AT_ONCE)) {
      const bans = await bannedAmong(
        db,
        some.flatMap(({ who }) => who),
      );
      for (const session of some) {
        const why = session.who.map((one) => bans.get(one)).find((one) => one !== undefined);
        if (why !== undefined) session.dismiss(why);
      }
    }
    this.#dispatcher.woken();
  }

  /** For what another replica had to tell and was not heard of. */
  async lookAgain(): Promise<void> {
    const { db, options } = this.#context;
    await this.heedRules();
    if (db.notes !== null) await lookAgain(this.#context, this.#byDevice, options.clock.now());
  }

  #unseen(error: unknown): void {
    this.#context.options.log('warn', 'not-looked-again', { message: asFailure(error).message });
  }

  /** Tells what a committed transaction changed, then hands out what became free. */
  apply(effects: Effects): void {
    const { metrics, days, options } = this.#context;
    metrics.verdicts(effects.verdicts);
    days.add(effects.verdicts, options.clock.now());
    for (const { message } of effects.messages)
      if (message.type === 'cancel') metrics.lost(whyCancelled(message.reason));
    for (const [device, messages] of groupBy(effects.messages, (one) => one.device)) {
      const session = this.#byDevice.get(device);
      if (session === undefined) this.#elsewhere(messages.map((one) => one.message));
      for (const message of together(messages.map((one) => one.message))) session?.send(message);
      if (session !== undefined) this.#roomy.add(session);
    }
    this.#changed([...effects.jobs]);
    if (effects.undecided.length > 0) this.comparer.look().catch((error) => this.#unseen(error));
    for (const { job, leases, wanted, seen } of effects.reopened) this.#dispatcher.reopen(job, leases, wanted, seen);
    if (effects.judged.size > 0) this.#look([...effects.judged]).catch((error) => this.#unseen(error));
    this.#dispatcher.soon();
  }

  /** The device may be connected to another replica. */
  #elsewhere(messages: readonly CoordinatorMessage[]): void {
    for (const message of messages) {
      if (message.type === 'verdict') this.#context.replica.lease(message.verdict.leaseId);
      else if (message.type === 'cancel' || message.type === 'result-stored')
        this.#context.replica.lease(message.leaseId);
    }
  }

  /** Devices that are connected here, and copies of jobs in hand that wait for one. */
  get devices(): number {
    return this.#byDevice.size;
  }
  get readyCopies(): number {
    return this.#dispatcher.ready;
  }

  broadcast(message: CoordinatorMessage): void {
    for (const session of this.#byDevice.values()) session.send(message);
  }

  /** Takes back every lease whose deadline has passed, and gives up jobs that nobody did for too long. */
  async expire(): Promise<void> {
    const { db, options } = this.#context;
    const now = options.clock.now();
    await db.alone('expiry', () => this.#takeBack.run(now));
    if (await this.#context.replica.bury(now)) this.#context.changes.work();
    for (const session of this.#byDevice.values()) await session.prove();
    await this.#dispatcher.letGo(now);
    this.#dispatcher.woken();
  }

  /** What the network does for its own, and what is known by now of who is connected here. */
  async verify(): Promise<void> {
    await this.#house.keep();
    if (this.#verified++ % LOOK_EVERY === 0) await this.#look([...this.#byDevice.keys()]);
  }

  /** Seldom. */
  async tidy(): Promise<void> {
    await tidyHouse(this.#context);
  }

  async #look(devices: readonly Address[]): Promise<void> {
    const { db, verification } = this.#context;
    const here = devices.filter((device) => this.#byDevice.has(device));
    if (verification === null || here.length === 0) return;
    for (const [device, standing] of await standingsOf(db, here, verification.policy)) {
      const session = this.#byDevice.get(device);
      if (session !== undefined) session.standing = standing;
    }
  }

  /** Nobody new is taken, and no work is handed out any more: what was claimed is anybody's. Results are taken still. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#dispatcher.close();
  }

  /** Ends all sessions, each when what it has said is answered, and resolves when nothing is being handled any more. */
  async close(withinMs: number): Promise<void> {
    await this.drain();
    const open = [...this.#open];
    await Promise.all(open.map((session) => session.leave(withinMs)));
    await Promise.all(open.map((session) => session.ended()));
    // A verifier that does not heed it is not waited for: what it had in hand is found again.
    await within(withinMs, this.comparer.close());
    // Some of it may have come back meanwhile.
    await this.#dispatcher.close();
  }

  #offers() {
    const { options, verification } = this.#context;
    const now = options.clock.now();
    const offers = [...this.#roomy].flatMap((session) => {
      const offer = session.offer(now);
      if (offer === null) this.#roomy.delete(session);
      return offer ?? [];
    });
    if (verification === null) return offers;
    return offers.map((offer) => ({ ...offer, crowd: this.#crowd.of(offer) }));
  }

  #changed(jobIds: readonly Hex32[]): void {
    for (const jobId of jobIds) this.#context.changes.notify(jobId);
  }

  #join(session: Session, device: Address): void {
    const older = this.#byDevice.get(device);
    if (older !== undefined && older !== session) older.close(REPLACED);
    this.#byDevice.set(device, session);
  }
}

/** What the device is told is said here alone, or by the decision about its job. */
function whyCancelled(reason: string): LostBecause {
  if (reason === DEADLINE_PASSED) return 'deadline';
  if (reason.startsWith(WITHDRAWN)) return 'withdrawn';
  return reason === CANCELLED_BY_CONSUMER ? 'cancelled' : 'not-needed';
}

/** What many results are answered with, in two messages instead of two for each. */
function together(messages: readonly CoordinatorMessage[]): readonly CoordinatorMessage[] {
  const stored: Hex32[] = [];
  const verdicts: Verdict[] = [];
  const others: CoordinatorMessage[] = [];
  for (const message of messages) {
    if (message.type === 'result-stored') stored.push(message.leaseId);
    else if (message.type === 'verdict') verdicts.push(message.verdict);
    else others.push(message);
  }
  const [oneStored, oneVerdict] = [stored[0], verdicts[0]];
  return [
    ...(stored.length > 1
      ? [{ type: 'results-stored', leaseIds: stored } as const]
      : oneStored === undefined
        ? []
        : [{ type: 'result-stored', leaseId: oneStored } as const]),
    ...(verdicts.length > 1
      ? [{ type: 'verdicts', verdicts } as const]
      : oneVerdict === undefined
        ? []
        : [{ type: 'verdict', verdict: oneVerdict } as const]),
    ...others,
  ];
}
