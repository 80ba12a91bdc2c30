import { z } from 'zod';
import type { Diagnosed } from './doctor.ts';
import type { Outcome } from './errors.ts';
import type { Reason } from './guards.ts';
import type { Amount } from './money.ts';
import type { PauseChoice } from './policy.ts';
import type { Hex32, Lane, UnixMs } from './primitives.ts';
import { address, unixMs } from './primitives.ts';
import type { Proof } from './proof.ts';
import { type SettingsPatch, settingsPatch } from './settings.ts';
import type { Snapshot } from './snapshot.ts';
import type { TrafficDay } from './traffic.ts';

/** One credited or refused item of the owner's history on this device, newest first. */
export type EarningsEntry = {
  readonly leaseId: Hex32;
  readonly at: UnixMs;
  readonly lane: Lane;
  readonly workload: string;
  readonly amount: Amount;
  readonly state: 'verifying' | 'verified' | 'reported' | 'credited' | 'refused';
  /** Sequence of the report that carries it; null before one does. */
  readonly report: number | null;
  readonly detail: string | null;
};
/** `before`: entries strictly older; null for the newest. */
export type EarningsQuery = { readonly before: UnixMs | null; readonly limit: number };
export type EarningsPage = { readonly entries: readonly EarningsEntry[]; readonly more: boolean };

/** Credited per local day and lane, oldest first; days without earnings are present with 0. */
export type DailyQuery = { readonly days: number };
export type DailyEarnings = readonly { readonly dayStart: UnixMs; readonly lane: Lane; readonly amount: Amount }[];

/** Bytes per local day and carrier, oldest first; days on which nothing passed are present. */
export type DailyTraffic = readonly TrafficDay[];

/** One change of what a lane or a GPU does, and why. `run` or the reason it rests. */
export type SwitchEntry = {
  /** Grows with every entry. */
  readonly id: number;
  readonly at: UnixMs;
  readonly lane: Lane;
  /** The GPU's id; null: the whole lane. */
  readonly gpu: string | null;
  readonly from: 'run' | Reason;
  readonly to: 'run' | Reason;
};
/** `before`: entries with a smaller id; null for the newest. */
export type SwitchQuery = { readonly before: number | null; readonly limit: number };
export type SwitchPage = { readonly entries: readonly SwitchEntry[]; readonly more: boolean };

/** A program that runs now and could be taught as a game. */
export type RunningApp = { readonly name: string; readonly path: string | null; readonly game: boolean };

/**
 * What the window may ask of the main process; nothing else crosses. Each takes one plain argument and answers an
 * acknowledgement or a failure. Keys, seeds and file contents never cross.
 */
export type Commands = {
  shareMode(mode: 'when-idle' | 'now'): Promise<Outcome<null>>;
  pause(choice: PauseChoice): Promise<Outcome<null>>;
  /** Also ends `finishThenStop`. */
  resume(argument: null): Promise<Outcome<null>>;
  /** Jobs in hand are finished, none is begun, until the owner resumes. */
  finishThenStop(argument: null): Promise<Outcome<null>>;
  updateSettings(patch: SettingsPatch): Promise<Outcome<null>>;
  /** Moves a broken settings file aside and starts from the defaults. */
  resetSettings(argument: null): Promise<Outcome<null>>;
  /** Claims all that is claimable to `recipient` (null: the owner's own address). Progress is in the snapshot. */
  withdraw(argument: { readonly recipient: string | null }): Promise<Outcome<null>>;
  earnings(query: EarningsQuery): Promise<Outcome<EarningsPage>>;
  dailyEarnings(query: DailyQuery): Promise<Outcome<DailyEarnings>>;
  dailyTraffic(query: DailyQuery): Promise<Outcome<DailyTraffic>>;
  /**
   * Lets the owner choose, in a dialog of the system, where what others keep is to lie; answers null when they chose nothing. The
   * window names no folder itself.
   */
  chooseFolder(argument: null): Promise<Outcome<string | null>>;
  /** When what began and stopped, newest first. */
  switches(query: SwitchQuery): Promise<Outcome<SwitchPage>>;
  /** Programs with the owner's name on them that run now, to choose a game from. */
  runningApps(argument: null): Promise<Outcome<readonly RunningApp[]>>;
  /** Tries to break out of the sandbox; answers when it is done, minutes later on a slow machine. Progress is in the snapshot. */
  prove(argument: null): Promise<Outcome<Proof>>;
  /** What the last proof tried, one by one; null: there was none. */
  lastProof(argument: null): Promise<Outcome<Proof | null>>;
  /** Looks at everything that sharing needs, anew. */
  doctor(argument: null): Promise<Outcome<Diagnosed>>;
  /** Opens one of our documents in the browser; the argument is a name, never an address. */
  openHelp(topic: 'docker' | 'wallet' | 'practice'): Promise<Outcome<null>>;
};
export type CommandName = keyof Commands;

/** Checks what arrives from the renderer: one schema per command, exhaustive by type. */
export const commandArguments = {
  shareMode: z.enum(['when-idle', 'now']),
  pause: z.enum(['hour', 'tomorrow', 'resumed']),
  resume: z.null(),
  finishThenStop: z.null(),
  updateSettings: settingsPatch,
  resetSettings: z.null(),
  withdraw: z.strictObject({ recipient: address.nullable() }),
  earnings: z.strictObject({ before: unixMs.nullable(), limit: z.number().int().min(1).max(200) }),
  dailyEarnings: z.strictObject({ days: z.number().int().min(1).max(366) }),
  dailyTraffic: z.strictObject({ days: z.number().int().min(1).max(62) }),
  chooseFolder: z.null(),
  switches: z.strictObject({
    before: z.number().int().positive().nullable(),
    limit: z.number().int().min(1).max(200),
  }),
  runningApps: z.null(),
  doctor: z.null(),
  prove: z.null(),
  lastProof: z.null(),
  openHelp: z.enum(['docker', 'wallet', 'practice']),
} as const satisfies { readonly [Name in CommandName]: z.ZodType<Parameters<Commands[Name]>[0]> };

export const COMMAND_NAMES = Object.keys(commandArguments) as readonly CommandName[];

/** The whole of `window.idlemesh`. Subscribe first, then ask for the current snapshot; drop what has an older `rev`. */
export type Bridge = {
  readonly commands: Commands;
  readonly snapshot: () => Promise<Snapshot>;
  /** Returns the function that ends the subscription. */
  readonly onSnapshot: (listener: (snapshot: Snapshot) => void) => () => void;
};

/** The three channel names; raw Electron IPC is used in main/ipc.ts and preload/index.ts only. */
export const CHANNEL = {
  command: 'idlemesh:command',
  snapshot: 'idlemesh:snapshot',
  pushed: 'idlemesh:snapshot-pushed',
} as const;
