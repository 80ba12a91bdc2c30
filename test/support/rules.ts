import { decide, freshMemory, type LaneDecision, type Memory } from '../../core/decide.ts';
import type { Reason } from '../../core/guards.ts';
import { type Policy, policyOf } from '../../core/policy.ts';
import { perLane } from '../../core/primitives.ts';
import { defaultSettings, type Settings } from '../../core/settings.ts';
import type { GpuReading, Signals } from '../../core/signals.ts';

export const NOW = 1_768_478_400_000;
export const GIB = 1024 ** 3;

export const aGpu = (change: Partial<GpuReading> = {}): GpuReading => ({
  ...{ id: 'gpu-a', name: 'GeForce', busyByOthersPercent: 0, memoryBytes: 8 * GIB, memoryByOthersBytes: 0 },
  temperatureC: 40,
  ...change,
});

/** A desktop that nobody uses, with one GPU and all that sharing needs. */
export const calm = (change: Partial<Signals> = {}): Signals => ({
  now: NOW,
  timeZone: 'UTC',
  idleMs: 3_600_000,
  locked: false,
  fullscreen: null,
  games: [],
  media: null,
  cpuByOthersPercent: 3,
  gpus: [aGpu()],
  onBattery: 'unavailable',
  temperatureC: 45,
  metered: false,
  freeDiskBytes: 100 * GIB,
  ledgerWritable: true,
  settingsOk: true,
  sandboxLeaks: false,
  engine: { kind: 'ready', version: '1' },
  coordinator: { kind: 'connected', since: 0 },
  traffic: { monthBytes: 0, resetsAt: NOW + 14 * 86_400_000 },
  leases: perLane(() => 0),
  offered: perLane(() => true),
  fetching: perLane(() => null),
  ...change,
});

export const policyFrom = (change: Partial<Settings> = {}): Policy => policyOf({ ...defaultSettings(), ...change });

export const held = (reason: Reason): LaneDecision => ({ kind: 'hold', reason });
export const RUN: LaneDecision = { kind: 'run' };

/** One decision after another; what each remembers goes into the next. */
export class Machine {
  #signals: Signals;
  #memory: Memory;
  policy: Policy;
  constructor(signals: Partial<Signals> = {}, policy: Policy = policyFrom(), memory: Memory = freshMemory()) {
    this.#signals = calm(signals);
    this.policy = policy;
    this.#memory = memory;
  }
  get now(): number {
    return this.#signals.now;
  }
  get memory(): Memory {
    return this.#memory;
  }
  /** What changes, after so many milliseconds; the idle time goes on by itself. */
  after(ms: number, change: Partial<Signals> = {}): ReturnType<typeof decide> {
    const { idleMs, now } = this.#signals;
    const idle = typeof idleMs === 'number' ? Math.max(0, idleMs + ms) : idleMs;
    this.#signals = { ...this.#signals, now: now + ms, idleMs: idle, ...change };
    const decision = decide(this.#signals, this.policy, this.#memory);
    this.#memory = decision.memory;
    return decision;
  }
}
