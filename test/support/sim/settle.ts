import { account, move } from '../../../coordinator/ledger.ts';
import { afterValid, isTrusted } from '../../../coordinator/verification/trust.ts';
import { decideJob, type JobDecision, judgeItems, type ReportedLease } from '../../../coordinator/verify.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import type { ReportItem } from '../../../core/typed-data.ts';
import { simAccount } from './books.ts';
import { count, countCrowd, wantedBy } from './dispatch.ts';
import { accrue, closeRecheck, judge, mature, strike, takeBack } from './lanes.ts';
import {
  copiesOf,
  keyOf,
  MAX_ATTEMPTS,
  note,
  type Peer,
  type SimJob,
  type SimLease,
  type State,
  trustOf,
} from './model.ts';

/** What a result, a loss or a report changes. */

const AGREED_KEPT = 300;

function over(state: State, lease: SimLease): void {
  state.held.delete(lease);
  countCrowd(state, lease.peer, -1);
}

/** Answers whether the result was stored, now or before; a result of a lease that is gone is not. */
export function takeResult(state: State, peer: Peer, leaseId: Hex32, outputHash: Hex32): boolean {
  const lease = state.leases.get(leaseId);
  if (lease === undefined || lease.peer !== peer || lease.state === 'gone') return false;
  if (lease.state !== 'held') return lease.outputHash === outputHash;
  over(state, lease);
  lease.state = 'finished';
  lease.outputHash = outputHash;
  const { job } = lease;
  if (job.replicateLater) {
    job.replicateLater = false;
    job.replicas = 1;
  }
  decide(state, job);
  return true;
}

/** A lease that will bring no result. */
export function lose(state: State, lease: SimLease): void {
  if (lease.state !== 'held') return;
  over(state, lease);
  lease.state = 'gone';
  const { job, why } = lease;
  count(state.tally, lease, -1);
  if (why !== 'base') {
    state.books.post('copy lost', move(account.hold(job.jobId), simAccount.checks, job.workload.price));
    job.checksHeld -= job.workload.price;
  }
  decide(state, job);
}

function decide(state: State, job: SimJob): void {
  if (job.over) return;
  const decision = decideJob(copiesOf(job), job.replicas, MAX_ATTEMPTS, state.policy.dispute);
  if (decision.kind === 'open') {
    if (wantedBy(state, job) > 0) state.wanting.add(job);
    return;
  }
  state.wanting.delete(job);
  for (const lease of job.leases) {
    if (!decision.cancelled.includes(lease.leaseId)) continue;
    over(state, lease);
    lease.state = 'gone';
    count(state.tally, lease, -1);
  }
  conclude(state, job, decision);
}

const judged = (lease: SimLease, job: SimJob): boolean => lease.state === 'finished' && lease !== job.recheck;

function conclude(state: State, job: SimJob, decision: Exclude<JobDecision, { kind: 'open' }>): void {
  const suspect = job.recheck;
  const compared = decision.kind === 'settled' && job.replicas === 1;
  const accepted = new Set(decision.kind === 'settled' ? decision.accepted : []);
  const right = job.leases.filter((lease) => accepted.has(lease.leaseId));
  const struck: SimLease[] = [];
  job.over = true;
  for (const lease of job.leases.filter((one) => judged(one, job))) {
    if (accepted.has(lease.leaseId)) pay(state, lease, compared);
    else {
      lease.state = 'rejected';
      note(state, lease, decision.kind === 'failed' ? 'undecided' : 'outvoted');
    }
    if (compared && decision.rejected.includes(lease.leaseId)) struck.push(lease);
  }
  giveBack(state, job);
  if (decision.kind === 'failed') state.tally.undecided += 1;
  if (compared) {
    for (const lease of right) praise(state, lease, right);
    if (job.kind === 'work') remember(state, job, decision.outputHash);
  }
  if (suspect !== null) {
    closeRecheck(state, suspect);
    // Where nobody can say who was right, nobody is blamed.
    suspect.checked = true;
    if (compared && decision.rejected.includes(suspect.leaseId)) {
      takeBack(state, suspect);
      struck.push(suspect);
    } else judge(state, suspect.peer, job.workload.lane);
  }
  for (const lease of struck) strike(state, lease);
  for (const lease of job.leases) {
    if (lease.state !== 'accepted' && lease.state !== 'rejected') continue;
    const { peer, leaseId, state: verdict } = lease;
    peer.link.pass(() => peer.inbox.verdict(leaseId, verdict === 'accepted'));
  }
}

/** The consumer pays for one copy, the network for what it wanted besides. */
function pay(state: State, lease: SimLease, checked: boolean): void {
  const { job } = lease;
  const { price } = job.workload;
  if (job.consumer !== null && job.consumerHeld >= price) {
    job.consumerHeld -= price;
    accrue(state, lease, account.deposit(job.consumer), checked);
  } else {
    job.checksHeld -= price;
    accrue(state, lease, simAccount.checks, checked);
  }
}

function giveBack(state: State, job: SimJob): void {
  const { consumer, consumerHeld, checksHeld, jobId } = job;
  if (consumer !== null && consumerHeld > 0n) {
    state.books.post('refund', move(account.hold(jobId), account.deposit(consumer), consumerHeld));
  }
  if (checksHeld > 0n) state.books.post('refund of checks', move(account.hold(jobId), simAccount.checks, checksHeld));
  job.consumerHeld = 0n;
  job.checksHeld = 0n;
}

function praise(state: State, lease: SimLease, right: readonly SimLease[]): void {
  const { peer, job } = lease;
  state.conduct.add(peer.device, peer, state.timeline.now, false);
  // A canary is a check, but nobody else worked for it; and what was verified again lies before the bad result.
  if (job.kind === 'canary' || lease.mature || lease === job.recheck) return;
  const key = keyOf(job.workload);
  const partners = right.filter((other) => other !== lease).map((other) => other.peer);
  const trust = afterValid(trustOf(peer, key), partners, state.policy);
  peer.trust.set(key, trust);
  if (!isTrusted(trust, state.policy)) return;
  peer.trustedWith.add(key);
  peer.graduated.add(key);
}

/** Keeps the job as a canary for those who never saw it. */
function remember(state: State, job: SimJob, outputHash: Hex32): void {
  const key = keyOf(job.workload);
  const kept = state.agreed.get(key) ?? [];
  const { jobId, input, workload } = job;
  const seenBy = job.leases.map(({ peer: { owner, network } }) => ({ owner, network }));
  kept.push({ jobId, input, outputHash, kept: workload, workload: workload.id, image: workload.image, seenBy });
  if (kept.length > AGREED_KEPT) kept.shift();
  state.agreed.set(key, kept);
}

/** Credits a report's items; the same report again gets the same answer and changes nothing. */
export function takeReport(state: State, peer: Peer, sequence: number, items: readonly ReportItem[]): readonly Hex32[] {
  if (peer.lastReport !== null && sequence <= peer.lastReport.sequence) {
    return sequence === peer.lastReport.sequence ? peer.lastReport.credited : [];
  }
  const known = new Map<Hex32, ReportedLease>();
  for (const { leaseId } of items) {
    const lease = state.leases.get(leaseId);
    if (lease === undefined) continue;
    const { state: now, outputHash, credited, job } = lease;
    known.set(leaseId, {
      leaseId,
      device: lease.peer.device,
      state: now,
      outputHash,
      price: job.workload.price,
      credited,
    });
  }
  const credited: Hex32[] = [];
  for (const outcome of judgeItems(peer.device, items, known)) {
    const lease = state.leases.get(outcome.leaseId);
    if (outcome.kind !== 'credited' || lease === undefined) continue;
    const { jobId } = lease.job;
    state.books.post('receipt', move(account.hold(jobId), simAccount.pending(peer.owner), outcome.amount));
    lease.credited = true;
    credited.push(outcome.leaseId);
  }
  peer.lastReport = { sequence, credited };
  mature(state, peer);
  return credited;
}
