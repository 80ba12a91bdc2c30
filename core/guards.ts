import type { Unfitness } from './engine-gates.ts';
import { type GpuRefusal, handOut } from './gpu-grants.ts';
import type { Load } from './load.ts';
import type { Policy, UnitPolicy } from './policy.ts';
import { isJobLane, type Lane, ownValue, type UnixMs } from './primitives.ts';
import { scheduleAt } from './schedule.ts';
import type { Fetching, GpuReading, Sensed, SensorName, Signals } from './signals.ts';
import { stopsAt } from './traffic.ts';

/** Why a lane rests. A new member does not compile until `core/text` has a sentence for it in every language. */
export type Reason =
  | { readonly kind: 'settings-broken' }
  | { readonly kind: 'ledger-unwritable' }
  /** The last proof got out of the sandbox. */
  | { readonly kind: 'sandbox-leaks' }
  | { readonly kind: 'paused'; readonly until: UnixMs | 'resumed' }
  | { readonly kind: 'lane-not-offered' }
  | { readonly kind: 'lane-off' }
  | { readonly kind: 'no-gpu' }
  /** Docker cannot hand it to work, or work does not run on it. */
  | { readonly kind: 'gpu-refused'; readonly gpu: string; readonly why: GpuRefusal }
  /** The owner asked to finish what was in hand and then stop, and it is finished. */
  | { readonly kind: 'drained' }
  | { readonly kind: 'engine-unchecked' }
  | { readonly kind: 'engine-absent' }
  | { readonly kind: 'engine-forbidden' }
  | { readonly kind: 'engine-unfit'; readonly why: Unfitness }
  | { readonly kind: 'disk-low'; readonly freeBytes: number; readonly neededBytes: number }
  /** `opensAt` null: not within the coming week. */
  | { readonly kind: 'schedule-closed'; readonly opensAt: UnixMs | null }
  | { readonly kind: 'on-battery' }
  | { readonly kind: 'metered' }
  /** This month's data is used up, but for what finished results need. */
  | { readonly kind: 'data-cap'; readonly capBytes: number; readonly resetsAt: UnixMs }
  | { readonly kind: 'too-hot'; readonly celsius: number; readonly limit: number }
  | { readonly kind: 'game'; readonly name: string }
  | { readonly kind: 'fullscreen'; readonly name: string }
  | { readonly kind: 'gpu-memory'; readonly gpu: string; readonly percent: number; readonly limit: number }
  | { readonly kind: 'gpu-busy'; readonly gpu: string; readonly percent: number; readonly limit: number }
  | { readonly kind: 'media'; readonly name: string }
  | { readonly kind: 'idle-unknown' }
  /** `resumesAt`: when the machine counts as idle if nobody touches it. */
  | { readonly kind: 'in-use'; readonly resumesAt: UnixMs }
  | { readonly kind: 'cpu-busy'; readonly percent: number; readonly limit: number }
  /** A sensor that should answer does not: it could be saying that the owner needs the machine. */
  | { readonly kind: 'sensor-unknown'; readonly sensor: SensorName }
  /** What disturbed is over; it must stay so until `resumesAt`. */
  | { readonly kind: 'settling'; readonly after: Disturbance; readonly resumesAt: UnixMs }
  | { readonly kind: 'coordinator-away' }
  /** Nothing but the image is missing: it is the time to fetch it. `percent` null: not begun. */
  | ({ readonly kind: 'fetching-image' } & Fetching);

/** What gives way by itself, and must not make the work go on and off. */
export type Disturbance =
  | 'game'
  | 'fullscreen'
  | 'media'
  | 'cpu-busy'
  | 'gpu-busy'
  | 'gpu-memory'
  | 'too-hot'
  | 'on-battery'
  | 'metered'
  | 'disk-low'
  | 'sensor-unknown';

export type Question = {
  readonly lane: Lane;
  /** The GPU that is asked about; null for a lane as a whole. One that no longer answers is asked about as unknown. */
  readonly gpu: GpuReading | null;
  readonly signals: Signals;
  readonly policy: Policy;
  readonly unit: UnitPolicy;
  readonly cpu: Load;
  readonly gpuLoad: Load;
  readonly asksIdle: boolean;
};
export type Guard = (question: Question) => Reason | null;

const doubt = (sensor: SensorName): Reason => ({ kind: 'sensor-unknown', sensor });

/** A locked screen says that the owner has left: nobody needs to wait out the whole idle time. */
export const LOCKED_IDLE_MS = 10_000;

function tooHot(celsius: Sensed<number>, { maxTemperatureC: limit }: UnitPolicy, sensor: SensorName): Reason | null {
  if (limit === null || celsius === 'unavailable') return null;
  if (celsius === 'unknown') return doubt(sensor);
  return celsius >= limit ? { kind: 'too-hot', celsius, limit } : null;
}

const game: Guard = ({ signals: { games }, unit }) => {
  if (!unit.restForGames || games === 'unavailable') return null;
  if (games === 'unknown') return doubt('games');
  const first = games[0];
  return first === undefined ? null : { kind: 'game', name: first.name };
};

const fullscreen: Guard = ({ signals: { fullscreen: filled }, unit }) => {
  if (!unit.restForFullscreen || filled === 'unavailable') return null;
  if (filled === 'unknown') return doubt('fullscreen');
  return filled === null ? null : { kind: 'fullscreen', name: filled.name };
};

const gpuMemory: Guard = ({ gpu, unit: { gpuMemoryPercent: limit } }) => {
  if (gpu === null || limit === null) return null;
  const { memoryBytes: all, memoryByOthersBytes: others } = gpu;
  if (all === 'unavailable' || others === 'unavailable') return null;
  if (all === 'unknown' || others === 'unknown') return doubt('gpus');
  const percent = all > 0 ? Math.min(100, Math.round((others / all) * 100)) : 100;
  return percent >= limit ? { kind: 'gpu-memory', gpu: gpu.name, percent, limit } : null;
};

const gpuBusy: Guard = ({ gpu, unit: { gpuBusyPercent: limit }, gpuLoad }) => {
  if (gpu === null || limit === null || gpu.busyByOthersPercent === 'unavailable') return null;
  if (gpuLoad === null) return doubt('gpus');
  return gpuLoad.busy ? { kind: 'gpu-busy', gpu: gpu.name, percent: Math.round(gpuLoad.percent), limit } : null;
};

const refusedGpu: Guard = ({ gpu, signals: { engine, gpuFaults } }) => {
  if (gpu === null) return null;
  const fault = gpuFaults === undefined ? undefined : ownValue(gpuFaults, gpu.id);
  if (fault !== undefined) return { kind: 'gpu-refused', gpu: gpu.name, why: fault };
  if (gpu.place === undefined || engine.kind !== 'ready' || engine.gpus === undefined) return null;
  const answer = handOut(gpu, engine.gpus);
  return answer.kind === 'refused' ? { kind: 'gpu-refused', gpu: gpu.name, why: answer.why } : null;
};

/**
 * The policy, top to bottom: the first guard that applies is the reason. Faults that make work unsafe come first, then
 * what the owner said, then what the machine lacks, then what the owner is doing, then what the network lacks, and last the image.
 */
const GUARDS: readonly Guard[] = [
  ({ signals }) => (signals.settingsOk ? null : { kind: 'settings-broken' }),
  ({ signals }) => (signals.ledgerWritable ? null : { kind: 'ledger-unwritable' }),
  ({ signals }) => (signals.sandboxLeaks ? { kind: 'sandbox-leaks' } : null),
  ({ signals, policy: { pausedUntil: until } }) =>
    until === null || (until !== 'resumed' && until <= signals.now) ? null : { kind: 'paused', until },
  ({ lane, signals }) => (signals.offered[lane] ? null : { kind: 'lane-not-offered' }),
  ({ unit }) => (unit.share === 'never' ? { kind: 'lane-off' } : null),
  ({ lane, gpu, signals: { gpus } }) =>
    lane === 'gpu' && gpu === null && (gpus === 'unavailable' || gpus.length === 0) ? { kind: 'no-gpu' } : null,
  // What others keep here is no job that could be finished.
  ({ lane, signals, policy }) =>
    lane !== 'storage' && policy.draining && signals.leases[lane] === 0 ? { kind: 'drained' } : null,
  ({ signals: { engine } }) => {
    switch (engine.kind) {
      case 'ready':
        return null;
      case 'unchecked':
        return { kind: 'engine-unchecked' };
      case 'absent':
        return { kind: 'engine-absent' };
      case 'forbidden':
        return { kind: 'engine-forbidden' };
      case 'unfit':
        return { kind: 'engine-unfit', why: engine.why };
    }
  },
  refusedGpu,
  ({ lane, signals: { freeDiskBytes: free }, policy: { minFreeDiskBytes: needed } }) => {
    // What is kept already must stay to be had; that no more comes is the vault's own rule, for the drive it lies on.
    if (lane === 'storage' || free === 'unavailable') return null;
    if (free === 'unknown') return doubt('disk');
    return free < needed ? { kind: 'disk-low', freeBytes: free, neededBytes: needed } : null;
  },
  ({ signals, policy: { mode, schedule }, unit }) => {
    // "Share now" is said by someone who knows what time it is.
    if (schedule === null || !unit.followSchedule || mode === 'now') return null;
    const { open, changesAt } = scheduleAt(schedule, signals.now, signals.timeZone);
    return open ? null : { kind: 'schedule-closed', opensAt: changesAt };
  },
  ({ signals: { onBattery }, unit }) => {
    if (unit.shareOnBattery || onBattery === 'unavailable') return null;
    if (onBattery === 'unknown') return doubt('power');
    return onBattery ? { kind: 'on-battery' } : null;
  },
  ({ lane, signals: { metered, leases }, unit }) => {
    // A job in hand needs no network but for its result; what serves and stores needs it all the time.
    if (unit.shareOnMetered || metered === 'unavailable' || (isJobLane(lane) && leases[lane] > 0)) return null;
    if (metered === 'unknown') return doubt('metered');
    return metered ? { kind: 'metered' } : null;
  },
  ({ lane, signals: { traffic, leases }, policy: { dataCapBytes: capBytes } }) => {
    if (capBytes === null || (isJobLane(lane) && leases[lane] > 0)) return null;
    return traffic.monthBytes < stopsAt(capBytes) ? null : { kind: 'data-cap', capBytes, resetsAt: traffic.resetsAt };
  },
  ({ signals: { temperatureC }, unit }) => tooHot(temperatureC, unit, 'temperature'),
  ({ gpu, unit }) => (gpu === null ? null : tooHot(gpu.temperatureC, unit, 'gpus')),
  game,
  fullscreen,
  ({ lane, gpu, signals: { gpus } }) => (lane === 'gpu' && gpu === null && gpus === 'unknown' ? doubt('gpus') : null),
  gpuMemory,
  gpuBusy,
  ({ signals: { media }, unit, asksIdle }) => {
    if (!asksIdle || !unit.restForMedia || media === 'unavailable') return null;
    if (media === 'unknown') return doubt('media');
    return media === null ? null : { kind: 'media', name: media.name };
  },
  ({ signals: { idleMs, locked, now }, unit, asksIdle }) => {
    if (!asksIdle) return null;
    if (typeof idleMs === 'string') return { kind: 'idle-unknown' };
    const full = unit.idleAfterSeconds * 1000;
    const needed = locked === true ? Math.min(full, LOCKED_IDLE_MS) : full;
    return idleMs < needed ? { kind: 'in-use', resumesAt: now - idleMs + needed } : null;
  },
  ({ signals: { cpuByOthersPercent }, unit, cpu }) => {
    if (unit.cpuBusyPercent === null || cpuByOthersPercent === 'unavailable') return null;
    if (cpu === null) return doubt('cpu');
    return cpu.busy ? { kind: 'cpu-busy', percent: Math.round(cpu.percent), limit: unit.cpuBusyPercent } : null;
  },
  // Work already leased goes on without the coordinator; its result waits on disk.
  ({ lane, signals: { coordinator, leases } }) =>
    coordinator.kind === 'connected' || leases[lane] > 0 ? null : { kind: 'coordinator-away' },
  // Last: a fetch is work too, and needs all that work needs.
  ({ lane, signals: { fetching } }) => {
    const missing = fetching[lane];
    return missing === null ? null : { kind: 'fetching-image', ...missing };
  },
];

/** Those that tell of somebody who needs the GPU's memory: frozen work keeps it, so freezing is not enough. */
const MEMORY_GUARDS: readonly Guard[] = [game, fullscreen, gpuMemory, gpuBusy];

/** The first reason why this may not run; null: nothing speaks against it. */
export function firstReason(question: Question): Reason | null {
  for (const guard of GUARDS) {
    const reason = guard(question);
    if (reason !== null) return reason;
  }
  return null;
}

/** Whether somebody needs the GPU's memory, whatever else comes before it in the order: a pause hides no game. */
export const wantsGpuMemory = (question: Question): boolean =>
  question.lane === 'gpu' &&
  MEMORY_GUARDS.some((guard) => {
    const reason = guard(question);
    return reason !== null && reason.kind !== 'sensor-unknown';
  });
