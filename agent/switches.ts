import type { Decision, LaneDecision, Reason } from '../core/decide.ts';
import type { SwitchEntry } from '../core/ipc.ts';
import { LANES, type UnixMs } from '../core/primitives.ts';
import type { Ports } from './ports.ts';

type Change = Omit<SwitchEntry, 'id'>;

const stateOf = (decision: LaneDecision): 'run' | Reason => (decision.kind === 'run' ? 'run' : decision.reason);
const kindOf = (state: 'run' | Reason): string => (state === 'run' ? state : state.kind);
/** A lane that this build has nothing for has no history, whatever else would keep it from running. */
const SILENT: ReadonlySet<string> = new Set(['lane-not-offered', 'no-gpu']);

/** What begins, stops, or rests for another kind of reason than before. */
export function switchesOf(before: Decision | null, after: Decision, at: UnixMs): readonly Change[] {
  if (before === null) return [];
  const changes: Change[] = [];
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

/** The log and the owner's history of switches. */
export type SwitchBook = {
  /** True: there were any. */
  readonly add: (changes: readonly Change[]) => boolean;
  /** Writes what still waits. */
  readonly close: () => void;
};

/** So many switches of one lane or GPU are written as they come, and one more in so long. */
const AT_ONCE = 12;
const ONE_MORE_MS = 20_000;

/** The switches of one lane or GPU. */
type Line = {
  /** When all may be written as they come again: each that is written puts it off by ONE_MORE_MS. */
  calmAt: UnixMs;
  /** All that has happened since the last one that was written, as one switch. */
  waiting: Change | null;
  cancel: () => void;
};

/**
 * A sensor that cannot make up its mind must not drown the switches that mean something: beyond a few in a row they are
 * gathered, and what is written last is always what holds.
 */
export function createSwitchBook({ clock, log, history }: Pick<Ports, 'clock' | 'log' | 'history'>): SwitchBook {
  const lines = new Map<string, Line>();

  function write(line: Line, change: Change): void {
    line.calmAt = Math.max(line.calmAt, clock.now()) + ONE_MORE_MS;
    const { lane, gpu, from, to } = change;
    log('info', 'switch', { lane, gpu, from: kindOf(from), to: kindOf(to) });
    history.append(change);
  }

  function flush(line: Line): void {
    line.cancel();
    const { waiting } = line;
    line.waiting = null;
    if (waiting !== null && kindOf(waiting.from) !== kindOf(waiting.to)) write(line, waiting);
  }

  function add(change: Change): void {
    const key = `${change.lane}/${change.gpu ?? ''}`;
    const line = lines.get(key) ?? { calmAt: 0, waiting: null, cancel: () => undefined };
    lines.set(key, line);
    if (line.waiting !== null) {
      line.waiting = { ...change, from: line.waiting.from };
      return;
    }
    const now = clock.now();
    // A clock that was set back must not make it wait for hours.
    line.calmAt = Math.min(line.calmAt, now + AT_ONCE * ONE_MORE_MS);
    const wait = line.calmAt - now - (AT_ONCE - 1) * ONE_MORE_MS;
    if (wait <= 0) {
      write(line, change);
      return;
    }
    line.waiting = change;
    line.cancel = clock.after(wait, () => flush(line));
  }

  return {
    add(changes) {
      for (const change of changes) add(change);
      return changes.length > 0;
    },
    close() {
      for (const line of lines.values()) flush(line);
    },
  };
}
