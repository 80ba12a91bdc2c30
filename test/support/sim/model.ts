import type { AgreedJob } from '../../../coordinator/verification/canaries.ts';
import type { VerificationPolicy } from '../../../coordinator/verification/policy.ts';
import { NO_TRUST, type Party, type Trust } from '../../../coordinator/verification/trust.ts';
import { type Copy, type LeaseState, workloadKey } from '../../../coordinator/verify.ts';
import type { Amount } from '../../../core/money.ts';
import type { Address, Hex32, Lane, UnixMs } from '../../../core/primitives.ts';
import { Books, simAccount } from './books.ts';
import { ConductBook } from './conduct.ts';
import type { Link } from './link.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

/** What the coordinator of the simulation keeps: in the real one these are rows. */

export type Workload = { readonly id: string; readonly image: string; readonly lane: Lane; readonly price: Amount };

export const keyOf = ({ id, image }: Pick<Workload, 'id' | 'image'>): string => workloadKey(id, image);

export type LaneBook = {
  /** Accepted and not mature, oldest first. */
  readonly credits: SimLease[];
  stake: Amount;
  latest: number;
  /** Names what is held against the lane; null: nothing. */
  suspicion: string | null;
};

/** What a device can be told. */
export type Inbox = {
  readonly lease: (lease: LeaseMessage) => void;
  readonly stored: (leaseId: Hex32) => void;
  readonly verdict: (leaseId: Hex32, accepted: boolean) => void;
  readonly receipt: (sequence: number, credited: readonly Hex32[]) => void;
};

export type LeaseMessage = {
  readonly leaseId: Hex32;
  readonly jobId: Hex32;
  readonly workload: Workload;
  readonly input: Hex32;
  readonly deadline: UnixMs;
};

export type Peer = Party & {
  readonly device: Address;
  readonly workloads: ReadonlySet<string>;
  readonly link: Link;
  readonly inbox: Inbox;
  /** Slots it stated, and leases sent after that and not over. */
  stated: number;
  readonly sent: Set<Hex32>;
  restUntil: UnixMs;
  readonly trust: Map<string, Trust>;
  readonly trustedWith: Set<string>;
  /** Workloads that it was ever trusted with: its first probation is over. */
  readonly graduated: Set<string>;
  readonly lanes: Map<Lane, LaneBook>;
  lastReport: { readonly sequence: number; readonly credited: readonly Hex32[] } | null;
};

export type Why = 'base' | 'replica' | 'dispute' | 'canary' | 'recheck';

export type SimLease = {
  readonly leaseId: Hex32;
  readonly job: SimJob;
  readonly peer: Peer;
  readonly why: Why;
  readonly deadline: UnixMs;
  state: LeaseState;
  outputHash: Hex32 | null;
  payer: string | null;
  acceptedAt: UnixMs;
  ordinal: number;
  checked: boolean;
  checking: boolean;
  credited: boolean;
  mature: boolean;
  /** Counted as work of a device whose first probation is over. */
  afterProbation: boolean;
};

export type SimJob = {
  readonly jobId: Hex32;
  readonly kind: 'work' | 'canary';
  readonly input: Hex32;
  readonly workload: Workload;
  /** null: the network ordered it itself. */
  readonly consumer: Address | null;
  readonly leases: SimLease[];
  /** A canary's answer, as the copies that agreed on it, and everybody who saw its input. */
  readonly known: readonly Copy[];
  readonly seenBefore: Party[];
  replicas: 0 | 1;
  /** Its replica is given out once the first result has come. */
  replicateLater: boolean;
  /** Its lease that is verified again. */
  recheck: SimLease | null;
  over: boolean;
  /** What is held for it and not yet anybody's, by who paid. */
  consumerHeld: Amount;
  checksHeld: Amount;
};

export type Agreed = AgreedJob & { readonly input: Hex32; readonly kept: Workload; readonly seenBy: Party[] };

/** Right results that brought nothing: nobody could say who was right, wrong ones were more, or all credit of the lane was lost. */
export type Losses = { undecided: number; outvoted: number; forfeited: number };

export const noLosses = (): Losses => ({ undecided: 0, outvoted: 0, forfeited: 0 });

/** What the simulation counts. */
export type Tally = {
  jobs: number;
  jobsAfterProbation: number;
  extraAfterProbation: number;
  readonly extra: Record<Exclude<Why, 'base'>, number>;
  forfeits: number;
  releases: number;
  undecided: number;
  /** Results that were paid, and those of them that were wrong. */
  paid: number;
  paidWrong: number;
  /** By device, right results that it was not paid for or had to give back. */
  readonly wronged: Map<Address, Losses>;
};

export type State = {
  readonly policy: VerificationPolicy;
  /** False for a network that takes nothing back. */
  readonly clawBack: boolean;
  readonly secret: string;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly books: Books;
  readonly conduct: ConductBook;
  readonly peers: Map<Address, Peer>;
  readonly leases: Map<Hex32, SimLease>;
  readonly held: Set<SimLease>;
  /** Jobs that may want leases. */
  readonly wanting: Set<SimJob>;
  readonly agreed: Map<string, Agreed[]>;
  /** Leases that an owner or a network holds. */
  readonly crowd: Map<string, number>;
  readonly tally: Tally;
  /** False once no more work is ordered. */
  ordering: boolean;
};

export const MAX_ATTEMPTS = 5;

/** The right answer to an input: what only the simulation knows. */
export const truthOf = (input: Hex32): Hex32 => `0xa${input.slice(3)}`;

export const isRight = ({ outputHash, job }: SimLease): boolean => outputHash === truthOf(job.input);

/** Takes note of a right result that brings nothing. */
export function note({ tally }: State, lease: SimLease, why: keyof Losses): void {
  const { device } = lease.peer;
  if (!isRight(lease)) return;
  const losses = tally.wronged.get(device) ?? noLosses();
  losses[why] += 1;
  tally.wronged.set(device, losses);
}

export const trustOf = (peer: Peer, key: string): Trust => peer.trust.get(key) ?? NO_TRUST;

export function laneOf(peer: Peer, lane: Lane): LaneBook {
  const known = peer.lanes.get(lane);
  if (known !== undefined) return known;
  const fresh: LaneBook = { credits: [], stake: 0n, latest: 0, suspicion: null };
  peer.lanes.set(lane, fresh);
  return fresh;
}

/** The job's leases as `decideJob` sees them: an accepted lease that is verified again is one copy among others. */
export const copiesOf = (job: SimJob): readonly Copy[] => [
  ...job.known,
  ...job.leases.map((lease) => ({
    leaseId: lease.leaseId,
    ...{ device: lease.peer.device, owner: lease.peer.owner, network: lease.peer.network },
    state: lease === job.recheck ? ('finished' as const) : lease.state,
    outputHash: lease.outputHash,
    countsAsAttempt: false,
    unable: false,
  })),
];

export function newState(
  setting: Pick<State, 'policy' | 'clawBack' | 'secret' | 'timeline' | 'random'>,
  funds: Amount,
): State {
  const books = new Books();
  books.post('the network pays for its checks', [
    { account: 'external', amount: -funds },
    { account: simAccount.checks, amount: funds },
  ]);
  return {
    ...setting,
    books,
    conduct: new ConductBook(),
    peers: new Map(),
    leases: new Map(),
    held: new Set(),
    wanting: new Set(),
    agreed: new Map(),
    crowd: new Map(),
    ordering: true,
    tally: {
      ...{ jobs: 0, jobsAfterProbation: 0, extraAfterProbation: 0, forfeits: 0, releases: 0, undecided: 0 },
      ...{ paid: 0, paidWrong: 0, wronged: new Map() },
      extra: { replica: 0, dispute: 0, canary: 0, recheck: 0 },
    },
  };
}
