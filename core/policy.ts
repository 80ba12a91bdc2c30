import type { PerLane, UnixMs } from './primitives.ts';
import type { Settings } from './settings.ts';

/** What the owner allows, in the units `decide` works in. */
export type Policy = {
  readonly mode: 'when-idle' | 'now';
  readonly pausedUntil: UnixMs | 'resumed' | null;
  readonly idleAfterMs: number;
  readonly shareOnBattery: boolean;
  readonly minFreeDiskBytes: number;
  readonly lanes: PerLane<boolean>;
};

const MIB = 1024 * 1024;

export function policyOf(settings: Settings): Policy {
  return {
    mode: settings.sharing.mode,
    pausedUntil: settings.sharing.pausedUntil,
    idleAfterMs: settings.idleAfterSeconds * 1000,
    shareOnBattery: settings.shareOnBattery,
    minFreeDiskBytes: settings.limits.minFreeDiskMiB * MIB,
    lanes: { cpu: settings.lanes.cpu, gpu: false, bandwidth: false, storage: false },
  };
}

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
