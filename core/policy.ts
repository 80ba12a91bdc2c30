import { type Lane, ownValue, type PerLane, perLane, type UnixMs } from './primitives.ts';
import type { Schedule } from './schedule.ts';
import type { Rules, Settings, ShareChoice } from './settings.ts';

/** What the owner allows one lane or one GPU, with nothing left to look up. */
export type UnitPolicy = Rules & { readonly share: ShareChoice };

/** What the owner allows, in the terms `decide` works in. */
export type Policy = {
  readonly mode: 'when-idle' | 'now';
  readonly pausedUntil: UnixMs | 'resumed' | null;
  readonly draining: boolean;
  readonly minFreeDiskBytes: number;
  /** In and out together, from one reset day to the next; null: none. */
  readonly dataCapBytes: number | null;
  readonly schedule: Schedule | null;
  readonly lanes: PerLane<UnitPolicy>;
  /** Of the GPU with this id. */
  readonly gpu: (id: string) => UnitPolicy;
};

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** Nobody at the machine needs what these take: a rate does, and the line has one for that (`ratesFor`). */
const MINDS_NOBODY = { restForGames: false, restForFullscreen: false, restForMedia: false } as const;
/** What others keep here vanishes for no load, no heat and no hour of the day, unless the owner says so for this lane. */
const STAYS = { ...MINDS_NOBODY, cpuBusyPercent: null, maxTemperatureC: null, followSchedule: false } as const;

const usualOf = (lane: Lane, share: ShareChoice): Partial<Rules> =>
  lane === 'storage' ? STAYS : lane === 'bandwidth' && share === 'always' ? MINDS_NOBODY : {};

export function policyOf(settings: Settings): Policy {
  const { rules, lanes } = settings;
  const cap = settings.limits.network.monthlyCapGiB;
  const unit = (lane: Lane): UnitPolicy => {
    const { share, rules: own } = lanes[lane];
    return { ...rules, ...usualOf(lane, share), ...given(own), share };
  };
  const gpu = unit('gpu');
  return {
    mode: settings.sharing.mode,
    pausedUntil: settings.sharing.pausedUntil,
    draining: settings.sharing.draining,
    minFreeDiskBytes: settings.limits.minFreeDiskMiB * MIB,
    dataCapBytes: cap === null ? null : cap * GIB,
    schedule: settings.schedule,
    lanes: perLane(unit),
    gpu: (id) => {
      const own = ownValue(settings.gpus, id);
      if (own === undefined) return gpu;
      // A lane that is off stays off for each of its GPUs.
      return { ...gpu, ...given(own.rules), share: gpu.share === 'never' ? 'never' : own.share };
    },
  };
}

/** Only the keys that have a value: an absent rule must not hide the general one. */
const given = (rules: Settings['lanes']['cpu']['rules']): Partial<Rules> =>
  Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));

export type PauseChoice = 'hour' | 'tomorrow' | 'resumed';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MORNING = 6 * HOUR;

/**
 * End of a pause. "Tomorrow" is 06:00 local time of the next day: someone who pauses at one in the
 * morning means the coming night's end, not a midnight that has passed.
 * `utcOffsetMinutes`: local time minus UTC (Tokyo: 540).
 */
export function pauseEnd(choice: PauseChoice, now: UnixMs, utcOffsetMinutes: number): UnixMs | 'resumed' {
  if (choice === 'resumed') return 'resumed';
  if (choice === 'hour') return now + HOUR;
  const local = now + utcOffsetMinutes * 60_000;
  const sixToday = Math.floor(local / DAY) * DAY + MORNING;
  const six = local < sixToday ? sixToday : sixToday + DAY;
  return six - utcOffsetMinutes * 60_000;
}
