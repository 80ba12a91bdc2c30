import { randomBytes } from 'node:crypto';
import { asFailure, type ErrorCode, fail, isFailure } from '../core/errors.ts';
import {
  type Address,
  type Hex32,
  LANES,
  type Lane,
  perLane,
  type Signature,
  sameAddress,
} from '../core/primitives.ts';
import type { ResultItem, Struct } from '../core/typed-data.ts';
import { type CoordinatorMessage, type DeviceMessage, encodeWire } from '../core/wire.ts';
import { Awaited } from './awaited.ts';
import type { Context } from './context.ts';
import { keysOf, lossOf, parse, subjectOf, whyDeclined } from './device-messages.ts';
import { requireDevice } from './devices.ts';
import type { Given } from './dispatch.ts';
import { GpuLane } from './gpu-lane.ts';
import { Intake } from './intake.ts';
import { leasesMessage } from './jobs.ts';
import { resultsHashBy } from './keccak.ts';
import { LONGEST_LEASE_MS, raiseProgress, renewLeases, requireLease } from './leases.ts';
import type { Offer } from './matching.ts';
import type { Peer } from './peer.ts';
import { resume, rulesOf } from './results.ts';
import type { SessionHost, Socket } from './session-host.ts';
import { settle } from './settle.ts';
import { Slots } from './slots.ts';
import { NO_STANDING, type Standing, standingOf } from './standing.ts';
import { within } from './timer.ts';

type Hello = Extract<DeviceMessage, { type: 'hello' }>;

const POLICY_VIOLATION = 1008;
/** RFC 6455's registry: the service restarts, and who comes back should wait a random while. */
const SERVICE_RESTART = 1012;
const MAX_MALFORMED = 20;
/** After a decline the device is left alone in that lane for this long, or the same job would go back and forth. */
const REST_AFTER_DECLINE_MS = 1_000;
/** Also what an older session hears that ends because of one at another replica. */
export const REPLACED = 'replaced by a newer session';

/** One device's connection. Messages are handled one after the other, in the order they came. */
export class Session {
  readonly #context: Context;
  readonly #host: SessionHost;
  readonly #socket: Socket;
  readonly #nonce: Hex32 = `0x${randomBytes(32).toString('hex')}`;
  readonly #stated: Record<Lane, number> = { ...perLane(() => 0) };
  readonly #restUntil: Record<Lane, number> = { ...perLane(() => 0) };
  /** Leases sent after the device last stated its level, or about to be, and not yet over. */
  readonly #sent = new Slots();
  #rttMs: number | null = null;
  #peer: Peer | null = null;
  #open = true;
  #leaving = false;
  /** What concerns a device between its hello and its welcome waits here: nothing may overtake the welcome. */
  #waiting: CoordinatorMessage[] | null = null;
  #malformed = 0;
  /** Of the sessions of its device, here and at other replicas, the one with the highest number is its newest. */
  #number: number | null = null;
  readonly awaited = new Awaited();
  readonly #gpu: GpuLane;
  readonly #intake: Intake;

  /** What the books remember of its device; a rest of it is kept. */
  standing: Standing = NO_STANDING;
  readonly #network: string | null;

  constructor(context: Context, host: SessionHost, socket: Socket, network: string | null = null) {
    this.#context = context;
    this.#network = network;
    this.#host = host;
    this.#socket = socket;
    this.#gpu = new GpuLane(context, host.proving, (message) => this.send(message));
    this.#intake = new Intake(
      (text) => this.#handle(text),
      (paused) => socket.pause(paused),
    );
    this.send({ type: 'challenge', nonce: this.#nonce, networkId: context.networkId });
  }

  /** Who stands behind it; null before its hello. */
  get party(): Peer | null {
    return this.#peer;
  }

  /** Whether the device knows where it stands. */
  get welcomed(): boolean {
    return this.#open && this.#number !== null && this.#waiting === null;
  }

  endIfOlderThan(number: number): void {
    if (this.#number !== null && this.#number < number) this.close(REPLACED);
  }

  send(message: CoordinatorMessage): void {
    this.awaited.told(message, this.#context.options.clock.now());
    if (this.#waiting !== null) this.#waiting.push(message);
    else if (this.#open) this.#socket.send(encodeWire(message));
  }

  /** A lease that is being written takes one of the slots the device stated, also when it states them anew meanwhile. */
  reserve(leaseId: Hex32, lane: Lane): void {
    this.#sent.take(leaseId, lane, true);
  }
  unreserve(leaseId: Hex32): void {
    this.#sent.free(leaseId);
  }

  /** Hands out leases that were reserved and are written now. */
  lease(given: readonly Given[]): void {
    const leases = given.map(({ message }) => message);
    for (const { leaseId, lane } of leases) this.#sent.take(leaseId, lane, false);
    this.send(leasesMessage(leases));
    this.awaited.know(given);
  }

  measured(rttMs: number): void {
    this.#rttMs = rttMs;
  }

  /** What it would take now; null: nothing, and nothing until it says so. */
  offer(now: number): Offer | null {
    if (this.#peer === null || !this.#open || this.#leaving) return null;
    const room = perLane((lane) => Math.max(0, this.#stated[lane] - this.#sent.count(lane)));
    if (!LANES.some((lane) => room[lane] > 0)) return null;
    const { restUntil, trustedWith } = this.standing;
    const rests = (lane: Lane) =>
      Math.max(restUntil, this.#restUntil[lane]) > now || (lane === 'gpu' && !this.#gpu.served);
    const slots = perLane((lane) => (rests(lane) ? 0 : room[lane]));
    const multiplicationsPerSecond = this.#gpu.multiplicationsPerSecond(now);
    return { ...this.#peer, slots, rttMs: this.#rttMs, trustedWith, multiplicationsPerSecond };
  }

  /** Proofs of its GPU that are due or late. */
  async prove(): Promise<void> {
    if (this.#peer === null || !this.#open) return;
    await this.#gpu.consider({ room: this.#stated.gpu > 0, workloads: this.#peer.workloads });
  }

  close(reason: string, code = POLICY_VIOLATION): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.close(code, reason);
  }

  /** Whose it is: the device and its owner. */
  get who(): readonly Address[] {
    return this.#peer === null ? [] : [this.#peer.device, this.#peer.owner];
  }

  /** It is not wanted any more, and is told so. */
  dismiss(why: string): void {
    this.#refuse('REFUSED', `banned from this network: ${why}`, null);
    this.close('banned');
  }

  /** Nothing more is taken from it; what it has sent is answered first, if that does not take longer. */
  async leave(withinMs: number): Promise<void> {
    this.#leaving = true;
    await within(withinMs, this.#intake.settled());
    this.close('the coordinator is going down; another may be there', SERVICE_RESTART);
  }

  /** The connection is gone; leases live on until their deadline. Resolves when the last message is handled. */
  async ended(): Promise<void> {
    this.#open = false;
    await this.#intake.settled();
  }

  receive(text: string): void {
    if (!this.#open || this.#leaving || this.#intake.take(text, this.#context.options.clock.now())) return;
    this.close('too many messages at once');
  }

  #refuse(code: ErrorCode, message: string, about: Hex32 | null): void {
    this.send({ type: 'error', code, message: message.slice(0, 500), about });
  }

  async #handle(text: string): Promise<void> {
    if (!this.#open) return;
    const message = parse(text);
    if (message === null) {
      this.#malformed += 1;
      this.#refuse('BAD_INPUT', 'not a message of this protocol; nothing was changed', null);
      if (this.#malformed >= MAX_MALFORMED) this.close('too many malformed messages');
      return;
    }
    const about = subjectOf(message);
    try {
      await (message.type === 'hello' ? this.#hello(message) : this.#act(message));
    } catch (error) {
      const failure = asFailure(error);
      const internal = failure.code === 'INTERNAL';
      // Nothing was acknowledged, so the device sends it again when it is back.
      if (failure.code === 'DATABASE_AWAY') return this.close('the database is away; come back in a moment');
      const fields = { type: message.type, code: failure.code, message: failure.message };
      this.#context.options.log(internal ? 'error' : 'warn', 'session-refused', fields);
      this.#refuse(failure.code, internal ? 'internal error; try again later' : failure.message, about);
      if (message.type === 'hello' || isFailure(error, 'UNAUTHORISED')) this.close('not authorised');
    }
  }

  async #hello(message: Hello): Promise<void> {
    if (this.#peer !== null) fail('CONFLICT', 'this session has had its hello');
    const { db, checks, networkId, tokens, options } = this.#context;
    const { value, signature } = message;
    if (value.networkId !== networkId) fail('UNAUTHORISED', 'the hello is for another network');
    if (value.nonce !== this.#nonce) fail('UNAUTHORISED', 'the hello answers another challenge');
    // All strangers together have the turns of one peer.
    await checks.check(checks, 'Session', value, signature, value.device);
    const now = options.clock.now();
    const { device, owner } = await requireDevice(db, value.device, now);
    this.#peer = {
      device,
      owner,
      workloads: keysOf(message.workloads),
      machine: message.machine ?? null,
      network: this.#network,
    };
    this.standing = await standingOf(this.#context, device);
    const waiting: CoordinatorMessage[] = [];
    this.#waiting = waiting;
    this.#host.joined(this, device);
    this.awaited.expect(message.leases, now);
    this.#number = await this.#context.replica.arrived(device);
    const resumed = await resume(this.#context, device, message.leases);
    this.#waiting = null;
    this.send({
      type: 'welcome',
      owner,
      token: tokens.grant(device, 'device', now).token,
      leases: [...resumed.held],
      lastReport: resumed.lastReport,
    });
    for (const early of waiting) this.send(early);
    this.#host.apply(resumed.effects);
    await this.#host.lending.joined(this.#peer);
    options.log('info', 'device-joined', { device, owner, agent: message.agent, leases: resumed.held.length });
  }

  async #act(message: Exclude<DeviceMessage, Hello>): Promise<void> {
    const peer = this.#peer ?? fail('UNAUTHORISED', 'say hello first');
    const { db, options } = this.#context;
    const now = options.clock.now();
    switch (message.type) {
      case 'ready':
        if (message.lane === 'gpu' && message.slots > 0) await this.#gpu.begin(peer.device);
        this.#stated[message.lane] = message.slots;
        this.#sent.restated(message.lane);
        if (message.lane === 'gpu') await this.prove();
        return this.#host.ready(this);
      case 'workloads':
        this.#peer = { ...peer, workloads: keysOf(message.workloads) };
        return this.#host.ready(this);
      case 'decline': {
        const lease = await requireLease(db, peer.device, message.leaseId);
        const lane = this.#sent.free(lease.lease_id);
        if (lane !== null) this.#restUntil[lane] = now + REST_AFTER_DECLINE_MS;
        this.awaited.over(lease.lease_id);
        const why = whyDeclined(message);
        const lost = { kind: 'loss', leaseId: lease.lease_id, why, loss: lossOf(message.reason) } as const;
        this.#context.metrics.lost('declined');
        return this.#host.apply(await db.tx((sql) => settle(sql, [lost], rulesOf(this.#context), now)));
      }
      case 'renew': {
        const longest = options.longestLeaseMs ?? LONGEST_LEASE_MS;
        const leases = await renewLeases(db, peer.device, message.leaseIds, now + options.leaseMs, longest);
        if (leases.length > 0) this.send({ type: 'renewed', leases: [...leases] });
        return;
      }
      case 'progress': {
        const jobId = await raiseProgress(db, message.leaseId, peer.device, message.progress);
        if (jobId === null) await requireLease(db, peer.device, message.leaseId);
        else this.#host.progressed(jobId);
        return;
      }
      case 'result': {
        const { device: _device, ...value } = message.value;
        return await this.#results(peer, 'Result', message.value, message.signature, [value]);
      }
      case 'results': {
        const { value, results } = message;
        if (
          value.resultsHash !== resultsHashBy(this.#context.keccak, results) ||
          value.resultCount !== results.length
        ) {
          fail('BAD_INPUT', 'the signature is for other results than the ones sent with it');
        }
        return await this.#results(peer, 'Results', value, message.signature, results);
      }
      case 'report':
        return await this.#report(peer, message);
      case 'gpu-setup':
      case 'gpu-commitment':
      case 'gpu-opened':
      case 'gpu-declined':
        await this.#gpu.act(message, peer.device);
        await this.prove();
        return this.#host.ready(this);
      default:
        return await this.#host.lending.heard(peer, message);
    }
  }

  async #results<N extends 'Result' | 'Results'>(
    peer: Peer,
    name: N,
    value: Struct<N>,
    signature: Signature,
    results: readonly ResultItem[],
  ): Promise<void> {
    if (!sameAddress(value.device, peer.device)) fail('NOT_FOUND', 'the device has no such lease');
    const digest = await this.#context.checks.check(this, name, value, signature, peer.device);
    const batch = name === 'Results' ? digest : null;
    const soles = results.map(({ leaseId }) => this.awaited.soleOf(leaseId));
    const effects = await this.#host.deliver({ device: peer.device, results, soles, signature, batch });
    for (const { leaseId } of results) this.#sent.free(leaseId);
    this.#host.apply(effects);
  }

  async #report(peer: Peer, message: Extract<DeviceMessage, { type: 'report' }>): Promise<void> {
    const { value } = message;
    if (!sameAddress(value.device, peer.device) || !sameAddress(value.owner, peer.owner)) {
      fail('UNAUTHORISED', 'the report is of another device or owner');
    }
    await this.#context.checks.check(this, 'Report', value, message.signature, peer.device);
    const answer = await this.#host.report(message);
    if (answer.kind === 'refused') throw answer.failure;
    this.#context.metrics.reported(answer.kind);
    if (answer.kind === 'receipt') return this.send(answer.message);
    this.#context.options.log('error', 'report-fork', { device: peer.device, sequence: answer.sequence });
    this.#refuse(
      'CONFLICT',
      `two different reports carry the sequence ${answer.sequence}; the device is blocked`,
      null,
    );
    this.close('blocked');
  }
}
