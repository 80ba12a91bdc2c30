import { z } from 'zod';
import { fail } from './errors.ts';
import { unixMs } from './primitives.ts';

const MINUTE = 60;

/** The owner's choices, as they stand in `settings.json`. Unknown keys are refused: a typing error must not be silent. */
export const settingsSchema = z.strictObject({
  version: z.literal(1),
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
    })
    .prefault({}),
  /** Seconds without input before the machine counts as idle. */
  idleAfterSeconds: z
    .number()
    .int()
    .min(10)
    .max(86_400)
    .default(3 * MINUTE),
  shareOnBattery: z.boolean().default(false),
  lanes: z.strictObject({ cpu: z.boolean().default(true) }).prefault({}),
  limits: z
    .strictObject({
      /** Of all cores together. */
      cpuPercent: z.number().int().min(5).max(100).default(50),
      memoryMiB: z.number().int().min(256).max(1_048_576).default(2048),
      minFreeDiskMiB: z.number().int().min(256).max(1_048_576).default(2048),
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
  idleAfterSeconds: z.number().optional(),
  shareOnBattery: z.boolean().optional(),
  lanes: z.strictObject({ cpu: z.boolean() }).partial().optional(),
  limits: z
    .strictObject({ cpuPercent: z.number(), memoryMiB: z.number(), minFreeDiskMiB: z.number() })
    .partial()
    .optional(),
  coordinatorUrl: z.string().optional(),
});
export type SettingsPatch = z.output<typeof settingsPatch>;

export const defaultSettings = (): Settings => settingsSchema.parse({ version: 1 });

/**
 * Reads a settings value of any known version. Throws SETTINGS_BROKEN naming the first wrong key.
 * Version 0 had no version key and `idleMinutes`; files from it are upgraded.
 */
export function parseSettings(value: unknown): Settings {
  const result = settingsSchema.safeParse(upgrade(value));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.join('.') || 'the file';
  return fail('SETTINGS_BROKEN', `${where}: ${issue?.message ?? 'not valid'}`, { where });
}

function upgrade(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || 'version' in value) return value;
  const { idleMinutes, ...rest } = value as Readonly<Record<string, unknown>>;
  return {
    ...rest,
    version: 1,
    ...(typeof idleMinutes === 'number' ? { idleAfterSeconds: idleMinutes * MINUTE } : {}),
  };
}

/** The settings after `patch`. Throws BAD_INPUT and changes nothing when the whole would not be valid. */
export function applyPatch(current: Settings, patch: SettingsPatch): Settings {
  const merged = {
    ...current,
    ...patch,
    lanes: { ...current.lanes, ...patch.lanes },
    limits: { ...current.limits, ...patch.limits },
  };
  const result = settingsSchema.safeParse(merged);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  return fail('BAD_INPUT', `${issue?.path.join('.') ?? 'setting'}: ${issue?.message ?? 'not valid'}`);
}
