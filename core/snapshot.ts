import type { LaneDecision, Reason } from './decide.ts';
import type { Unfitness } from './engine-gates.ts';
import type { WireFailure } from './errors.ts';
import type { ImageView } from './images.ts';
import type { BandwidthView, StorageView } from './lending.ts';
import type { Amount } from './money.ts';
import { type Address, type Hex32, JOB_LANES, type Known, type Lane, type PerLane, type UnixMs } from './primitives.ts';
import type { ProofView } from './proof.ts';
import type { CatalogueRefusal } from './release.ts';
import type { Settings } from './settings.ts';
import type { CoordinatorState, EngineState, SensorName } from './signals.ts';

/**
 * What the tray shows at a glance.
 *
 *   attention ◄─► waiting ◄─► sharing        attention: something needs the owner or the world to change
 *                    ▲                       waiting: ready, but held for a passing reason
 *                    └──► paused             paused: the owner said so
 */
export type Presence = 'sharing' | 'waiting' | 'paused' | 'attention';

/** A fault that the owner should know of. It vanishes by itself when its cause does. */
export type Problem =
  | { readonly kind: 'settings-broken'; readonly path: string; readonly detail: string }
  | { readonly kind: 'ledger-unwritable'; readonly detail: string }
  /** The last proof got out of the sandbox. */
  | { readonly kind: 'sandbox-leaks' }
  | { readonly kind: 'engine-absent'; readonly detail: string }
  | { readonly kind: 'engine-forbidden'; readonly detail: string }
  | { readonly kind: 'engine-unfit'; readonly why: Unfitness }
  /** The engine was too slow, or refused, to freeze work: the work was ended instead. */
  | { readonly kind: 'engine-slow'; readonly detail: string; readonly at: UnixMs }
  | { readonly kind: 'disk-low'; readonly freeBytes: number; readonly neededBytes: number }
  | { readonly kind: 'coordinator-away'; readonly url: string; readonly detail: string }
  | { readonly kind: 'coordinator-refused'; readonly url: string; readonly detail: string }
  | { readonly kind: 'chain-away'; readonly detail: string }
  | { readonly kind: 'vault-unreadable'; readonly detail: string }
  /** No signed catalogue is in force: nothing can run. */
  | { readonly kind: 'catalogue-untrusted'; readonly why: CatalogueRefusal }
  /** What the network offers in place of the catalogue in force is not taken. */
  | { readonly kind: 'catalogue-refused'; readonly url: string; readonly why: CatalogueRefusal }
  /** A hint: the catalogue in force ends soon, and no newer one has come. */
  | { readonly kind: 'catalogue-expiring'; readonly at: UnixMs }
  /** The agent could not be opened at all; it is tried again. */
  | { readonly kind: 'not-started'; readonly detail: string };

/** fetching ──► running ◄─► frozen ──► uploading ──► (verifying, no longer here) */
export type RunPhase = 'fetching' | 'running' | 'frozen' | 'uploading';

export type RunningJob = {
  readonly leaseId: Hex32;
  readonly workload: string;
  readonly version: string;
  readonly image: string;
  readonly lane: Lane;
  readonly phase: RunPhase;
  readonly startedAt: UnixMs;
  /** 0..1 */
  readonly progress: number;
  readonly price: Amount;
  readonly cpuCores: number;
  readonly memoryBytes: number;
};

/** Amounts in base units. Each unit passes: verifying → credited → published → claimed. */
export type Earnings = {
  /** Finished here, verdict or receipt outstanding. */
  readonly verifying: Amount;
  /** Countersigned in receipts, ever. */
  readonly credited: Amount;
  /** Credited since local midnight. */
  readonly today: Amount;
  /** In a root on chain, ever. */
  readonly published: Known<Amount>;
  /** Taken from the distributor, ever. */
  readonly claimed: Known<Amount>;
  readonly jobsToday: number;
};

/**
 *   idle ──► signing ──► relaying ──► confirming ──► done
 *                 └──────────┴────────────┴────────► failed
 */
export type Withdrawal =
  | { readonly kind: 'idle' }
  | { readonly kind: 'signing'; readonly amount: Amount }
  | { readonly kind: 'relaying'; readonly amount: Amount }
  | { readonly kind: 'confirming'; readonly amount: Amount; readonly txHash: Hex32 }
  | { readonly kind: 'done'; readonly amount: Amount; readonly txHash: Hex32; readonly at: UnixMs }
  | { readonly kind: 'failed'; readonly amount: Amount; readonly failure: WireFailure; readonly at: UnixMs };

export type WalletView = {
  readonly owner: Address;
  readonly device: Address;
  /** What guards the vault's key: the OS keyring, or only file permissions where there is none. */
  readonly protection: 'keyring' | 'file';
  /** Tokens at the owner's address. */
  readonly balance: Known<Amount>;
  /** Published minus claimed: what a withdrawal would bring now. */
  readonly claimable: Known<Amount>;
  readonly withdrawal: Withdrawal;
};

/** One sensor's health. */
export type SensorView = {
  readonly sensor: SensorName;
  /** `unavailable`: this machine has no such source. `unknown`: its source does not answer sensibly. */
  readonly state: 'ok' | 'unknown' | 'unavailable';
  /** Where it is read, such as "X11" or "logind"; empty where there is none. */
  readonly sources: readonly string[];
};

export type GpuView = {
  readonly id: string;
  readonly name: string;
  readonly decision: LaneDecision;
  readonly heldSince: UnixMs | null;
};

export type LaneView = {
  readonly lane: Lane;
  readonly decision: LaneDecision;
  readonly heldSince: UnixMs | null;
};

/** What work costs the owner's line. */
export type TrafficView = {
  /** Since the last reset day, until now. */
  readonly monthBytesIn: number;
  readonly monthBytesOut: number;
  /** In and out together; null: the owner set none. */
  readonly capBytes: number | null;
  readonly resetsAt: UnixMs;
  /** Bytes, over the last five seconds. */
  readonly inPerSecond: number;
  readonly outPerSecond: number;
};

/** The one truth of a device, a plain value. Tray, window, terminal and tests are functions of it. */
export type Snapshot = {
  /** Grows with every change; a mirror drops what is older than it has. */
  readonly rev: number;
  readonly at: UnixMs;
  readonly version: string;
  readonly presence: Presence;
  /** The reason of the lane that matters most while nothing runs; null while something may. */
  readonly reason: Reason | null;
  readonly lanes: readonly LaneView[];
  readonly gpus: readonly GpuView[];
  readonly sensors: readonly SensorView[];
  readonly proof: ProofView;
  readonly problems: readonly Problem[];
  readonly running: readonly RunningJob[];
  /** Of the catalogue in force. */
  readonly images: readonly ImageView[];
  readonly earnings: Earnings;
  readonly wallet: WalletView | null;
  readonly engine: EngineState;
  readonly coordinator: CoordinatorState;
  readonly network: { readonly name: string; readonly tokenSymbol: string; readonly chainId: number } | null;
  /** null: there is no agent that counts. */
  readonly traffic: TrafficView | null;
  /** null: there is no agent, or nothing of the kind to lend. */
  readonly storage: StorageView | null;
  readonly bandwidth: BandwidthView | null;
  readonly machine: { readonly cpuCores: number; readonly memoryBytes: number };
  readonly settings: Settings;
};

/** Whether this build has something to run on a lane. */
export function isOffered({ lanes }: Pick<Snapshot, 'lanes'>, lane: Lane): boolean {
  const decision = lanes.find((view) => view.lane === lane)?.decision;
  return decision !== undefined && !(decision.kind === 'hold' && decision.reason.kind === 'lane-not-offered');
}

export function presenceOf(decisions: PerLane<LaneDecision>, problems: readonly Problem[]): Presence {
  const lanes = Object.values(decisions);
  if (lanes.some((lane) => lane.kind === 'hold' && lane.reason.kind === 'paused')) return 'paused';
  if (speaking(decisions).some((lane) => lane.kind === 'run')) return 'sharing';
  return problems.some(({ kind }) => kind !== 'catalogue-expiring') ? 'attention' : 'waiting';
}

const SAYS_LITTLE: ReadonlySet<Reason['kind']> = new Set(['lane-not-offered', 'lane-off', 'no-gpu', 'gpu-refused']);

/** The lanes that say how it goes. What is lent goes on while the owner is there: it speaks only where no job could ever run. */
function speaking(decisions: PerLane<LaneDecision>): readonly LaneDecision[] {
  const jobs = JOB_LANES.map((lane) => decisions[lane]);
  const silent = jobs.every((lane) => lane.kind === 'hold' && SAYS_LITTLE.has(lane.reason.kind));
  return silent ? Object.values(decisions) : jobs;
}

/** The reason worth showing when nothing may run: the first lane that is offered and switched on speaks. */
export function mainReason(decisions: PerLane<LaneDecision>): Reason | null {
  const held: Reason[] = [];
  for (const lane of speaking(decisions)) {
    if (lane.kind === 'run') return null;
    held.push(lane.reason);
  }
  return held.find(({ kind }) => !SAYS_LITTLE.has(kind)) ?? held[0] ?? null;
}
