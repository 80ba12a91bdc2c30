import type { DailyEarnings, EarningsPage, EarningsQuery } from '../core/ipc.ts';
import type { Amount } from '../core/money.ts';
import type { Hex32, Signature, UnixMs } from '../core/primitives.ts';
import type { ItemOutcome, ReportItem, Struct } from '../core/typed-data.ts';
import type { Lease, Verdict } from '../core/wire.ts';

/**
 * A lease's life in the device's ledger; each step is on disk before it is acted on.
 *
 *   held ──► finished ──► accepted ──► reported ──► credited
 *    │           │                         └──────► refused
 *    └► dropped  └► rejected
 */
export type LeaseState =
  | 'held'
  | 'finished'
  | 'accepted'
  | 'rejected'
  | 'reported'
  | 'credited'
  | 'refused'
  | 'dropped';

export type LeaseRecord = {
  readonly lease: Lease;
  readonly state: LeaseState;
  /** Unix ms of the last step. */
  readonly at: UnixMs;
  /** The lease's price until a verdict or a receipt says otherwise. */
  readonly amount: Amount;
  /** From `finished` on. */
  readonly result: { readonly value: Struct<'Result'>; readonly signature: Signature; readonly stored: boolean } | null;
};

export type StoredReport = {
  readonly report: Struct<'Report'>;
  readonly signature: Signature;
  readonly items: readonly ReportItem[];
};

/** Append-only and fsynced: what a call acknowledged survives `kill -9`. Every write throws DISK_FULL when it cannot. */
export type Ledger = {
  readonly hold: (lease: Lease, at: UnixMs) => void;
  /** A held lease ends later from now on. */
  readonly renew: (leaseId: Hex32, deadline: UnixMs, at: UnixMs) => void;
  readonly drop: (leaseId: Hex32, at: UnixMs, why: string) => void;
  readonly finish: (leaseId: Hex32, value: Struct<'Result'>, signature: Signature, at: UnixMs) => void;
  readonly resultStored: (leaseId: Hex32, at: UnixMs) => void;
  readonly settle: (verdict: Verdict, at: UnixMs) => void;
  readonly lease: (leaseId: Hex32) => LeaseRecord | null;
  /** Leases in the given states, oldest first. */
  readonly leases: (states: readonly LeaseState[]) => readonly LeaseRecord[];
  /** Refuses (CONFLICT) a second, different report with a sequence it has. */
  readonly appendReport: (stored: StoredReport, at: UnixMs) => void;
  readonly lastReport: () => StoredReport | null;
  readonly report: (hash: Hex32) => StoredReport | null;
  /** Those without a receipt, and all with a sequence above `confirmed`, oldest first. */
  readonly reportsToSend: (confirmed: number) => readonly StoredReport[];
  readonly appendReceipt: (
    value: Struct<'Receipt'>,
    signature: Signature,
    outcomes: readonly ItemOutcome[],
    at: UnixMs,
  ) => void;
  readonly totals: (dayStart: UnixMs) => {
    readonly verifying: Amount;
    readonly credited: Amount;
    readonly today: Amount;
    readonly jobsToday: number;
  };
  readonly entries: (query: EarningsQuery) => EarningsPage;
  /** `offset`: local time minus UTC, minutes. */
  readonly daily: (days: number, now: UnixMs, utcOffsetMinutes: number) => DailyEarnings;
  /** Tries one durable write; throws DISK_FULL. */
  readonly probe: () => void;
  readonly close: () => void;
};

export type LedgerFactory = (networkId: Hex32) => Ledger;
