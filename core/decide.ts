import type { Policy } from './policy.ts';
import { type Lane, type PerLane, perLane, type UnixMs } from './primitives.ts';
import type { Signals } from './signals.ts';

/** Why a lane rests. A new member does not compile until `core/text` has a sentence for it in every language. */
export type Reason =
  | { readonly kind: 'settings-broken' }
  | { readonly kind: 'ledger-unwritable' }
  | { readonly kind: 'paused'; readonly until: UnixMs | 'resumed' }
  | { readonly kind: 'lane-off' }
  | { readonly kind: 'lane-not-offered' }
  | { readonly kind: 'engine-unchecked' }
  | { readonly kind: 'engine-absent' }
  | { readonly kind: 'engine-forbidden' }
  | { readonly kind: 'engine-unfit'; readonly detail: string }
  | { readonly kind: 'disk-low'; readonly freeBytes: number; readonly neededBytes: number }
  | { readonly kind: 'on-battery' }
  | { readonly kind: 'idle-unknown' }
  /** `resumesAt`: when the machine counts as idle if nobody touches it. */
  | { readonly kind: 'in-use'; readonly resumesAt: UnixMs }
  | { readonly kind: 'coordinator-away' };

export type LaneDecision = { readonly kind: 'run' } | { readonly kind: 'hold'; readonly reason: Reason };

/** What a decision needs to remember of the last one: hysteresis is a value that goes in and comes out. */
export type Memory = {
  /** Per lane: since when it has been held; null while it runs. */
  readonly heldSince: PerLane<UnixMs | null>;
};

export type Decision = { readonly lanes: PerLane<LaneDecision>; readonly memory: Memory };

export const freshMemory = (): Memory => ({ heldSince: perLane(() => null) });

type Guard = (lane: Lane, signals: Signals, policy: Policy) => Reason | null;

/**
 * The policy, top to bottom: the first guard that applies is the reason. Faults that make work unsafe come first, then
 * what the owner said, then what the machine lacks, then what the owner is doing, then what the network lacks.
 */
const GUARDS: readonly Guard[] = [
  (_lane, signals) => (signals.settingsOk ? null : { kind: 'settings-broken' }),
  (_lane, signals) => (signals.ledgerWritable ? null : { kind: 'ledger-unwritable' }),
  (_lane, signals, policy) => {
    const until = policy.pausedUntil;
    if (until === null || (until !== 'resumed' && until <= signals.now)) return null;
    return { kind: 'paused', until };
  },
  (lane, signals) => (signals.offered[lane] ? null : { kind: 'lane-not-offered' }),
  (lane, _signals, policy) => (policy.lanes[lane] ? null : { kind: 'lane-off' }),
  (_lane, { engine }) => {
    switch (engine.kind) {
      case 'ready':
        return null;
      case 'unchecked':
        return { kind: 'engine-unchecked' };
      case 'absent':
        return { kind: 'engine-absent' };
      case 'forbidden':
        return { kind: 'engine-forbidden' };
      case 'unfit':
        return { kind: 'engine-unfit', detail: engine.detail };
    }
  },
  (_lane, { freeDiskBytes: free }, { minFreeDiskBytes: needed }) =>
    free !== 'unknown' && free < needed ? { kind: 'disk-low', freeBytes: free, neededBytes: needed } : null,
  // An unknown power source is a desktop far more often than a laptop without a gauge.
  (_lane, { onBattery }, policy) => (onBattery === true && !policy.shareOnBattery ? { kind: 'on-battery' } : null),
  (_lane, { idleMs, now }, policy) => {
    if (policy.mode === 'now') return null;
    if (idleMs === 'unknown') return { kind: 'idle-unknown' };
    return idleMs < policy.idleAfterMs ? { kind: 'in-use', resumesAt: now - idleMs + policy.idleAfterMs } : null;
  },
  // Work already leased goes on without the coordinator; its result waits on disk.
  (lane, { coordinator, leases }) =>
    coordinator.kind === 'connected' || leases[lane] > 0 ? null : { kind: 'coordinator-away' },
];

/** Per lane, whether work may run now, and if not, the one reason. Total, synchronous, without effects. */
export function decide(signals: Signals, policy: Policy, memory: Memory): Decision {
  const lanes = perLane((lane): LaneDecision => {
    for (const guard of GUARDS) {
      const reason = guard(lane, signals, policy);
      if (reason !== null) return { kind: 'hold', reason };
    }
    return { kind: 'run' };
  });
  const heldSince = perLane((lane) => (lanes[lane].kind === 'run' ? null : (memory.heldSince[lane] ?? signals.now)));
  return { lanes, memory: { heldSince } };
}
