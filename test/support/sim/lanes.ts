import { account, move } from '../../../coordinator/ledger.ts';
import { type Credit, isMature, judgeLane, refundsOf, stakeOf } from '../../../coordinator/verification/maturity.ts';
import { afterBad, restsUntil } from '../../../coordinator/verification/trust.ts';
import type { Lane } from '../../../core/primitives.ts';
import { simAccount } from './books.ts';
import {
  isRight,
  keyOf,
  type LaneBook,
  type Losses,
  laneOf,
  note,
  type Peer,
  type SimLease,
  type State,
} from './model.ts';

/** Credit that is not mature: how it becomes so, and how it is lost. */

const creditOf = (lease: SimLease): Credit => ({
  leaseId: lease.leaseId,
  amount: lease.job.workload.price,
  payer: lease.payer ?? '',
  acceptedAt: lease.acceptedAt,
  ordinal: lease.ordinal,
  checked: lease.checked,
  checking: lease.checking,
});

export function accrue(state: State, lease: SimLease, payer: string, checked: boolean): void {
  const lane = laneOf(lease.peer, lease.job.workload.lane);
  lane.latest += 1;
  Object.assign(lease, { state: 'accepted', payer, checked, acceptedAt: state.timeline.now, ordinal: lane.latest });
  lane.credits.push(lease);
  lane.stake += lease.job.workload.price;
}

const whereItLies = (lease: SimLease): string =>
  lease.credited ? simAccount.pending(lease.peer.owner) : account.hold(lease.job.jobId);

/** Pays out what is mature, oldest first: an older one is never younger in days nor in jobs. */
export function mature(state: State, peer: Peer): void {
  for (const lane of peer.lanes.values()) {
    if (lane.suspicion !== null) continue;
    const { bond } = state.policy.maturity;
    const bonds = lane.credits.filter((lease) => lease.ordinal <= bond);
    const kept: SimLease[] = [];
    let count = 0;
    for (const lease of lane.credits) {
      if (!lease.credited || !isMature(creditOf(lease), lane.latest, state.timeline.now, state.policy)) {
        if (!bonds.includes(lease)) break;
        kept.push(lease);
        count += 1;
        continue;
      }
      const { price } = lease.job.workload;
      state.books.post('maturity', move(simAccount.pending(peer.owner), account.credited(peer.owner), price));
      lease.mature = true;
      // Nobody can say anything of it that would still count.
      state.leases.delete(lease.leaseId);
      state.tally.paid += 1;
      if (!isRight(lease)) state.tally.paidWrong += 1;
      lane.stake -= price;
      count += 1;
    }
    lane.credits.splice(0, count, ...kept);
  }
}

/** Takes one credit back: a recheck showed that its output was wrong. */
export function takeBack(state: State, lease: SimLease): void {
  const lane = laneOf(lease.peer, lease.job.workload.lane);
  const at = lane.credits.indexOf(lease);
  if (at < 0) return;
  lane.credits.splice(at, 1);
  refund(state, lane, [lease], 'outvoted');
}

function refund(state: State, lane: LaneBook, leases: readonly SimLease[], why: keyof Losses): void {
  const byPlace = new Map<string, SimLease[]>();
  for (const lease of leases) {
    const place = whereItLies(lease);
    byPlace.set(place, [...(byPlace.get(place) ?? []), lease]);
    lane.stake -= lease.job.workload.price;
    lease.state = 'rejected';
    note(state, lease, why);
  }
  for (const [place, lost] of byPlace) {
    for (const [payer, amount] of refundsOf(lost.map(creditOf))) {
      state.books.post('claw-back', move(place, payer, amount));
    }
  }
}

/** One bad result: trust is gone, and the lane is held until it is judged. */
export function strike(state: State, lease: SimLease): void {
  const { peer, job } = lease;
  const key = keyOf(job.workload);
  peer.trust.set(key, afterBad());
  peer.trustedWith.delete(key);
  state.conduct.add(peer.device, peer, state.timeline.now, true);
  const [conduct] = state.conduct.of(peer.device, peer, state.timeline.now, state.policy);
  if (conduct !== undefined) {
    peer.restUntil = Math.max(peer.restUntil, restsUntil(conduct, state.timeline.now, state.policy));
  }
  if (!state.clawBack) return;
  const lane = laneOf(peer, job.workload.lane);
  lane.suspicion ??= lease.leaseId;
  judge(state, peer, job.workload.lane);
}

/** Asks the rule what becomes of a held lane, and does it. */
export function judge(state: State, peer: Peer, name: Lane): void {
  const lane = laneOf(peer, name);
  if (lane.suspicion === null) return;
  const conducts = state.conduct.of(peer.device, peer, state.timeline.now, state.policy);
  const verdict = judgeLane(state.secret, lane.suspicion, lane.credits.map(creditOf), conducts, state.policy);
  if (verdict.kind === 'recheck') {
    for (const leaseId of verdict.leases) openRecheck(state, leaseId);
    return;
  }
  lane.suspicion = null;
  if (verdict.kind === 'release') {
    state.tally.releases += 1;
    return;
  }
  state.tally.forfeits += 1;
  const lost = lane.credits.splice(0);
  refund(state, lane, lost, 'forfeited');
  for (const lease of lost) if (lease.checking && !isUnderWay(lease)) closeRecheck(state, lease);
}

/** Whether somebody works, or has worked, on its check: that is seen through and paid. */
const isUnderWay = (suspect: SimLease): boolean =>
  suspect.job.leases.some((lease) => lease !== suspect && (lease.state === 'held' || lease.state === 'finished'));

function openRecheck(state: State, leaseId: SimLease['leaseId']): void {
  const lease = state.leases.get(leaseId);
  if (lease === undefined || lease.checking) return;
  lease.checking = true;
  lease.job.recheck = lease;
  lease.job.over = false;
  lease.job.replicas = 1;
  state.wanting.add(lease.job);
}

export function closeRecheck(state: State, lease: SimLease): void {
  const { job } = lease;
  lease.checking = false;
  job.recheck = null;
  job.over = true;
  state.wanting.delete(job);
  if (job.checksHeld > 0n) {
    state.books.post('recheck called off', move(account.hold(job.jobId), simAccount.checks, job.checksHeld));
    job.checksHeld = 0n;
  }
}

/** The running sum is what the rule would add up. */
export function auditLane(lane: LaneBook): void {
  const stake = stakeOf(lane.credits.map(creditOf));
  if (stake !== lane.stake) throw new Error(`a lane's stake is ${stake} and was kept as ${lane.stake}`);
}
