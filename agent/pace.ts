import type { Decision, LaneDecision, Reason } from '../core/decide.ts';
import { LOCKED_IDLE_MS } from '../core/guards.ts';
import type { Policy } from '../core/policy.ts';
import { JOB_LANES, LANES, perLane, type UnixMs } from '../core/primitives.ts';
import { scheduleAt } from '../core/schedule.ts';
import type { Signals } from '../core/signals.ts';
import type { Attention } from './ports.ts';

/** The world is looked at as a whole this often even when nothing says so: a lost event heals itself. */
export const HEAL_MS = 60_000;
/** After a round that failed. */
export const BLIND_MS = 1_000;

/**
 * Holds that no sensor can end: while all lanes have one of these, nothing need be looked at. `ledger-unwritable` is none of them:
 * its usual cause is a full disk, and the owner must soon be told of that.
 */
const NOT_SENSED: ReadonlySet<Reason['kind']> = new Set([
  'settings-broken',
  'sandbox-leaks',
  'paused',
  'lane-not-offered',
  'lane-off',
  'drained',
  'engine-unchecked',
  'engine-absent',
  'engine-forbidden',
  'engine-unfit',
  'no-gpu',
  'gpu-refused',
  'schedule-closed',
]);
/** Holds that only the absence of input can end: until then nothing else need be looked at. */
const IDLE_ALONE: ReadonlySet<Reason['kind']> = new Set(['in-use', 'idle-unknown']);

/**
 * How closely to look for input, and at everything else. `working`: there is work in hand that runs or is frozen.
 */
export function attentionFor(
  decision: Decision,
  working: boolean,
): { readonly idle: Attention; readonly others: Attention } {
  const lanes = Object.values(decision.lanes);
  // What is lent goes on beside the owner: only jobs need the close look.
  const jobs = JOB_LANES.map((lane) => decision.lanes[lane]);
  // A fetch is work too: it must stop as soon as anything else.
  const goes = (lane: LaneDecision): boolean => lane.kind === 'run' || lane.reason.kind === 'fetching-image';
  if (working && jobs.some(goes)) return { idle: 'watch', others: 'watch' };
  const waiting = lanes.filter((lane) => lane.kind === 'run' || !NOT_SENSED.has(lane.reason.kind));
  const others = waiting.some((lane) => lane.kind === 'run' || !IDLE_ALONE.has(lane.reason.kind));
  return { idle: waiting.length > 0 ? 'ready' : 'rest', others: others ? 'ready' : 'rest' };
}

/** The idle times that matter to any lane or GPU, ms, ascending. `gpus`: those that may have rules of their own. */
export function thresholdsOf(policy: Policy, gpus: readonly string[], locked: boolean): readonly number[] {
  const units = [...LANES.map((lane) => policy.lanes[lane]), ...gpus.map((id) => policy.gpu(id))];
  const own = units.map(({ idleAfterSeconds }) => idleAfterSeconds * 1000);
  return [...new Set(locked ? [LOCKED_IDLE_MS, ...own] : own)].sort((a, b) => a - b);
}

/** Whether anything may run, begin or be fetched that might not before. */
export function gives(before: Decision, after: Decision): boolean {
  if (LANES.some((lane) => after.begins[lane] && !before.begins[lane])) return true;
  if (LANES.some((lane) => after.fetches[lane] && !before.fetches[lane])) return true;
  const opened = (was: LaneDecision | undefined, is: LaneDecision): boolean => is.kind === 'run' && was?.kind !== 'run';
  return (
    LANES.some((lane) => opened(before.lanes[lane], after.lanes[lane])) ||
    Object.entries(after.gpus).some(([id, is]) => opened(before.gpus[id], is))
  );
}

/** What a decision takes away, without what it gives. */
export function takes(before: Decision, after: Decision): Decision {
  const only = (was: LaneDecision, is: LaneDecision): LaneDecision =>
    is.kind === 'run' && was.kind !== 'run' ? was : is;
  const gpus = Object.entries(after.gpus).flatMap(([id, is]) => {
    const was = before.gpus[id];
    return was === undefined ? [] : [[id, only(was, is)] as const];
  });
  return {
    ...after,
    lanes: perLane((lane) => only(before.lanes[lane], after.lanes[lane])),
    gpus: Object.fromEntries(gpus),
    begins: perLane((lane) => before.begins[lane] && after.begins[lane]),
    fetches: perLane((lane) => before.fetches[lane] && after.fetches[lane]),
  };
}

type Pace = {
  readonly now: UnixMs;
  readonly decision: Decision;
  readonly signals: Signals;
  readonly policy: Policy;
  readonly deadlines: readonly UnixMs[];
  readonly releaseAfterMs: number;
};

/** When time alone next changes what is decided; Infinity: never. */
export function nextChange({ now, decision, signals, policy, deadlines, releaseAfterMs }: Pace): UnixMs {
  const times: number[] = [...deadlines];
  for (const lane of [...Object.values(decision.lanes), ...Object.values(decision.gpus)]) {
    if (lane.kind === 'run') continue;
    const { reason } = lane;
    if (reason.kind === 'paused' && reason.until !== 'resumed') times.push(reason.until);
    // The idle sensor itself says when nobody has come back.
    if (reason.kind === 'settling') times.push(reason.resumesAt);
    if (reason.kind === 'schedule-closed' && reason.opensAt !== null) times.push(reason.opensAt);
  }
  if (policy.schedule !== null) {
    const { changesAt } = scheduleAt(policy.schedule, now, signals.timeZone);
    if (changesAt !== null) times.push(changesAt);
  }
  if (deadlines.length > 0) {
    for (const { heldSince } of [...Object.values(decision.memory.lanes), ...Object.values(decision.memory.gpus)]) {
      if (heldSince !== null) times.push(heldSince + releaseAfterMs);
    }
  }
  return Math.min(Number.POSITIVE_INFINITY, ...times.filter((at) => at > now));
}
