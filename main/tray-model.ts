import { formatTokens } from '../core/money.ts';
import type { PauseChoice } from '../core/policy.ts';
import type { Presence, Snapshot } from '../core/snapshot.ts';
import type { Text } from '../core/text/en.ts';
import { duration } from '../core/text/format.ts';
import { type Language, textIn } from '../core/text/index.ts';

export type TrayAction =
  | { readonly kind: 'share'; readonly mode: 'when-idle' | 'now' }
  | { readonly kind: 'pause'; readonly choice: PauseChoice }
  | { readonly kind: 'resume' }
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
  const until = deadline(snapshot);
  const left = until === null ? null : Math.max(0, Math.ceil((until - at.now) / MINUTE)) * MINUTE;
  const told = until === null || left === null ? at.now : until - left;
  const state = text.presence(snapshot.presence);
  const reason =
    snapshot.reason === null
      ? null
      : text.reason(snapshot.reason, { now: told, utcOffsetMinutes: at.utcOffsetMinutes });
  const earned = text.tray.earnedToday(tokens(snapshot));
  const problems = snapshot.problems.map((problem) => text.problem(problem).title);
  const paused = snapshot.presence === 'paused';

  return {
    icon: snapshot.presence,
    tooltip: ['Idlemesh', state, ...(reason === null ? [] : [reason]), ...problems, earned]
      .filter((line, index, lines) => lines.indexOf(line) === index)
      .join('\n'),
    items: [
      { kind: 'line', label: reason ?? state },
      ...problems.map((label): TrayItem => ({ kind: 'line', label })),
      { kind: 'line', label: earned },
      SEPARATOR,
      ...modes(snapshot, text),
      paused ? resume(text, language, left) : pause(text),
      SEPARATOR,
      ...ways(text),
    ],
    changesIn: until === null || until <= at.now ? null : (until - at.now) % MINUTE || MINUTE,
  };
}

function deadline({ reason }: Snapshot): number | null {
  if (reason?.kind === 'paused') return reason.until === 'resumed' ? null : reason.until;
  return reason?.kind === 'in-use' ? reason.resumesAt : null;
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

const resume = (text: Text, language: Language, left: number | null): TrayItem => ({
  kind: 'action',
  label: left === null ? text.tray.resume : `${text.tray.resume} (${duration(left, language)})`,
  action: { kind: 'resume' },
});

const ways = (text: Text): readonly TrayItem[] => [
  { kind: 'action', label: text.tray.open, action: { kind: 'open' } },
  { kind: 'action', label: text.tray.quit, action: { kind: 'quit' } },
];
