import type { Reason } from '../decide.ts';
import { unreachable } from '../errors.ts';
import type { Fetching } from '../signals.ts';
import type { Presence, Problem, RunPhase } from '../snapshot.ts';
import { enCatalogue } from './en-catalogue.ts';
import { enUnfit } from './en-engine.ts';
import { enGpu } from './en-gpus.ts';
import { enProof } from './en-proof.ts';
import { enDisturbances as disturbances, enSensors as sensorNames } from './en-sensing.ts';
import { enWindow } from './en-window.ts';
import { calendarDay, clockTime, duration, gibibytes } from './format.ts';

const LOCALE = 'en';

/** `now` in Unix ms; `utcOffsetMinutes`: local time minus UTC. */
export type Moment = { readonly now: number; readonly utcOffsetMinutes: number };

function reason(value: Reason, at: Moment): string {
  switch (value.kind) {
    case 'settings-broken':
      return 'Resting: the settings file cannot be read';
    case 'ledger-unwritable':
      return 'Resting: earnings cannot be written to disk';
    case 'sandbox-leaks':
      return 'Resting: a test got out of the sandbox';
    case 'paused':
      return value.until === 'resumed'
        ? 'Paused until you resume'
        : `Paused until ${clockTime(value.until, at)} (${duration(value.until - at.now, LOCALE)} left)`;
    case 'lane-off':
      return 'Switched off in your limits';
    case 'lane-not-offered':
      return 'Not available yet';
    case 'no-gpu':
      return 'This machine has no graphics card that can be shared';
    case 'gpu-refused':
      return `Not shared: ${enGpu(value.why).cause}`;
    case 'engine-unchecked':
      return 'Looking for Docker';
    case 'engine-absent':
      return 'Resting: Docker is not running';
    case 'engine-forbidden':
      return 'Resting: this user may not use Docker';
    case 'engine-unfit':
      return `Resting: Docker cannot isolate work safely (${enUnfit(value.why).short})`;
    case 'disk-low':
      return `Resting: ${gibibytes(value.freeBytes)} of disk free, ${gibibytes(value.neededBytes)} must stay free`;
    case 'on-battery':
      return 'Resting on battery power';
    case 'idle-unknown':
      return 'Resting: this system does not say whether you are here';
    case 'in-use':
      return `You are here. Sharing in ${duration(value.resumesAt - at.now, LOCALE)} if you leave`;
    case 'drained':
      return 'Finished as you asked. Resting until you resume';
    case 'schedule-closed':
      return value.opensAt === null
        ? 'Outside the hours you share'
        : `Outside the hours you share. Next in ${duration(value.opensAt - at.now, LOCALE)}, at ${clockTime(value.opensAt, at)}`;
    case 'metered':
      return 'Resting: this network is metered';
    case 'data-cap':
      return `Resting: this month’s ${gibibytes(value.capBytes)} of data are used, but for finished results. Sharing again on ${calendarDay(value.resetsAt, at, LOCALE)}`;
    case 'too-hot':
      return `Resting: ${Math.round(value.celsius)} °C is over your limit of ${value.limit} °C`;
    case 'game':
      return `Resting while ${value.name} runs`;
    case 'fullscreen':
      return `Resting while ${value.name} fills the screen`;
    case 'gpu-memory':
      return `Resting: other programs hold ${value.percent} % of the memory of ${value.gpu}`;
    case 'gpu-busy':
      return `Resting: other programs use ${value.percent} % of ${value.gpu}`;
    case 'media':
      return `Resting while ${value.name} plays or keeps the screen awake`;
    case 'cpu-busy':
      return `Resting: other programs use ${value.percent} % of the processor`;
    case 'sensor-unknown':
      return `Resting to be safe: ${sensorNames[value.sensor]} cannot be read just now`;
    case 'settling':
      return `${disturbances[value.after]} Sharing in ${duration(value.resumesAt - at.now, LOCALE)} if it stays so`;
    case 'coordinator-away':
      return 'Waiting for the network';
    case 'fetching-image':
      return fetching(value);
    default:
      return unreachable(value);
  }
}

function fetching({ percent, stuck }: Fetching): string {
  if (percent !== null) return `Fetching the program for the work: ${percent} %`;
  switch (stuck) {
    case 'disk':
      return 'Too little free disk for the program for the work';
    case 'budget':
      return 'The program for the work needs more disk than Limits gives to programs';
    case 'failed':
      return 'The program for the work could not be fetched; it is tried again';
    default:
      return 'The program for the work is not on this machine yet';
  }
}

/** What is wrong and what to do about it. */
function problem(value: Problem): { readonly title: string; readonly advice: string } {
  switch (value.kind) {
    case 'settings-broken':
      return {
        title: 'The settings file cannot be read',
        advice: `${value.detail}. Correct ${value.path}, or start from the defaults. Nothing is shared until then.`,
      };
    case 'ledger-unwritable':
      return {
        title: 'Earnings cannot be written to disk',
        advice: `${value.detail}. Free some space. Nothing earned is lost, and sharing resumes by itself.`,
      };
    case 'sandbox-leaks':
      return {
        title: 'A test got out of the sandbox',
        advice: enProof.advice,
      };
    case 'engine-absent':
      return {
        title: 'Docker is not running',
        advice: `${value.detail}. Start or install Docker; sharing begins by itself once it answers.`,
      };
    case 'engine-forbidden':
      return {
        title: 'This user may not use Docker',
        advice: `${value.detail}. On Linux, add yourself to the group docker (sudo usermod -aG docker "$USER"), then log out and in again. Sharing begins by itself.`,
      };
    case 'engine-unfit':
      return {
        title: `Docker cannot isolate work safely: ${enUnfit(value.why).short}`,
        advice: enUnfit(value.why).advice,
      };
    case 'engine-slow':
      return {
        title: 'Docker was too slow to freeze work',
        advice: `${value.detail}. The work was ended instead, so that the machine is yours; it starts again by itself later.`,
      };
    case 'disk-low':
      return {
        title: 'The disk is nearly full',
        advice: `${gibibytes(value.freeBytes)} free; you asked to keep ${gibibytes(value.neededBytes)}. Free some space or lower the limit.`,
      };
    case 'coordinator-away':
      return {
        title: 'The network cannot be reached',
        advice: `${value.url}: ${value.detail}. Finished work is kept and sent when it answers again.`,
      };
    case 'coordinator-refused':
      return { title: 'The network refused this device', advice: `${value.url}: ${value.detail}` };
    case 'chain-away':
      return {
        title: 'The chain cannot be reached',
        advice: `${value.detail}. Balances are unknown and withdrawals wait; what you earned is safe.`,
      };
    case 'vault-unreadable':
      return {
        title: 'The wallet cannot be opened',
        advice: `${value.detail}. Nothing was changed. Unlock the system keyring that was used before, then start again.`,
      };
    case 'catalogue-untrusted':
    case 'catalogue-refused':
    case 'catalogue-expiring':
      return enCatalogue(value);
    case 'not-started':
      return {
        title: 'Idlemesh could not start',
        advice: `${value.detail}. Nothing is shared meanwhile; it is tried again by itself.`,
      };
    default:
      return unreachable(value);
  }
}

function presence(value: Presence): string {
  switch (value) {
    case 'sharing':
      return 'Sharing';
    case 'waiting':
      return 'Waiting';
    case 'paused':
      return 'Paused';
    case 'attention':
      return 'Needs attention';
    default:
      return unreachable(value);
  }
}

function phase(value: RunPhase): string {
  switch (value) {
    case 'fetching':
      return 'fetching input';
    case 'running':
      return 'running';
    case 'frozen':
      return 'frozen';
    case 'uploading':
      return 'sending result';
    default:
      return unreachable(value);
  }
}

export const en = {
  reason,
  problem,
  presence,
  phase,
  terminal: {
    unknown: 'unknown',
    today: 'Today',
    jobs: (count: number) => (count === 1 ? '1 job' : `${count} jobs`),
    credited: 'Credited',
    verifying: 'Being verified',
    claimable: 'Ready to withdraw',
    balance: 'In your wallet',
    owner: 'Owner',
  },
  tray: {
    earnedToday: (amount: string) => `${amount} earned today`,
    shareWhenIdle: 'Share when idle',
    shareNow: 'Share now',
    pause: 'Pause',
    pauseHour: 'For 1 hour',
    pauseTomorrow: 'Until tomorrow',
    pauseResumed: 'Until I resume',
    resume: 'Resume',
    open: 'Open Idlemesh',
    quit: 'Quit',
  },
  window: enWindow,
};

/** Every sentence the product says; a language that lacks one does not compile. */
export type Text = typeof en;
