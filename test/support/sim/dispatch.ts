import { account, move } from '../../../coordinator/ledger.ts';
import { inTurn, isSecondChoice, mayTake, type Need, type Offer } from '../../../coordinator/matching.ts';
import { ReadyWork, type Waiting } from '../../../coordinator/ready.ts';
import { canaryJobId, drawCanary, isCanary } from '../../../coordinator/verification/canaries.ts';
import {
  countAsOne,
  isReplicated,
  isTrusted,
  type Party,
  replicationChance,
} from '../../../coordinator/verification/trust.ts';
import { inLots } from '../../../coordinator/verification/turns.ts';
import { type Copy, decideJob } from '../../../coordinator/verify.ts';
import { type Address, type Hex32, LANES, perLane } from '../../../core/primitives.ts';
import { simAccount } from './books.ts';
import {
  type Agreed,
  copiesOf,
  keyOf,
  laneOf,
  MAX_ATTEMPTS,
  type Peer,
  type SimJob,
  type SimLease,
  type State,
  trustOf,
  type Why,
} from './model.ts';

/** Handing out: what is asked for more than once first, then new work, each with the very rules of the coordinator. */

const LEASE_MS = 6 * 3_600_000;
const NOBODY: ReadonlySet<Address> = new Set();

/** Parties that had the job, and so get no further copy; who lost a lease of it may be asked again. */
const partiesOf = (job: SimJob): readonly Party[] => [
  ...job.seenBefore,
  ...job.leases.filter((lease) => lease.state !== 'gone' || lease === job.recheck).map((lease) => lease.peer),
];

/** A copy that waits for a device. */
type Entry = Waiting & {
  readonly job: SimJob;
  readonly need: Need & { readonly owners: Set<Address>; readonly networks: Set<string> };
};

const NO_DEMAND = { memoryBytes: 0, diskBytes: 0, vramBytes: 0 };
/** What is asked for again goes before what is new. */
const AGAIN = 9;

function entryOf(job: SimJob): Entry {
  const parties = partiesOf(job);
  const { lane, price } = job.workload;
  const key = keyOf(job.workload);
  const begun = job.leases.length > 0;
  return {
    ...{ job, jobId: job.jobId, consumer: job.consumer ?? 'network', price, kind: `${key} ${lane}` },
    priority: begun ? AGAIN : 0,
    need: {
      ...{ lane, price, demand: NO_DEMAND, barred: NOBODY, judges: begun ? key : null },
      owners: new Set(parties.map((party) => party.owner)),
      networks: new Set(parties.flatMap((party) => party.network ?? [])),
      failedDevices: new Set(job.leases.filter((lease) => lease.state === 'gone').map((lease) => lease.peer.device)),
    },
  };
}

function offersOf(state: State, round: number, free: readonly Peer[]): readonly Offer[] {
  const crowd = (name: string | null) => (name === null ? 0 : (state.crowd.get(name) ?? 0));
  const offers = inLots(state.secret, String(round), free).map(
    (peer): Offer => ({
      ...{ device: peer.device, owner: peer.owner, network: peer.network, workloads: peer.workloads },
      // One number for all lanes: a slot that is taken is taken for each of them.
      slots: { ...perLane(() => 0), cpu: freeSlots(peer), gpu: freeSlots(peer) },
      ...{ machine: null, rttMs: null, trustedWith: peer.trustedWith },
      crowd: Math.max(crowd(peer.owner), crowd(peer.network)),
    }),
  );
  return inTurn(offers);
}

/** The leases that the job wants now. */
export function wantedBy(state: State, job: SimJob): number {
  if (job.over) return 0;
  const decision = decideJob(copiesOf(job), job.replicas, MAX_ATTEMPTS, state.policy.dispute);
  return decision.kind === 'open' ? decision.wanted : 0;
}

const freeSlots = (peer: Peer): number => Math.max(0, peer.stated - peer.sent.size);

/** One round. `supply` gives the next piece of work that a consumer has ordered; null: there is none. */
export function handOut(state: State, round: number, supply: () => SimJob | null): void {
  const ready = new ReadyWork<Entry>();
  const ask = (job: SimJob, wanted: number) => {
    const entry = entryOf(job);
    for (let copy = 0; copy < wanted; copy++) ready.add(entry);
  };
  for (const job of state.wanting) {
    const wanted = wantedBy(state, job);
    if (wanted > 0) ask(job, wanted);
    else state.wanting.delete(job);
  }
  if (ready.size === 0 && !state.ordering) return;
  const free = [...state.peers.values()].filter(
    (peer) => freeSlots(peer) > 0 && peer.restUntil <= state.timeline.now && !peer.link.cut,
  );
  const slots = free.reduce((sum, peer) => sum + freeSlots(peer), 0);
  for (let left = slots - ready.size; left > 0; left--) {
    const job = supply();
    if (job === null) break;
    state.wanting.add(job);
    ask(job, 1);
  }
  if (ready.size === 0 || slots === 0) return;
  assign(state, ready, offersOf(state, round, free));
}

/** The passes that the coordinator makes over its offers. */
function assign(state: State, ready: ReadyWork<Entry>, offers: readonly Offer[]): void {
  for (const again of [false, true]) {
    for (let took = true; took; ) {
      took = false;
      for (const offer of offers) {
        const peer = state.peers.get(offer.device);
        if (peer === undefined || freeSlots(peer) === 0) continue;
        const entry = ready.take(
          [...offer.workloads].flatMap((key) => LANES.map((lane) => `${key} ${lane}`)),
          ({ need }) => mayTake(need, offer) && (again || !isSecondChoice(need, offer)),
        );
        if (entry === null) continue;
        entry.need.owners.add(peer.owner);
        if (peer.network !== null) entry.need.networks.add(peer.network);
        give(state, entry.job, peer);
        took = true;
      }
    }
  }
}

const isLive = (lease: SimLease): boolean => lease.state === 'held' || lease.state === 'finished';

function whyOf(job: SimJob): Why {
  if (job.kind === 'canary') return job.leases.some(isLive) ? 'dispute' : 'canary';
  if (job.recheck !== null) return 'recheck';
  const live = job.leases.filter(isLive).length;
  return live === 0 ? 'base' : live === 1 ? 'replica' : 'dispute';
}

function give(state: State, job: SimJob, peer: Peer): void {
  const leaseId = state.random.id();
  const why = whyOf(job);
  const key = keyOf(job.workload);
  if (why !== 'base') {
    lend(state, job, peer, leaseId, why);
    return;
  }

  const kind = { workload: job.workload.id, image: job.workload.image };
  const canary = isTrusted(trustOf(peer, key), state.policy) && isCanary(state.secret, leaseId, state.policy);
  const known = canary ? drawCanary(state.secret, leaseId, state.agreed.get(key) ?? [], peer, kind) : null;
  if (known !== null) {
    // The work that would have gone here waits for the next device.
    lend(state, canaryOf(known, canaryJobId(state.secret, leaseId)), peer, leaseId, 'canary');
    return;
  }
  const stake = state.clawBack ? laneOf(peer, job.workload.lane).stake : 0n;
  const chance = replicationChance(trustOf(peer, key), job.workload.price, stake, state.policy);
  const replicated = isReplicated(state.secret, leaseId, chance);
  // Who knows that each of its results is compared may as well know at once.
  job.replicas = replicated && chance === 1 ? 1 : 0;
  job.replicateLater = replicated && chance < 1;
  lend(state, job, peer, leaseId, 'base');
}

/** Both copies that agreed speak for the known answer: one device that says otherwise is not believed by itself. */
const canaryOf = ({ input, outputHash, seenBy, kept }: Agreed, jobId: Hex32): SimJob => ({
  ...{ jobId, kind: 'canary', input, workload: kept, consumer: null, leases: [], seenBefore: seenBy },
  known: ([1, 2] as const).map(
    (n): Copy => ({
      leaseId: `0x${String(n).repeat(64)}`,
      ...{ device: `0x${String(n).repeat(40)}`, owner: `0x${String(n).repeat(40)}`, network: null },
      ...{ state: 'finished', outputHash, countsAsAttempt: false, unable: false },
    }),
  ),
  ...{ replicas: 1, replicateLater: false, recheck: null, over: false, consumerHeld: 0n, checksHeld: 0n },
});

function lend(state: State, job: SimJob, peer: Peer, leaseId: Hex32, why: Why): void {
  const { timeline, books, tally } = state;
  const twice = partiesOf(job).find((party) => countAsOne(party, peer));
  if (twice !== undefined) throw new Error(`job ${job.jobId} goes twice to ${peer.owner} at ${peer.network}`);
  const { price } = job.workload;
  if (why !== 'base') {
    books.post('hold of an extra copy', move(simAccount.checks, account.hold(job.jobId), price));
    job.checksHeld += price;
  }
  const lease: SimLease = {
    ...{ leaseId, job, peer, why, deadline: timeline.now + LEASE_MS, state: 'held', outputHash: null, payer: null },
    ...{ acceptedAt: 0, ordinal: 0, checked: false, checking: false, credited: false, mature: false },
    afterProbation: (job.recheck?.peer ?? job.leases.find(isLive)?.peer ?? peer).graduated.has(keyOf(job.workload)),
  };
  job.leases.push(lease);
  if (job.kind === 'canary') job.seenBefore.push(peer);
  state.leases.set(leaseId, lease);
  state.held.add(lease);
  peer.sent.add(leaseId);
  countCrowd(state, peer, 1);
  count(tally, lease, 1);
  const { input, workload, jobId } = job;
  peer.link.pass(() => peer.inbox.lease({ leaseId, jobId, workload, input, deadline: lease.deadline }));
}

export function countCrowd(state: State, peer: Peer, by: 1 | -1): void {
  for (const name of [peer.owner, peer.network]) {
    if (name !== null) state.crowd.set(name, (state.crowd.get(name) ?? 0) + by);
  }
}

/** Extra copies are laid to the device whose result they check. What was lost on the way and is given again is no extra copy. */
export function count(tally: State['tally'], { why, afterProbation }: SimLease, by: 1 | -1): void {
  if (why === 'base') {
    tally.jobs += by;
    if (afterProbation) tally.jobsAfterProbation += by;
  } else {
    tally.extra[why] += by;
    if (afterProbation) tally.extraAfterProbation += by;
  }
}
