import { randomBytes } from 'node:crypto';
import type { Address, Hex32 } from '../core/primitives.ts';
import type { CoordinatorMessage } from '../core/wire.ts';
import type { Context } from './context.ts';
import { agedJobs, insertLease, leaseMessage, lockJob, openJobs, overdue } from './jobs.ts';
import { Session, type Socket } from './session.ts';
import { decide, type Effects, noEffects, settleAge, settleLoss } from './settle.ts';
import { decideJob, match } from './verify.ts';

/** Open jobs looked at in one round of handing out. */
const ROUND = 200;
const HELLO_WITHIN_MS = 10_000;

/** All connected devices, and the work that is handed out to them. */
export class Sessions {
  readonly #context: Context;
  readonly #open = new Set<Session>();
  readonly #byDevice = new Map<Address, Session>();
  #round: Promise<void> = Promise.resolve();
  #roundWaiting = false;
  #closed = false;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Begins a session on a new connection; the caller feeds it messages and says when the connection has ended. */
  connect(socket: Socket): { readonly receive: (text: string) => void; readonly ended: () => void } {
    const session = new Session(
      this.#context,
      {
        joined: (joined, device) => this.#join(joined, device),
        apply: (effects) => this.apply(effects),
        ready: () => this.dispatch(),
      },
      socket,
    );
    this.#open.add(session);
    // The books are being closed behind it: nothing more may be handled.
    if (this.#closed) session.close('the coordinator is going down');
    const timer = setTimeout(() => session.joined || session.close('no hello'), HELLO_WITHIN_MS);
    return {
      receive: (text) => session.receive(text),
      ended: () => {
        clearTimeout(timer);
        for (const [device, current] of this.#byDevice) if (current === session) this.#byDevice.delete(device);
        session
          .ended()
          .finally(() => this.#open.delete(session))
          .catch(() => undefined);
      },
    };
  }

  /** Tells what a committed transaction changed, then hands out what became free. */
  apply(effects: Effects): void {
    for (const { device, message } of effects.messages) this.#byDevice.get(device)?.send(message);
    for (const jobId of effects.jobs) this.#context.changes.notify(jobId);
    if (effects.jobs.size > 0) this.dispatch();
  }

  broadcast(message: CoordinatorMessage): void {
    for (const session of this.#byDevice.values()) session.send(message);
  }

  /** Hands out work soon; calls that come while a round waits to start are one. */
  dispatch(): void {
    if (this.#roundWaiting || this.#closed) return;
    this.#roundWaiting = true;
    this.#round = this.#round.then(async () => {
      this.#roundWaiting = false;
      if (this.#closed) return;
      try {
        await this.#handOut();
      } catch (error) {
        this.#context.options.log('error', 'dispatch-failed', { message: String(error) });
      }
    });
  }

  /** Takes back every lease whose deadline has passed, and gives up jobs that nobody did for too long. */
  async expire(): Promise<void> {
    const { db, options } = this.#context;
    const now = options.clock.now();
    for (const lease of await overdue(db, now)) {
      const effects = await db.tx((sql) => settleLoss(sql, lease, 'the deadline passed', 'attempt', options, now));
      // Its result came in the meantime: a cancellation would make the device throw away what it is owed.
      if (effects.jobs.size === 0) continue;
      const { lease_id: leaseId, device } = lease;
      effects.messages.push({ device, message: { type: 'cancel', leaseId, reason: 'the deadline passed' } });
      options.log('info', 'lease-expired', { leaseId, device });
      this.apply(effects);
    }
    for (const jobId of await agedJobs(db, now - options.keepJobsMs)) {
      const effects = await db.tx((sql) => settleAge(sql, jobId, now));
      if (effects.jobs.size > 0) options.log('info', 'job-given-up', { jobId });
      this.apply(effects);
    }
    this.dispatch();
  }

  /** Ends all sessions and resolves when nothing is being handled any more. */
  async close(): Promise<void> {
    this.#closed = true;
    const open = [...this.#open];
    for (const session of open) session.close('the coordinator is going down');
    await Promise.all(open.map((session) => session.ended()));
    await this.#round;
  }

  #join(session: Session, device: Address): void {
    const older = this.#byDevice.get(device);
    if (older !== undefined && older !== session) older.close('replaced by a newer session');
    this.#byDevice.set(device, session);
  }

  async #handOut(): Promise<void> {
    const { db, options } = this.#context;
    const now = options.clock.now();
    const offers = [...this.#byDevice.values()].flatMap((session) => session.offer(now) ?? []);
    if (!offers.some((offer) => Object.values(offer.slots).some((slots) => slots > 0))) return;

    const deadline = now + options.leaseMs;
    const handed: { readonly device: Address; readonly message: Extract<CoordinatorMessage, { type: 'lease' }> }[] = [];
    const effects = noEffects();
    await db.tx(async (sql) => {
      const open = await openJobs(sql, offers, ROUND, options.maxAttempts);
      const needs = open.flatMap(({ job, copies, need }) => {
        const decision = decideJob(copies, job.replicas, options.maxAttempts);
        return decision.kind === 'open' && decision.wanted > 0 ? [{ ...need, wanted: decision.wanted }] : [];
      });
      for (const { jobId, device, owner } of match(needs, offers)) {
        const leaseId: Hex32 = `0x${randomBytes(32).toString('hex')}`;
        const job = await lockJob(sql, jobId);
        await insertLease(sql, { leaseId, jobId, device, owner }, now, deadline);
        await decide(sql, job, options, now, effects);
        handed.push({ device, message: { type: 'lease', lease: leaseMessage(job, leaseId, deadline) } });
      }
    });
    for (const { device, message } of handed) {
      this.#byDevice.get(device)?.lease(message);
      options.log('debug', 'lease', { leaseId: message.lease.leaseId, jobId: message.lease.jobId, device });
    }
    for (const jobId of effects.jobs) this.#context.changes.notify(jobId);
  }
}
