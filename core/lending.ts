import type { LaneDecision } from './decide.ts';
import type { Amount } from './money.ts';
import type { Known, UnixMs } from './primitives.ts';
import type { Settings } from './settings.ts';
import { GIB } from './traffic.ts';

/**
 * What a lane that lends does now.
 *
 *   off ─► preparing ─► open ◄─► slowed       preparing: it may run and does not answer yet
 *    ▲         ▲          │                   slowed: somebody is at the machine, and has the line first
 *    │         └── held ◄─┤                   held: the lane's decision says why
 *    └──── draining ◄─────┘                   draining: what others keep here goes elsewhere first
 *                suspended: what is here is kept and served, and nothing new comes
 */
export type LendingState = 'off' | 'preparing' | 'open' | 'slowed' | 'held' | 'draining' | 'suspended';

/** Why the score is what it is: the last thing that moved it. */
export const SCORE_REASONS = ['new', 'passed', 'failed', 'unanswered', 'offline', 'disqualified'] as const;
export type ScoreReason = (typeof SCORE_REASONS)[number];

type Pay = {
  /** Credited since local midnight. */
  readonly earnedToday: Known<Amount>;
  /** null: nothing is outstanding, or nobody has said when. */
  readonly nextPayoutAt: UnixMs | null;
};

export type StorageView = Pay & {
  readonly state: LendingState;
  /** What the owner gives, and what of it others use. */
  readonly lentBytes: number;
  readonly usedBytes: Known<number>;
  /** 0..1, of what the network expects of this device; null: nobody has looked yet. */
  readonly score: number | null;
  readonly scoreReason: ScoreReason | null;
  /** No new shards come until then; null: they do. */
  readonly suspendedUntil: UnixMs | null;
  readonly audits: { readonly passed: number; readonly failed: number };
};

export type BandwidthView = Pay & {
  readonly state: LendingState;
  /** What the owner gives for chunks, and what of it they take. */
  readonly cacheBytes: number;
  readonly cachedBytes: Known<number>;
  /** Bytes that consumers have got since local midnight. */
  readonly servedToday: number;
  /** Consumers that are served just now. */
  readonly sessions: number;
};

/** What the parts that lend say of themselves; `up`: the service answers. */
export type StorageFacts = Omit<StorageView, 'state' | 'lentBytes'> & { readonly up: boolean };
export type BandwidthFacts = Omit<BandwidthView, 'state' | 'cacheBytes'> & { readonly up: boolean };
/** null: that part is not there, or knows nothing yet. */
export type LendingFacts = { readonly storage: StorageFacts | null; readonly bandwidth: BandwidthFacts | null };

type Lane = {
  readonly decision: LaneDecision;
  /** Somebody is at the machine or plays. */
  readonly busy: boolean;
  readonly limits: Settings['limits'];
};

export function storageView({ decision, busy, limits }: Lane, facts: StorageFacts | null): StorageView {
  const { up, ...known } = facts ?? UNKNOWN_STORAGE;
  const lentBytes = limits.storage.lendGiB * GIB;
  const state = stateOf(decision, up, busy);
  const over = known.usedBytes !== 'unknown' && known.usedBytes > (state === 'off' ? 0 : lentBytes);
  const suspended = up && known.suspendedUntil !== null && (state === 'open' || state === 'slowed');
  return { ...known, lentBytes, state: over && state !== 'held' ? 'draining' : suspended ? 'suspended' : state };
}

export function bandwidthView({ decision, busy, limits }: Lane, facts: BandwidthFacts | null): BandwidthView {
  const { up, ...known } = facts ?? UNKNOWN_BANDWIDTH;
  return { ...known, cacheBytes: limits.bandwidth.cacheGiB * GIB, state: stateOf(decision, up, busy) };
}

function stateOf(decision: LaneDecision, up: boolean, busy: boolean): LendingState {
  if (decision.kind === 'run') return up ? (busy ? 'slowed' : 'open') : 'preparing';
  const { kind } = decision.reason;
  return kind === 'lane-off' || kind === 'lane-not-offered' ? 'off' : 'held';
}

const NO_PAY: Pay = { earnedToday: 'unknown', nextPayoutAt: null };
const UNKNOWN_STORAGE: StorageFacts = {
  ...{ ...NO_PAY, up: false, usedBytes: 'unknown', score: null, scoreReason: null, suspendedUntil: null },
  audits: { passed: 0, failed: 0 },
};
const UNKNOWN_BANDWIDTH: BandwidthFacts = {
  ...NO_PAY,
  ...{ up: false, cachedBytes: 'unknown', servedToday: 0, sessions: 0 },
};
