import type { ErrorCode } from '../errors.ts';
import { unreachable } from '../errors.ts';
import type { EarningsEntry } from '../ipc.ts';
import type { Lane } from '../primitives.ts';
import type { CoordinatorState, EngineState } from '../signals.ts';

type EntryState = EarningsEntry['state'];
type WithdrawalStep = 'signing' | 'relaying' | 'confirming' | 'done';

/** What the owner can do about a failure; the failure's own message stands beside it. */
function failure(code: ErrorCode): string {
  switch (code) {
    case 'BAD_INPUT':
      return 'That value is not possible here. Nothing was changed.';
    case 'UNAUTHORISED':
      return 'The network does not accept this device. Start Idlemesh again to enrol it anew.';
    case 'NOT_FOUND':
      return 'There is nothing here yet. Try again after the next settlement.';
    case 'CONFLICT':
      return 'Something else is still in progress. Wait for it to finish, then try again.';
    case 'REFUSED':
      return 'It was refused, and nothing was changed.';
    case 'TOO_MANY':
      return 'Too much was asked at once. It goes on by itself.';
    case 'INSUFFICIENT_FUNDS':
      return 'There is nothing to withdraw right now.';
    case 'ENGINE_AWAY':
      return 'Docker does not answer. Start it, then try again.';
    case 'COORDINATOR_AWAY':
    case 'DATABASE_AWAY':
      return 'The network cannot be reached. Your earnings are safe; try again later.';
    case 'CHAIN_AWAY':
      return 'The chain cannot be reached. Your earnings are safe; try again later.';
    case 'REGISTRY_AWAY':
      return 'The image registry cannot be reached. It is tried again by itself.';
    case 'DISK_FULL':
      return 'The disk is full. Free some space, then try again.';
    case 'SETTINGS_BROKEN':
      return 'The settings file cannot be read. Correct it, or start from the defaults.';
    case 'VAULT_UNREADABLE':
      return 'The wallet is locked. Unlock the system keyring, then start Idlemesh again.';
    case 'TIMEOUT':
      return 'It took too long. Your earnings are safe; try again.';
    case 'CANCELLED':
      return 'It was cancelled. Nothing was changed.';
    case 'WORKLOAD_FAILED':
      return 'The work failed. It is not paid, and other work goes on.';
    case 'INTERNAL':
      return 'Something unexpected happened. Try again; if it stays, start Idlemesh again.';
    default:
      return unreachable(code);
  }
}

function entryState(state: EntryState): string {
  switch (state) {
    case 'verifying':
      return 'Being verified';
    case 'verified':
      return 'Accepted';
    case 'reported':
      return 'Reported';
    case 'credited':
      return 'Credited';
    case 'refused':
      return 'Refused';
    default:
      return unreachable(state);
  }
}

function step(value: WithdrawalStep): { readonly title: string; readonly meaning: string } {
  switch (value) {
    case 'signing':
      return { title: 'Signing', meaning: 'Your wallet signs the withdrawal on this machine.' };
    case 'relaying':
      return { title: 'Relaying', meaning: 'The network hands it to the chain for you.' };
    case 'confirming':
      return { title: 'Confirming', meaning: 'The chain writes it down.' };
    case 'done':
      return { title: 'Done', meaning: 'The tokens have arrived.' };
    default:
      return unreachable(value);
  }
}

function engine(state: EngineState): string {
  switch (state.kind) {
    case 'ready':
      return `Docker ${state.version}`;
    case 'unchecked':
      return 'Looking for Docker';
    case 'absent':
      return 'Docker not running';
    case 'forbidden':
      return 'Docker not permitted';
    case 'unfit':
      return 'Docker not suitable';
    default:
      return unreachable(state);
  }
}

function coordinator(state: CoordinatorState): string {
  switch (state.kind) {
    case 'connecting':
      return 'Connecting';
    case 'connected':
      return 'Connected';
    case 'away':
      return 'Not reachable';
    case 'refused':
      return 'Refused';
    default:
      return unreachable(state);
  }
}

const LANE_NAMES: Readonly<Record<Lane, string>> = {
  cpu: 'Processor',
  gpu: 'Graphics card',
  bandwidth: 'Bandwidth',
  storage: 'Storage',
};

const WORKLOADS: Readonly<Record<string, string>> = { transcode: 'Video transcoding' };

/** A word or sentence per member of the unions that the window shows. */
export const enWords = {
  unknown: 'unknown',
  tokens: 'tokens',
  failure,
  entryState,
  step,
  engine,
  coordinator,
  lane: (value: Lane) => LANE_NAMES[value],
  workload: (id: string) => WORKLOADS[id] ?? id,
};
