import { z } from 'zod';
import { GVISOR_CHOICES } from './engine-gates.ts';
import { fail } from './errors.ts';
import { type Lane, ownValue, perLane, unixMs } from './primitives.ts';
import { scheduleSchema } from './schedule.ts';

const MINUTE = 60;
const MAX_APPS = 200;

const percent = z.number().int().min(5).max(100);

/** When work gives way. `null`: that load, or that heat, never matters. */
const ruleShape = {
  /** Seconds without input before the machine counts as idle. */
  idleAfterSeconds: z.number().int().min(10).max(86_400),
  /** Of all cores, by others than our containers. */
  cpuBusyPercent: percent.nullable(),
  /** Of a GPU's time, by others. */
  gpuBusyPercent: percent.nullable(),
  /** Of a GPU's memory, held by others. */
  gpuMemoryPercent: percent.nullable(),
  maxTemperatureC: z.number().int().min(40).max(110).nullable(),
  shareOnBattery: z.boolean(),
  shareOnMetered: z.boolean(),
  restForGames: z.boolean(),
  restForFullscreen: z.boolean(),
  restForMedia: z.boolean(),
  /** Whether the weekly schedule applies. */
  followSchedule: z.boolean(),
} as const;

const rulesSchema = z.strictObject({
  idleAfterSeconds: ruleShape.idleAfterSeconds.default(3 * MINUTE),
  cpuBusyPercent: ruleShape.cpuBusyPercent.default(60),
  gpuBusyPercent: ruleShape.gpuBusyPercent.default(20),
  gpuMemoryPercent: ruleShape.gpuMemoryPercent.default(60),
  maxTemperatureC: ruleShape.maxTemperatureC.default(90),
  shareOnBattery: ruleShape.shareOnBattery.default(false),
  shareOnMetered: ruleShape.shareOnMetered.default(false),
  restForGames: ruleShape.restForGames.default(true),
  restForFullscreen: ruleShape.restForFullscreen.default(true),
  restForMedia: ruleShape.restForMedia.default(true),
  followSchedule: ruleShape.followSchedule.default(true),
});
export type Rules = z.output<typeof rulesSchema>;
const rulesPart = z.strictObject(ruleShape).partial();

const share = z.enum(['when-idle', 'always', 'never']);
export type ShareChoice = z.output<typeof share>;

/** A lane's, or one GPU's, own choices; what its rules leave out is as in general. */
const unitSchema = z.strictObject({ share: share.default('when-idle'), rules: rulesPart.default({}) });
const unitPatch = z.strictObject({ share, rules: rulesPart }).partial();

/** Lent from the day the owner says so, and not before: it fills a disk, and it uses the line while they are there. */
const bandwidthSchema = z.strictObject({ share: share.default('never'), rules: rulesPart.default({}) });
/** There is no storage `when-idle`: what others keep here must not vanish whenever somebody plays. */
const stays = z.enum(['always', 'never']);
const storageSchema = z.strictObject({ share: stays.default('never'), rules: rulesPart.default({}) });
const storagePatch = z.strictObject({ share: stays, rules: rulesPart }).partial();

const limitShape = {
  /** Of all cores together. */
  cpuPercent: z.number().int().min(5).max(100),
  memoryMiB: z.number().int().min(256).max(1_048_576),
  minFreeDiskMiB: z.number().int().min(256).max(1_048_576),
  /** Processes and threads of one job. */
  pids: z.number().int().min(32).max(4096),
  /** Disk for the images of work that were fetched for it. */
  imagesMiB: z.number().int().min(256).max(1_048_576),
} as const;

const engineShape = {
  /** Work runs under gVisor where the engine offers it, only there, or never. */
  gvisor: z.enum(GVISOR_CHOICES),
  /** An engine on another machine may be used. */
  allowRemote: z.boolean(),
} as const;

const mbps = z.number().int().min(1).max(10_000).nullable();
/** Of the owner's line, for all work together; `busy`: while somebody is at the machine or plays. `null`: no limit. Mbit/s. */
const networkShape = {
  idleDownMbps: mbps,
  idleUpMbps: mbps,
  busyDownMbps: mbps,
  busyUpMbps: mbps,
  /** In and out together, from one reset day to the next. */
  monthlyCapGiB: z.number().int().min(1).max(1_000_000).nullable(),
  /** Day of the month on which the counting begins anew, at local midnight; every month has a 28th. */
  resetDay: z.number().int().min(1).max(28),
} as const;

const gib = z.number().int().min(1).max(1_000_000);
const storageShape = {
  /** Disk for what others keep here. */
  lendGiB: gib,
  /** Of the drive it lies on; what others keep here gives way before it is less. */
  minFreeGiB: gib,
} as const;
/** An absolute path of this system, or of Windows. */
const folder = z
  .string()
  .max(4096)
  .regex(/^(\/|[A-Za-z]:[\\/]|\\\\)[^\0]*$/, 'expected an absolute path');

/** Disk for chunks that are served over the line. */
const bandwidthShape = { cacheGiB: gib } as const;

/** Part of a process's file name or path, compared without regard to case. */
const appName = z.string().trim().min(2).max(260);

/** The owner's choices, as they stand in `settings.json`. Unknown keys are refused: a typing error must not be silent. */
export const settingsSchema = z.strictObject({
  version: z.literal(3),
  language: z.enum(['system', 'en', 'ja']).default('system'),
  theme: z.enum(['system', 'light', 'dark']).default('system'),
  startAtLogin: z.boolean().default(false),
  sharing: z
    .strictObject({
      mode: z.enum(['when-idle', 'now']).default('when-idle'),
      /** null: not paused; 'resumed': until the owner resumes; a time: until then. */
      pausedUntil: z
        .union([unixMs, z.literal('resumed')])
        .nullable()
        .default(null),
      /** Jobs in hand are finished, no other is begun, until the owner resumes. */
      draining: z.boolean().default(false),
    })
    .prefault({}),
  rules: rulesSchema.prefault({}),
  lanes: z
    .strictObject({
      ...{ cpu: unitSchema.prefault({}), gpu: unitSchema.prefault({}) },
      ...{ bandwidth: bandwidthSchema.prefault({}), storage: storageSchema.prefault({}) },
    })
    .prefault({}),
  /** By GPU id; one that is not named follows the lane. */
  gpus: z.record(z.string().max(100), unitSchema).default({}),
  games: z
    .strictObject({
      /** The owner's own, beside those that are known. */
      own: z.array(appName).max(MAX_APPS).default([]),
      /** Known as games or seen in fullscreen, and not to be minded. */
      ignored: z.array(appName).max(MAX_APPS).default([]),
    })
    .prefault({}),
  schedule: scheduleSchema.nullable().default(null),
  limits: z
    .strictObject({
      cpuPercent: limitShape.cpuPercent.default(50),
      memoryMiB: limitShape.memoryMiB.default(2048),
      minFreeDiskMiB: limitShape.minFreeDiskMiB.default(2048),
      pids: limitShape.pids.default(512),
      imagesMiB: limitShape.imagesMiB.default(10_240),
      network: z
        .strictObject({
          idleDownMbps: networkShape.idleDownMbps.default(100),
          idleUpMbps: networkShape.idleUpMbps.default(20),
          busyDownMbps: networkShape.busyDownMbps.default(5),
          busyUpMbps: networkShape.busyUpMbps.default(1),
          monthlyCapGiB: networkShape.monthlyCapGiB.default(null),
          resetDay: networkShape.resetDay.default(1),
        })
        .prefault({}),
      storage: z
        .strictObject({
          lendGiB: storageShape.lendGiB.default(50),
          minFreeGiB: storageShape.minFreeGiB.default(20),
          /** Where it lies; null: wherever the engine keeps its volumes. */
          folder: folder.nullable().default(null),
        })
        .prefault({}),
      bandwidth: z.strictObject({ cacheGiB: bandwidthShape.cacheGiB.default(10) }).prefault({}),
    })
    .prefault({}),
  engine: z
    .strictObject({
      gvisor: engineShape.gvisor.default('prefer'),
      allowRemote: engineShape.allowRemote.default(false),
    })
    .prefault({}),
  coordinatorUrl: z.url({ protocol: /^https?$/ }).default('http://127.0.0.1:7350'),
});
export type Settings = z.output<typeof settingsSchema>;

/** What the window may change; each part is merged into the whole and the whole is checked again. */
export const settingsPatch = z.strictObject({
  language: z.enum(['system', 'en', 'ja']).optional(),
  theme: z.enum(['system', 'light', 'dark']).optional(),
  startAtLogin: z.boolean().optional(),
  rules: rulesPart.optional(),
  lanes: z
    .strictObject({ cpu: unitPatch, gpu: unitPatch, bandwidth: unitPatch, storage: storagePatch })
    .partial()
    .optional(),
  gpus: z.record(z.string().max(100), unitPatch).optional(),
  games: z
    .strictObject({ own: z.array(appName), ignored: z.array(appName) })
    .partial()
    .optional(),
  schedule: scheduleSchema.nullable().optional(),
  limits: z
    .strictObject({
      ...limitShape,
      network: z.strictObject(networkShape).partial(),
      // A folder is chosen in a dialog of the system: the window can only go back to none.
      storage: z.strictObject({ ...storageShape, folder: z.null() }).partial(),
      bandwidth: z.strictObject(bandwidthShape).partial(),
    })
    .partial()
    .optional(),
  engine: z.strictObject(engineShape).partial().optional(),
  coordinatorUrl: z.string().optional(),
});
export type SettingsPatch = z.output<typeof settingsPatch>;

export const defaultSettings = (): Settings => settingsSchema.parse({ version: 3 });

/**
 * Reads a settings value of any known version. Throws SETTINGS_BROKEN naming the first wrong key.
 * Version 0 had no version key and `idleMinutes`; version 1 had no rules, version 2 no lanes `bandwidth` and `storage`. Files
 * of all of them are upgraded; what they do not say is as in a new file.
 */
export function parseSettings(value: unknown): Settings {
  const result = settingsSchema.safeParse(upgrade(value));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.join('.') || 'the file';
  return fail('SETTINGS_BROKEN', `${where}: ${issue?.message ?? 'not valid'}`, { where });
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function upgrade(value: unknown): unknown {
  if (!isRecord(value)) return value;
  if (!('version' in value)) {
    const { idleMinutes, ...rest } = value;
    const idle = typeof idleMinutes === 'number' ? { idleAfterSeconds: idleMinutes * MINUTE } : {};
    return upgrade({ ...rest, version: 1, ...idle });
  }
  if (value['version'] === 2) return { ...value, version: 3 };
  if (value['version'] !== 1) return value;
  const { idleAfterSeconds, shareOnBattery, lanes, ...rest } = value;
  return {
    ...rest,
    version: 3,
    rules: {
      ...(idleAfterSeconds === undefined ? {} : { idleAfterSeconds }),
      ...(shareOnBattery === undefined ? {} : { shareOnBattery }),
    },
    ...(lanes === undefined
      ? {}
      : {
          lanes: isRecord(lanes) && typeof lanes['cpu'] === 'boolean' ? { ...lanes, cpu: shared(lanes['cpu']) } : lanes,
        }),
  };
}

const shared = (on: boolean): unknown => ({ share: on ? 'when-idle' : 'never' });

type Unit = Settings['lanes'][Lane];
type UnitPatch = z.output<typeof unitPatch>;
const withUnit = (unit: Unit | undefined, patch: UnitPatch | undefined): unknown => ({
  ...unit,
  ...patch,
  rules: { ...unit?.rules, ...patch?.rules },
});

/** The settings after `patch`. Throws BAD_INPUT and changes nothing when the whole would not be valid. */
export function applyPatch(current: Settings, patch: SettingsPatch): Settings {
  const gpus = Object.entries(patch.gpus ?? {}).map(([id, unit]) => [id, withUnit(ownValue(current.gpus, id), unit)]);
  const merged = {
    ...current,
    ...patch,
    rules: { ...current.rules, ...patch.rules },
    lanes: perLane((lane) => withUnit(current.lanes[lane], patch.lanes?.[lane])),
    gpus: { ...current.gpus, ...Object.fromEntries(gpus) },
    games: { ...current.games, ...patch.games },
    limits: {
      ...{ ...current.limits, ...patch.limits },
      network: { ...current.limits.network, ...patch.limits?.network },
      storage: { ...current.limits.storage, ...patch.limits?.storage },
      bandwidth: { ...current.limits.bandwidth, ...patch.limits?.bandwidth },
    },
    engine: { ...current.engine, ...patch.engine },
  };
  const result = settingsSchema.safeParse(merged);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  return fail('BAD_INPUT', `${issue?.path.join('.') ?? 'setting'}: ${issue?.message ?? 'not valid'}`);
}
