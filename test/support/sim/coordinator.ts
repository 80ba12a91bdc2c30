import { account, move } from '../../../coordinator/ledger.ts';
import type { VerificationPolicy } from '../../../coordinator/verification/policy.ts';
import { isTrusted } from '../../../coordinator/verification/trust.ts';
import type { Address, Hex32 } from '../../../core/primitives.ts';
import type { ReportItem } from '../../../core/typed-data.ts';
import { simAccount } from './books.ts';
import { handOut } from './dispatch.ts';
import { auditLane, mature } from './lanes.ts';
import { keyOf, newState, type Peer, type SimJob, type State, trustOf, type Workload } from './model.ts';
import type { Random } from './random.ts';
import { lose, takeReport, takeResult } from './settle.ts';
import type { Timeline } from './timeline.ts';

/** A coordinator in memory: its rules are the real ones, its rows are objects, and its time is virtual. */

const HOUR_MS = 3_600_000;
const FORGET_AFTER_MS = 20 * 86_400_000;
/** Of each job's price: what the checks cost. */
const FEE_PERCENT = 5n;
const CONSUMER: Address = `0x${'c'.repeat(40)}`;

export type Setting = {
  readonly policy: VerificationPolicy;
  readonly clawBack: boolean;
  readonly workloads: readonly Workload[];
  /** Jobs ordered per hour; null: always more than the devices can do. */
  readonly jobsPerHour: number | null;
  /** How often work is handed out. */
  readonly roundMs: number;
};

export class SimCoordinator {
  readonly state: State;
  readonly #setting: Setting;
  readonly #random: Random;
  #round = 0;
  #ordered = 0;
  readonly #started: number;

  constructor(setting: Setting, timeline: Timeline, random: Random) {
    this.#setting = setting;
    this.#random = random;
    this.#started = timeline.now;
    const secret = random.id();
    const funds = 10n ** 12n * (setting.workloads[0]?.price ?? 1n);
    this.state = newState({ policy: setting.policy, clawBack: setting.clawBack, secret, timeline, random }, funds);
    timeline.every(setting.roundMs, setting.roundMs, () => this.#turn());
    timeline.every(HOUR_MS, HOUR_MS, () => this.#hourly());
    timeline.every(24 * HOUR_MS, 24 * HOUR_MS, () => this.#daily());
  }

  join(peer: Peer): void {
    this.state.peers.set(peer.device, peer);
  }

  /** No more work is ordered; what is under way is finished, checked and paid. */
  closeOrders(): void {
    this.state.ordering = false;
  }

  isTrusted(peer: Peer, workload: Workload): boolean {
    return isTrusted(trustOf(peer, keyOf(workload)), this.state.policy);
  }

  ready(peer: Peer, slots: number): void {
    peer.stated = slots;
    peer.sent.clear();
  }

  result(peer: Peer, leaseId: Hex32, outputHash: Hex32): void {
    if (takeResult(this.state, peer, leaseId, outputHash)) peer.link.pass(() => peer.inbox.stored(leaseId));
    else peer.link.pass(() => peer.inbox.verdict(leaseId, false));
  }

  decline(peer: Peer, leaseId: Hex32): void {
    const lease = this.state.leases.get(leaseId);
    if (lease?.peer !== peer) return;
    // It is full, or does not want: it says so when that changes.
    peer.stated = 0;
    lose(this.state, lease);
  }

  /** A device that has not heard asks. */
  ask(peer: Peer, leaseIds: readonly Hex32[]): void {
    for (const leaseId of leaseIds) {
      const lease = this.state.leases.get(leaseId);
      const [accepted, rejected] = [lease?.state === 'accepted', lease === undefined || lease.state === 'rejected'];
      if (accepted || rejected) peer.link.pass(() => peer.inbox.verdict(leaseId, accepted));
    }
  }

  report(peer: Peer, sequence: number, items: readonly ReportItem[]): void {
    const credited = takeReport(this.state, peer, sequence, items);
    peer.link.pass(() => peer.inbox.receipt(sequence, credited));
  }

  #turn(): void {
    handOut(this.state, this.#round++, () => this.#order());
  }

  /** A consumer's order: its price is held, and the fee that pays for checks is taken. */
  #order(): SimJob | null {
    const { timeline, books } = this.state;
    const { jobsPerHour, workloads } = this.#setting;
    if (!this.state.ordering) return null;
    if (jobsPerHour !== null && this.#ordered >= ((timeline.now - this.#started) / HOUR_MS) * jobsPerHour) return null;
    this.#ordered += 1;
    const workload = workloads[this.#random.below(workloads.length)];
    if (workload === undefined) return null;
    const [jobId, input, fee] = [this.#random.id(), this.#random.id(), (workload.price * FEE_PERCENT) / 100n];
    const deposit = account.deposit(CONSUMER);
    const cost = workload.price + fee;
    if (books.balance(deposit) < cost) books.post('deposit', move('external', deposit, 1000n * cost));
    const shares = [
      { account: account.hold(jobId), amount: workload.price },
      { account: simAccount.checks, amount: fee },
    ];
    books.post('order', [{ account: deposit, amount: -cost }, ...shares]);
    return {
      ...{ jobId, input, workload, kind: 'work', consumer: CONSUMER, leases: [], known: [], seenBefore: [] },
      ...{ replicas: 0, replicateLater: false, recheck: null, over: false },
      ...{ consumerHeld: workload.price, checksHeld: 0n },
    };
  }

  #hourly(): void {
    const { timeline, held, leases, peers } = this.state;
    for (const lease of [...held]) if (lease.deadline < timeline.now) lose(this.state, lease);
    for (const peer of peers.values()) mature(this.state, peer);
    for (const [leaseId, lease] of leases) {
      if (lease.deadline > timeline.now - FORGET_AFTER_MS) break;
      leases.delete(leaseId);
    }
  }

  #daily(): void {
    this.state.books.audit();
    for (const { lanes } of this.state.peers.values()) for (const lane of lanes.values()) auditLane(lane);
  }
}
