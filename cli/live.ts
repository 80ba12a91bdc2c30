import { formatTokens } from '../core/money.ts';
import { plainText } from '../core/plain-text.ts';
import type { LaneView, Snapshot } from '../core/snapshot.ts';
import { type Language, textIn } from '../core/text/index.ts';
import { laneLines } from '../core/text/lanes.ts';

export type Terminal = {
  readonly isTTY: boolean;
  readonly columns: number;
  readonly write: (text: string) => void;
};

const BAR = 24;

const bar = (progress: number): string => {
  const full = Math.round(progress * BAR);
  return `${'█'.repeat(full)}${'░'.repeat(BAR - full)}`;
};

/** The snapshot as lines of text: the terminal's twin of the tray and the window. Pure. */
export function liveLines(snapshot: Snapshot, language: Language, utcOffsetMinutes: number): readonly string[] {
  const text = textIn(language);
  const symbol = snapshot.network?.tokenSymbol ?? '';
  const tokens = (amount: bigint | 'unknown') =>
    amount === 'unknown' ? text.terminal.unknown : `${formatTokens(amount, 6, 2)} ${symbol}`.trim();
  const at = { now: snapshot.at, utcOffsetMinutes };
  const lanes = laneLines(snapshot, text, () => at);
  const lines = [
    `Idlemesh ${snapshot.version} · ${text.presence(snapshot.presence)}`,
    ...(lanes.length > 0
      ? lanes.map(({ name, says }) => `  ${text.window.lanes.named(name, says)}`)
      : snapshot.reason === null
        ? []
        : [`  ${text.reason(snapshot.reason, at)}`]),
    ...snapshot.problems.flatMap((problem) => {
      const { title, advice } = text.problem(problem);
      return [`  ! ${title}`, `    ${advice}`];
    }),
    ...snapshot.running.map(
      (job) =>
        `  ${job.workload}@${job.version}  ${bar(job.progress)} ${String(Math.round(job.progress * 100)).padStart(3)} %  ${tokens(job.price)}  ${text.phase(job.phase)}`,
    ),
    `  ${text.terminal.today}: ${tokens(snapshot.earnings.today)} (${text.terminal.jobs(snapshot.earnings.jobsToday)})`,
    `  ${text.terminal.credited}: ${tokens(snapshot.earnings.credited)}   ${text.terminal.verifying}: ${tokens(snapshot.earnings.verifying)}`,
  ];
  if (snapshot.wallet !== null) {
    lines.push(
      `  ${text.terminal.claimable}: ${tokens(snapshot.wallet.claimable)}   ${text.terminal.balance}: ${tokens(snapshot.wallet.balance)}`,
      `  ${text.terminal.owner}: ${snapshot.wallet.owner}`,
    );
  }
  return lines.map(plainText);
}

const clip = (line: string, columns: number): string =>
  line.length > columns ? `${line.slice(0, columns - 1)}…` : line;

const newsOfLane = ({ decision }: Pick<LaneView, 'decision'>): string =>
  decision.kind === 'run' ? 'run' : decision.reason.kind;

/** What makes a new line worth printing: a state, a reason, a fault or a finished job; not a countdown or progress. */
const newsOf = ({ presence, reason, lanes, gpus, problems, earnings }: Snapshot): string =>
  [
    presence,
    reason?.kind,
    ...[...lanes, ...gpus].map(newsOfLane),
    ...problems.map((problem) => problem.kind),
    earnings.jobsToday,
    earnings.today,
  ].join(' ');

function briefLine(snapshot: Snapshot, language: Language, utcOffsetMinutes: number): string {
  const text = textIn(language);
  const { earnings, network, reason } = snapshot;
  const today = `${formatTokens(earnings.today, 6, 2)} ${network?.tokenSymbol ?? ''}`.trim();
  const said = [
    text.presence(snapshot.presence),
    ...(reason === null ? [] : [text.reason(reason, { now: snapshot.at, utcOffsetMinutes })]),
    ...snapshot.problems.map((problem) => text.problem(problem).title),
    `${text.terminal.today}: ${today} (${text.terminal.jobs(earnings.jobsToday)})`,
  ];
  return plainText(said.join(' · '));
}

/** Draws in place on a terminal; elsewhere prints a line for each piece of news. */
export function createLiveView(terminal: Terminal, language: Language, utcOffsetMinutes: () => number) {
  let drawn = 0;
  let last = '';
  return (snapshot: Snapshot): void => {
    const lines = liveLines(snapshot, language, utcOffsetMinutes());
    if (terminal.isTTY) {
      const up = drawn > 0 ? `\u001b[${drawn}A\u001b[0J` : '';
      terminal.write(`${up}${lines.map((line) => clip(line, terminal.columns)).join('\n')}\n`);
      drawn = lines.length;
      return;
    }
    const news = newsOf(snapshot);
    if (news !== last) terminal.write(`${briefLine(snapshot, language, utcOffsetMinutes())}\n`);
    last = news;
  };
}
