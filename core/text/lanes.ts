import type { LaneDecision, Reason } from '../decide.ts';
import { isJobLane, type Lane, type UnixMs } from '../primitives.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Moment, Text } from './en.ts';
import { gibibytes } from './format.ts';

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
/** What nobody ever lent is no news: it is off until the owner says otherwise. */
const matters = ({ lane, decision }: { readonly lane: Lane; readonly decision: LaneDecision }): boolean =>
  decision.kind === 'run' ||
  !(SAYS_NOTHING.has(decision.reason.kind) || (!isJobLane(lane) && decision.reason.kind === 'lane-off'));

/** What a lane that lends does, and how much of it. */
function lends({ storage, bandwidth }: Snapshot, lane: 'storage' | 'bandwidth', text: Text): string {
  const words = text.window.lend;
  if (lane === 'bandwidth') {
    if (bandwidth === null) return words.state('preparing');
    return words.line(words.state(bandwidth.state), words.handedOut(gibibytes(bandwidth.servedToday)));
  }
  if (storage === null) return words.state('preparing');
  const { usedBytes, lentBytes, state } = storage;
  const all = gibibytes(lentBytes);
  const kept = usedBytes === 'unknown' ? words.keptUnknown(all) : words.kept(gibibytes(usedBytes), all);
  return words.line(words.state(state), kept);
}

/**
 * A sentence for each lane that is offered, and for each GPU where there are some.
 * `at`: the moment to count from, for each reason.
 */
export function laneLines(snapshot: Snapshot, text: Text, at: (reason: Reason) => Moment): readonly LaneLine[] {
  const { lanes, gpus, running, settings } = snapshot;
  const words = text.window.lanes;
  const says = (lane: Lane, decision: LaneDecision): string => {
    if (decision.kind === 'hold') return text.reason(decision.reason, at(decision.reason));
    if (!isJobLane(lane)) return lends(snapshot, lane, text);
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
