import type { Known, PerLane, UnixMs } from './primitives.ts';

/** How the container engine answers. */
export type EngineState =
  | { readonly kind: 'ready'; readonly version: string }
  | { readonly kind: 'unchecked' }
  | { readonly kind: 'absent'; readonly detail: string }
  /** It is there, but this user may not speak to it. */
  | { readonly kind: 'forbidden'; readonly detail: string }
  /** It answers but may not run strangers' work: the detail says which limit or version is missing. */
  | { readonly kind: 'unfit'; readonly detail: string };

/**
 * The session with the coordinator.
 *
 *   connecting ──► connected ──► away ──► connecting …
 *        └──────► refused (the coordinator said no: its detail says why; tried again slowly)
 */
export type CoordinatorState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'connected'; readonly since: UnixMs }
  | { readonly kind: 'away'; readonly since: UnixMs; readonly detail: string }
  | { readonly kind: 'refused'; readonly detail: string };

/** Everything `decide` looks at, gathered at one moment. */
export type Signals = {
  readonly now: UnixMs;
  /** Milliseconds since the last key press or mouse move. */
  readonly idleMs: Known<number>;
  readonly onBattery: Known<boolean>;
  readonly freeDiskBytes: Known<number>;
  /** False after a write to the device's own ledger failed, until one succeeds. */
  readonly ledgerWritable: boolean;
  readonly settingsOk: boolean;
  readonly engine: EngineState;
  readonly coordinator: CoordinatorState;
  /** Leases in hand that are not finished. */
  readonly leases: PerLane<number>;
  /** Lanes for which this build has something to run. */
  readonly offered: PerLane<boolean>;
};
