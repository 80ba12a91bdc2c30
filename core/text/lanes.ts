import type { LaneDecision, Reason } from '../decide.ts';
import type { Lane, UnixMs } from '../primitives.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Moment, Text } from './en.ts';

/** One lane, or one GPU, and what it does now. */
export type LaneLine = {
  readonly key: string;
  readonly lane: Lane;
  readonly name: string;
  readonly says: string;
  readonly decision: LaneDecision;
  /** Since when it rests. */
  readonly heldSince: UnixMs | null;
};

/** When the reason ends by time alone; null when time does not tell. */
export function dueAt(reason: Reason): UnixMs | null {
  switch (reason.kind) {
    case 'paused':
      return reason.until === 'resumed' ? null : reason.until;
    case 'in-use':
    case 'settling':
      return reason.resumesAt;
    case 'schedule-closed':
      return reason.opensAt;
    default:
      return null;
  }
}

const SAYS_NOTHING: ReadonlySet<Reason['kind']> = new Set(['lane-not-offered', 'no-gpu']);
const matters = ({ decision }: { readonly decision: LaneDecision }): boolean =>
  decision.kind === 'run' || !SAYS_NOTHING.has(decision.reason.kind);

/**
 * A sentence for each lane that is offered, and for each GPU where there are some.
 * `at`: the moment to count from, for each reason.
 */
export function laneLines(snapshot: Snapshot, text: Text, at: (reason: Reason) => Moment): readonly LaneLine[] {
  const { lanes, gpus, running, settings } = snapshot;
  const words = text.window.lanes;
  const says = (lane: Lane, decision: LaneDecision): string => {
    if (decision.kind === 'hold') return text.reason(decision.reason, at(decision.reason));
    const jobs = running.filter((job) => job.lane === lane && job.phase !== 'frozen').length;
    if (settings.sharing.draining && jobs > 0) return words.finishing(jobs);
    return jobs > 0 ? words.working(jobs) : words.ready;
  };
  return lanes.filter(matters).flatMap(({ lane, decision, heldSince }): readonly LaneLine[] =>
    lane === 'gpu' && gpus.length > 0
      ? gpus.map((gpu) => ({
          key: gpu.id,
          lane,
          name: gpu.name,
          says: says(lane, gpu.decision),
          decision: gpu.decision,
          heldSince: gpu.heldSince,
        }))
      : [{ key: lane, lane, name: text.window.lane(lane), says: says(lane, decision), decision, heldSince }],
  );
}
