import type { Decision, LaneDecision } from './decide.ts';
import type { Hex32, Lane, UnixMs } from './primitives.ts';
import { LANES, ownValue } from './primitives.ts';

/** A container that carries this device's label, as the engine reports it. */
export type ObservedContainer = {
  readonly id: string;
  readonly leaseId: Hex32;
  /** The agent process that started it: a container of an earlier one has nobody at its door. */
  readonly instance: string;
  readonly state: 'created' | 'running' | 'paused' | 'exited';
};

/** A lease this device holds and has not finished. */
export type HeldLease = {
  readonly leaseId: Hex32;
  readonly lane: Lane;
  readonly deadline: UnixMs;
  /** True from the moment a runner has taken it on (fetching input, running, uploading) until it ends. */
  readonly active: boolean;
  /** The GPU that it works on; null: none. */
  readonly gpu: string | null;
  /** Its container has been told to freeze, and has not been seen to thaw. */
  readonly frozen: boolean;
};

export type Observed = {
  readonly now: UnixMs;
  readonly instance: string;
  readonly containers: readonly ObservedContainer[];
  readonly leases: readonly HeldLease[];
  /** Leases the agent is ready to hold at a time, per lane. */
  readonly slots: Readonly<Record<Lane, number>>;
  /** A lane held longer than this gives its memory back: containers are removed, leases stay until their deadline. */
  readonly releaseAfterMs: number;
};

export type Action =
  | { readonly kind: 'start'; readonly leaseId: Hex32 }
  | { readonly kind: 'freeze'; readonly containerId: string; readonly leaseId: Hex32 }
  | { readonly kind: 'thaw'; readonly containerId: string; readonly leaseId: Hex32 }
  /**
   * `orphan`: no lease or no living agent behind it. `released`: rested too long. `expired`: its lease ran out.
   * `memory-wanted`: it holds GPU memory that somebody else needs now. `withdrawn`: its lane was switched off.
   */
  | {
      readonly kind: 'remove';
      readonly containerId: string;
      readonly leaseId: Hex32;
      readonly why: 'orphan' | 'released' | 'expired' | 'memory-wanted' | 'withdrawn';
    }
  /** `withdrawn`: the owner has taken its lane back for good; another device shall do it. */
  | { readonly kind: 'drop'; readonly leaseId: Hex32; readonly why: 'expired' | 'withdrawn' }
  | { readonly kind: 'request'; readonly lane: Lane; readonly slots: number };

/** What holds for a lease's own GPU; its lane answers for work without one. */
export function decisionOf(decision: Decision, { lane, gpu }: Pick<HeldLease, 'lane' | 'gpu'>): LaneDecision {
  const own = decision.lanes[lane];
  if (gpu === null) return own;
  // A GPU that is gone cannot go on with its work, though another one may.
  return ownValue(decision.gpus, gpu) ?? (own.kind === 'hold' ? own : { kind: 'hold', reason: { kind: 'no-gpu' } });
}

/** A paused container keeps its GPU memory: frozen work can still be in the way. */
export const memoryWanted = (
  { memoryWanted: wanted }: Decision,
  { lane, gpu }: Pick<HeldLease, 'lane' | 'gpu'>,
): boolean => lane === 'gpu' && ((gpu === null ? undefined : ownValue(wanted.gpus, gpu)) ?? wanted.lane);

/**
 * The difference between what should be and what is. Level-triggered: it is computed from the whole state each time, so
 * a crash, a restart or a lost event heals itself. Applying the actions and asking again gives none (but `request`,
 * which states a level and is idempotent at the coordinator).
 */
export function reconcile(decision: Decision, observed: Observed): readonly Action[] {
  const actions: Action[] = [];
  const byId = new Map(observed.leases.map((lease) => [lease.leaseId, lease]));

  for (const container of observed.containers) {
    const { id: containerId, leaseId, state } = container;
    const lease = byId.get(leaseId);
    if (lease === undefined || container.instance !== observed.instance || !lease.active) {
      actions.push({ kind: 'remove', containerId, leaseId, why: 'orphan' });
      continue;
    }
    if (lease.deadline <= observed.now) {
      actions.push({ kind: 'remove', containerId, leaseId, why: 'expired' });
      continue;
    }
    const may = decisionOf(decision, lease);
    if (may.kind === 'run') {
      // A thaw whose answer was lost has left it stopped from within, or running unseen.
      if (state === 'paused' || (state === 'running' && lease.frozen))
        actions.push({ kind: 'thaw', containerId, leaseId });
      continue;
    }
    if (may.reason.kind === 'lane-off') {
      actions.push({ kind: 'remove', containerId, leaseId, why: 'withdrawn' });
      continue;
    }
    const unit = lease.gpu === null ? undefined : ownValue(decision.memory.gpus, lease.gpu);
    const since = (unit ?? decision.memory.lanes[lease.lane]).heldSince ?? observed.now;
    if (memoryWanted(decision, lease)) {
      actions.push({ kind: 'remove', containerId, leaseId, why: 'memory-wanted' });
    } else if (observed.now - since >= observed.releaseAfterMs) {
      actions.push({ kind: 'remove', containerId, leaseId, why: 'released' });
    } else if (state === 'running') {
      actions.push({ kind: 'freeze', containerId, leaseId });
    }
  }

  for (const lease of observed.leases) {
    const may = decisionOf(decision, lease);
    if (lease.deadline <= observed.now) actions.push({ kind: 'drop', leaseId: lease.leaseId, why: 'expired' });
    else if (may.kind === 'hold' && may.reason.kind === 'lane-off') {
      actions.push({ kind: 'drop', leaseId: lease.leaseId, why: 'withdrawn' });
    } else if (!lease.active && may.kind === 'run') actions.push({ kind: 'start', leaseId: lease.leaseId });
  }

  for (const lane of LANES) {
    const held = observed.leases.filter((lease) => lease.lane === lane && lease.deadline > observed.now).length;
    const free = decision.begins[lane] ? Math.max(0, observed.slots[lane] - held) : 0;
    actions.push({ kind: 'request', lane, slots: free });
  }
  return actions;
}
