import type { Decision, LaneDecision, Reason } from '../core/decide.ts';
import type { SwitchEntry } from '../core/ipc.ts';
import { LANES, type UnixMs } from '../core/primitives.ts';

const stateOf = (decision: LaneDecision): 'run' | Reason => (decision.kind === 'run' ? 'run' : decision.reason);
export const kindOf = (state: 'run' | Reason): string => (state === 'run' ? state : state.kind);
/** A lane that this build has nothing for has no history, whatever else would keep it from running. */
const SILENT: ReadonlySet<string> = new Set(['lane-not-offered', 'no-gpu']);

/** What begins, stops, or rests for another kind of reason than before. */
export function switchesOf(before: Decision | null, after: Decision, at: UnixMs): readonly Omit<SwitchEntry, 'id'>[] {
  if (before === null) return [];
  const changes: Omit<SwitchEntry, 'id'>[] = [];
  const compare = (lane: SwitchEntry['lane'], gpu: string | null, was: LaneDecision, is: LaneDecision): void => {
    const [from, to] = [stateOf(was), stateOf(is)];
    if (
      kindOf(from) === kindOf(to) ||
      (from !== 'run' && to !== 'run' && (SILENT.has(from.kind) || SILENT.has(to.kind)))
    )
      return;
    changes.push({ at, lane, gpu, from, to });
  };
  for (const lane of LANES) compare(lane, null, before.lanes[lane], after.lanes[lane]);
  for (const [id, is] of Object.entries(after.gpus)) {
    const was = before.gpus[id];
    if (was !== undefined) compare('gpu', id, was, is);
  }
  return changes;
}
