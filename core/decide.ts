import { GUARDS, NEVER_RESTED, type Question, type Reason } from './guards.ts';
import { type Load, load } from './load.ts';
import type { Policy, UnitPolicy } from './policy.ts';
import { type Lane, type PerLane, perLane, type UnixMs } from './primitives.ts';
import { calmMs, isDisturbance, type Settle, settled } from './settle.ts';
import type { GpuReading, Signals } from './signals.ts';

export type { Reason } from './guards.ts';

export type LaneDecision = { readonly kind: 'run' } | { readonly kind: 'hold'; readonly reason: Reason };

/** What one lane, or one GPU, remembers. */
export type UnitMemory = {
  /** Since when it has been held; null while it runs. */
  readonly heldSince: UnixMs | null;
  readonly cpu: Load;
  readonly gpu: Load;
  readonly settle: Settle | null;
};

/** What a decision needs to remember of the last one: hysteresis is a value that goes in and comes out. */
export type Memory = {
  readonly lanes: PerLane<UnitMemory>;
  readonly gpus: Readonly<Record<string, UnitMemory>>;
};

export type Decision = {
  /** The GPU lane runs while any GPU may. */
  readonly lanes: PerLane<LaneDecision>;
  /** By id; empty where no GPU can be told. */
  readonly gpus: Readonly<Record<string, LaneDecision>>;
  readonly memory: Memory;
};

const FRESH: UnitMemory = { heldSince: null, cpu: null, gpu: null, settle: null };

export const freshMemory = (): Memory => ({ lanes: perLane(() => FRESH), gpus: {} });

/** Per lane and per GPU, whether work may run now, and if not, the one reason. Total, synchronous, without effects. */
export function decide(signals: Signals, policy: Policy, memory: Memory): Decision {
  const units = perLane((lane) => ask(lane, null, signals, policy, policy.lanes[lane], memory.lanes[lane]));
  const known = typeof signals.gpus === 'string' ? [] : signals.gpus;
  const gpus = known.map((gpu) => {
    const answer = ask('gpu', gpu, signals, policy, policy.gpu(gpu.id), memory.gpus[gpu.id] ?? FRESH);
    return [gpu.id, answer] as const;
  });
  const lanes = perLane((lane): LaneDecision => {
    const own = units[lane].decision;
    if (lane !== 'gpu' || own.kind === 'hold' || gpus.length === 0) return own;
    return gpus.find(([, answer]) => answer.decision.kind === 'run')?.[1].decision ?? gpus[0]?.[1].decision ?? own;
  });
  return {
    lanes,
    gpus: Object.fromEntries(gpus.map(([id, { decision }]) => [id, decision])),
    memory: {
      lanes: perLane((lane) => ({
        ...units[lane].memory,
        heldSince: lanes[lane].kind === 'run' ? null : (memory.lanes[lane].heldSince ?? signals.now),
      })),
      gpus: Object.fromEntries(gpus.map(([id, answer]) => [id, answer.memory])),
    },
  };
}

function ask(
  lane: Lane,
  gpu: GpuReading | null,
  signals: Signals,
  policy: Policy,
  unit: UnitPolicy,
  memory: UnitMemory,
): { readonly decision: LaneDecision; readonly memory: UnitMemory } {
  const { now } = signals;
  const cpu = load(memory.cpu, signals.cpuByOthersPercent, unit.cpuBusyPercent, now);
  const gpuLoad = load(memory.gpu, gpu?.busyByOthersPercent ?? 'unavailable', unit.gpuBusyPercent, now);
  const question: Question = { lane, gpu, signals, policy, unit, cpu, gpuLoad, asksIdle: asksIdle(policy, unit) };
  let reason: Reason | null = null;
  for (const guard of GUARDS) {
    reason = guard(question);
    if (reason !== null) break;
  }
  const was = memory.settle;
  const settle = reason === null ? was : isDisturbance(reason) ? settled(was, reason.kind, memory.heldSince, now) : was;
  // The network alone is no disturbance: a lane that waits for it may settle meanwhile.
  if (settle !== null && (reason === null || NEVER_RESTED.has(reason.kind))) {
    const resumesAt = settle.seenAt + calmMs(settle);
    if (now < resumesAt) reason = { kind: 'settling', after: settle.kind, resumesAt };
  }
  return {
    decision: reason === null ? { kind: 'run' } : { kind: 'hold', reason },
    memory: {
      heldSince: reason === null ? null : (memory.heldSince ?? now),
      ...{ cpu, gpu: gpuLoad, settle },
    },
  };
}

/** Whether anybody at the machine matters to this lane. */
const asksIdle = (policy: Policy, unit: UnitPolicy): boolean => policy.mode !== 'now' && unit.share !== 'always';
