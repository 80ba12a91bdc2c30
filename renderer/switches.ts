import type { Reason } from '../core/decide.ts';
import { unreachable } from '../core/errors.ts';
import type { SwitchEntry } from '../core/ipc.ts';
import type { UnixMs } from '../core/primitives.ts';

type State = SwitchEntry['to'];
export type Group = 'run' | 'owner' | 'program' | 'machine' | 'trouble';

/** Who or what asked for it. */
export function groupOf(state: State): Group {
  if (state === 'run') return 'run';
  const kind: Reason['kind'] = state.kind === 'settling' ? state.after : state.kind;
  switch (kind) {
    case 'paused':
    case 'lane-off':
    case 'drained':
    case 'in-use':
    case 'schedule-closed':
    case 'data-cap':
      return 'owner';
    case 'game':
    case 'fullscreen':
    case 'media':
    case 'cpu-busy':
    case 'gpu-busy':
    case 'gpu-memory':
      return 'program';
    case 'on-battery':
    case 'metered':
    case 'too-hot':
    case 'disk-low':
    case 'lane-not-offered':
    case 'no-gpu':
    case 'fetching-image':
    case 'gpu-refused':
      return 'machine';
    case 'settings-broken':
    case 'ledger-unwritable':
    case 'sandbox-leaks':
    case 'engine-unchecked':
    case 'engine-absent':
    case 'engine-forbidden':
    case 'engine-unfit':
    case 'idle-unknown':
    case 'sensor-unknown':
    case 'coordinator-away':
      return 'trouble';
    default:
      return unreachable(kind);
  }
}

export const unitOf = ({ lane, gpu }: Pick<SwitchEntry, 'lane' | 'gpu'>): string => gpu ?? lane;

export type SwitchRow = {
  readonly entry: SwitchEntry;
  /** How long this state lasted, in ms; null: it still does. */
  readonly lastedMs: number | null;
  /** Of a return to sharing: since when it had given way; null where that is not among the entries. */
  readonly awaySince: UnixMs | null;
};
export type SwitchDay = { readonly dayStart: UnixMs; readonly rows: readonly SwitchRow[] };

/** Local midnight, which is not always 24 h after the last one. */
export function dayStartOf(at: UnixMs): UnixMs {
  const day = new Date(at);
  return new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime();
}

/** Newest first, as the entries come, under their local days. */
export function byDay(entries: readonly SwitchEntry[]): readonly SwitchDay[] {
  const endOf = new Map<string, UnixMs>();
  const lasting = entries.map((entry) => {
    const end = endOf.get(unitOf(entry)) ?? null;
    endOf.set(unitOf(entry), entry.at);
    return end === null ? null : Math.max(0, end - entry.at);
  });
  const leftAt = new Map<string, UnixMs>();
  const away = [...entries]
    .reverse()
    .map((entry) => {
      if (entry.from === 'run') leftAt.set(unitOf(entry), entry.at);
      return entry.to === 'run' ? (leftAt.get(unitOf(entry)) ?? null) : null;
    })
    .reverse();
  const days: { readonly dayStart: UnixMs; readonly rows: SwitchRow[] }[] = [];
  for (const [at, entry] of entries.entries()) {
    const dayStart = dayStartOf(entry.at);
    const row = { entry, lastedMs: lasting[at] ?? null, awaySince: away[at] ?? null };
    const last = days.at(-1);
    if (last?.dayStart === dayStart) last.rows.push(row);
    else days.push({ dayStart, rows: [row] });
  }
  return days;
}

export type Stretch = { readonly from: UnixMs; readonly to: UnixMs; readonly group: Group };
export type Ribbon = { readonly unit: string; readonly of: SwitchEntry; readonly stretches: readonly Stretch[] };

/** What each unit did between `from` and `to`; what came before its oldest entry follows from what it changed. */
export function ribbons(entries: readonly SwitchEntry[], from: UnixMs, to: UnixMs): readonly Ribbon[] {
  const units = new Map<string, SwitchEntry[]>();
  for (const entry of [...entries].reverse()) {
    const known = units.get(unitOf(entry));
    if (known === undefined) units.set(unitOf(entry), [entry]);
    else known.push(entry);
  }
  return [...units].flatMap(([unit, changes]): readonly Ribbon[] => {
    const [oldest] = changes;
    if (oldest === undefined) return [];
    const stretches: Stretch[] = [];
    const add = (begin: UnixMs, end: UnixMs, state: State): void => {
      const [left, right] = [Math.max(from, begin), Math.min(to, end)];
      if (right <= left) return;
      const group = groupOf(state);
      const last = stretches.at(-1);
      if (last?.group === group) stretches[stretches.length - 1] = { ...last, to: right };
      else stretches.push({ from: left, to: right, group });
    };
    add(from, oldest.at, oldest.from);
    for (const [at, entry] of changes.entries()) add(entry.at, changes[at + 1]?.at ?? to, entry.to);
    return [{ unit, of: oldest, stretches }];
  });
}

/** The program that made it give way, where there is one that the owner may not want to be minded. */
export const programOf = (state: State): string | null =>
  state !== 'run' && (state.kind === 'game' || state.kind === 'fullscreen') ? state.name : null;
