import { unreachable } from '../errors.ts';
import type { LendingState, ScoreReason } from '../lending.ts';

function state(value: LendingState): string {
  switch (value) {
    case 'off':
      return 'Not lent';
    case 'preparing':
      return 'Starting';
    case 'open':
      return 'Open';
    case 'slowed':
      return 'Open, slowly';
    case 'held':
      return 'Resting';
    case 'draining':
      return 'Emptying';
    case 'suspended':
      return 'Nothing new';
    default:
      return unreachable(value);
  }
}

function storageSays(value: LendingState): string {
  switch (value) {
    case 'off':
      return 'Part of your disk can keep encrypted pieces of other people’s files. You see none of it, and lend only what you say.';
    case 'preparing':
      return 'The store is being opened.';
    case 'open':
      return 'Keeps encrypted pieces of files, also while you play.';
    case 'slowed':
      return 'You are here: it stays, and takes no more of the line than you give.';
    case 'held':
      return 'What is kept here stays on your disk, and nobody reaches it for now.';
    case 'draining':
      return 'More is kept here than you lend: it moves to other machines, and then the space is yours.';
    case 'suspended':
      return 'What is kept here stays and is paid. Nothing new comes for a while.';
    default:
      return unreachable(value);
  }
}

function bandwidthSays(value: LendingState): string {
  switch (value) {
    case 'off':
      return 'Your line can hand out files that somebody published. It never carries anyone’s browsing.';
    case 'preparing':
      return 'The cache is being opened.';
    case 'open':
    case 'suspended':
      return 'Hands out published files, and nothing else.';
    case 'slowed':
      return 'You are here: it hands out at your own busy rate.';
    case 'held':
      return 'Nothing is handed out for now.';
    case 'draining':
      return 'The cache gets smaller.';
    default:
      return unreachable(value);
  }
}

function scoreReason(value: ScoreReason): string {
  switch (value) {
    case 'new':
      return 'Too new to be known. It grows with every check.';
    case 'passed':
      return 'The last check was answered right.';
    case 'failed':
      return 'The last check was answered wrong: something that was kept here is damaged.';
    case 'unanswered':
      return 'The last check was not answered in time.';
    case 'offline':
      return 'This machine was away for longer than it may.';
    case 'disqualified':
      return 'Too much was lost here. Nothing more is kept on this machine.';
    default:
      return unreachable(value);
  }
}

/** Disk and line that are lent, for the window, the tray and the terminal. */
export const enLending = {
  title: 'Disk and line',
  alone: 'Lending what you said. No job runs here.',
  alonePromise: 'It stays out of your way, also while you play.',
  state,
  storageSays,
  bandwidthSays,
  /** For one line beside the lane's name. */
  kept: (used: string, all: string) => `${used} of ${all} kept for others`,
  keptUnknown: (all: string) => `up to ${all} for others`,
  handedOut: (bytes: string) => `${bytes} handed out today`,
  line: (stateSaid: string, more: string) => `${stateSaid} · ${more}`,
  ofLent: (all: string) => `of ${all} in use`,
  score: 'Score',
  scoreNone: 'Not rated yet',
  scoreNoneMeaning: 'The first check comes once something is kept here.',
  scoreSaid: (percent: string) => `Score: ${percent} of 100`,
  scoreReason,
  suspended: (when: string) => `Nothing new until ${when}.`,
  checks: 'Checks',
  checksSaid: (passed: string, failed: string) => `${passed} right, ${failed} wrong`,
  checksNone: 'none yet',
  earnedToday: 'Earned today',
  payout: 'Next payout',
  payoutIn: (span: string) => `in ${span}`,
  payoutDue: 'due now',
  payoutNone: 'nothing outstanding',
  served: 'Handed out today',
  readers: 'Being served',
  readersSaid: (count: number) => (count === 0 ? 'nobody right now' : count === 1 ? '1 reader' : `${count} readers`),
  cache: 'Cache',
  cacheSaid: (used: string, all: string) => `${used} of ${all}`,
  lastDays: (days: number) => `Handed out on the last ${days} days`,
  change: 'Change what is lent',
  begin: 'Lend some',
  byDay: 'Disk and line, day by day',
  byDayStored: 'Kept for others',
  byDayLine: 'Over your line',
  byDayChart: (what: string, days: number) => `${what}, over the last ${days} days`,
  byDayNone: 'Nothing was lent in this period yet.',
  byDayNoneDetail: 'Each day shows what others kept here and what passed over your line.',
  notSeen: 'not looked at',
  both: (into: string, out: string) => `${into} in, ${out} out`,
  received: 'received',
  sent: 'sent',
  session: 'Talking with the network',
  limits: 'What you lend',
  limitsMeaning:
    'Off until you say so. Storage stays while you play, since a file must not vanish when somebody starts a game; the line is yours first.',
  storageOn: 'Lend disk space',
  storageOnMeaning: 'Keeps encrypted pieces of files in a sealed container without a network.',
  lendGiB: 'Disk for others',
  lendGiBMeaning:
    'Never more than this. Less than what is kept now: the rest moves away, and you have the space after that.',
  minFree: 'Always leave free',
  minFreeMeaning: 'On the drive that you lend from. Nothing new comes before it gets fuller than this.',
  drive: 'Drive',
  driveOwn: 'Where Docker keeps its own data',
  driveMeaning: 'Another folder counts for what comes from now on.',
  choose: 'Choose a folder',
  chooseTitle: 'Where others’ pieces of files are to lie',
  driveBack: 'Use Docker’s own place',
  driveFailed: 'The folder was not changed',
  bandwidthShare: 'Lend the line',
  bandwidthIdle: 'While I am away',
  bandwidthAlways: 'Always',
  bandwidthNever: 'Off',
  bandwidthMeaning:
    'Hands out published files over your line; nobody’s browsing ever leaves through it. “Always” keeps to your busy rates while you are here.',
  cacheGiB: 'Disk for its cache',
  cacheGiBMeaning: 'What is asked for most stays, what nobody wants makes room.',
  resetDay: 'Counted anew on day',
  resetDayMeaning: 'Of each month, as your provider counts.',
  resetDaySaid: (day: string) => `Day ${day}`,
  on: 'on',
  off: 'off',
  noLimit: 'no limit',
};
