import type { Reason } from '../core/decide.ts';
import { formatTokens } from '../core/money.ts';
import type { PauseChoice } from '../core/policy.ts';
import type { Presence, Snapshot } from '../core/snapshot.ts';
import type { Text } from '../core/text/en.ts';
import { duration } from '../core/text/format.ts';
import { type Language, textIn } from '../core/text/index.ts';
import { dueAt, laneLines } from '../core/text/lanes.ts';

export type TrayAction =
  | { readonly kind: 'share'; readonly mode: 'when-idle' | 'now' }
  | { readonly kind: 'pause'; readonly choice: PauseChoice }
  | { readonly kind: 'resume' }
  | { readonly kind: 'finish' }
  | { readonly kind: 'open' }
  | { readonly kind: 'quit' };

export type TrayItem =
  | { readonly kind: 'line'; readonly label: string }
  | { readonly kind: 'separator' }
  | { readonly kind: 'radio'; readonly label: string; readonly checked: boolean; readonly action: TrayAction }
  | { readonly kind: 'action'; readonly label: string; readonly action: TrayAction }
  | { readonly kind: 'submenu'; readonly label: string; readonly items: readonly TrayItem[] };

/** A plain value: equal models need no redrawing. */
export type TrayModel = {
  readonly icon: Presence;
  readonly tooltip: string;
  readonly items: readonly TrayItem[];
  /** Ms until the words change by time alone; null when they do not. */
  readonly changesIn: number | null;
};

export type LocalTime = { readonly now: number; readonly utcOffsetMinutes: number };

const MINUTE = 60_000;
const MAX_DECIMALS = 4;
const SEPARATOR: TrayItem = { kind: 'separator' };

/** What the tray shows while the agent is still being opened. */
export const openingModel = (language: Language): TrayModel => {
  const text = textIn(language);
  return {
    icon: 'waiting',
    tooltip: `Idlemesh\n${text.presence('waiting')}`,
    items: [{ kind: 'line', label: text.presence('waiting') }, SEPARATOR, ...ways(text)],
    changesIn: null,
  };
};

/** The tray as a function of the snapshot; the remaining time is told in whole minutes. */
export function trayModel(snapshot: Snapshot, language: Language, at: LocalTime): TrayModel {
  const text = textIn(language);
  const moment = (reason: Reason) => ({ ...at, now: at.now + told(dueAt(reason), at.now) });
  const state = text.presence(snapshot.presence);
  const reason = snapshot.reason === null ? null : text.reason(snapshot.reason, moment(snapshot.reason));
  const earned = text.tray.earnedToday(tokens(snapshot));
  const problems = snapshot.problems.map((problem) => text.problem(problem).title);
  const { pausedUntil, draining } = snapshot.settings.sharing;
  const paused = snapshot.presence === 'paused';
  const lanes = laneLines(snapshot, text, moment);
  const named = lanes.map(({ name, says }) => text.window.lanes.named(name, says));

  return {
    icon: snapshot.presence,
    tooltip: ['Idlemesh', state, ...(reason === null ? [] : [reason]), ...problems, earned]
      .filter((line, index, lines) => lines.indexOf(line) === index)
      .join('\n'),
    items: [
      // One lane needs no name: the state of the machine is its state.
      ...(lanes.length > 1 ? named : [reason ?? state]).map((label): TrayItem => ({ kind: 'line', label })),
      ...problems.map((label): TrayItem => ({ kind: 'line', label })),
      ...(draining ? [{ kind: 'line', label: text.window.drain.draining } as const] : []),
      { kind: 'line', label: earned },
      SEPARATOR,
      ...modes(snapshot, text),
      ...(paused || draining
        ? [resume(text, language, paused && typeof pausedUntil === 'number' ? wholeMinutes(pausedUntil, at.now) : null)]
        : [pause(text), finish(text)]),
      SEPARATOR,
      ...ways(text),
    ],
    changesIn: changesIn(snapshot, at.now),
  };
}

const wholeMinutes = (until: number, now: number): number => Math.max(0, Math.ceil((until - now) / MINUTE)) * MINUTE;

/** How much to turn the clock so that whole minutes are left until `due`. */
const told = (due: number | null, now: number): number => (due === null ? 0 : due - wholeMinutes(due, now) - now);

function changesIn({ reason, lanes, gpus }: Snapshot, now: number): number | null {
  const held = [...lanes, ...gpus].flatMap(({ decision }) => (decision.kind === 'hold' ? [decision.reason] : []));
  const ends = [...(reason === null ? [] : [reason]), ...held]
    .map(dueAt)
    .filter((due) => due !== null)
    .filter((due) => due > now)
    .map((due) => (due - now) % MINUTE || MINUTE);
  return ends.length === 0 ? null : Math.min(...ends);
}

function tokens(snapshot: Snapshot): string {
  const amount = formatTokens(snapshot.earnings.today, MAX_DECIMALS, 2);
  return snapshot.network === null ? amount : `${amount} ${snapshot.network.tokenSymbol}`;
}

function modes(snapshot: Snapshot, text: Text): readonly TrayItem[] {
  const { mode } = snapshot.settings.sharing;
  return [
    {
      kind: 'radio',
      label: text.tray.shareWhenIdle,
      checked: mode === 'when-idle',
      action: { kind: 'share', mode: 'when-idle' },
    },
    { kind: 'radio', label: text.tray.shareNow, checked: mode === 'now', action: { kind: 'share', mode: 'now' } },
  ];
}

const pause = (text: Text): TrayItem => ({
  kind: 'submenu',
  label: text.tray.pause,
  items: [
    { kind: 'action', label: text.tray.pauseHour, action: { kind: 'pause', choice: 'hour' } },
    { kind: 'action', label: text.tray.pauseTomorrow, action: { kind: 'pause', choice: 'tomorrow' } },
    { kind: 'action', label: text.tray.pauseResumed, action: { kind: 'pause', choice: 'resumed' } },
  ],
});

const finish = (text: Text): TrayItem => ({
  kind: 'action',
  label: text.window.drain.finish,
  action: { kind: 'finish' },
});

const resume = (text: Text, language: Language, left: number | null): TrayItem => ({
  kind: 'action',
  label: left === null ? text.tray.resume : `${text.tray.resume} (${duration(left, language)})`,
  action: { kind: 'resume' },
});

const ways = (text: Text): readonly TrayItem[] => [
  { kind: 'action', label: text.tray.open, action: { kind: 'open' } },
  { kind: 'action', label: text.tray.quit, action: { kind: 'quit' } },
];
