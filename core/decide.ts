import { firstReason, type Question, type Reason, wantsGpuMemory } from './guards.ts';
import { type Load, load } from './load.ts';
import type { Policy, UnitPolicy } from './policy.ts';
import { type Lane, ownValue, type PerLane, perLane, type UnixMs } from './primitives.ts';
import { disturbanceOf, matters, notAhead, type Settle, settled } from './settle.ts';
import type { GpuReading, Signals } from './signals.ts';
import { sound } from './sound.ts';

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
  /** By id; empty where no GPU can be told. One that stopped answering is held until it is forgotten. */
  readonly gpus: Readonly<Record<string, LaneDecision>>;
  /** Whether more work may be asked for: what runs may only be work in hand that is to be finished. */
  readonly begins: PerLane<boolean>;
  /** Whether images may be fetched: where work might begin, if their lack did not stand in its way. */
  readonly fetches: PerLane<boolean>;
  /** Whether somebody needs GPU memory now: of the lane as a whole, and by GPU id. */
  readonly memoryWanted: { readonly lane: boolean; readonly gpus: Readonly<Record<string, boolean>> };
  readonly memory: Memory;
};

const FRESH: UnitMemory = { heldSince: null, cpu: null, gpu: null, settle: null };

export const freshMemory = (): Memory => ({ lanes: perLane(() => FRESH), gpus: {} });

/** A GPU that stopped answering is doubt for this long; then it is gone. */
const FORGET_MS = 15 * 60_000;

type Answer = {
  readonly decision: LaneDecision;
  readonly begins: boolean;
  readonly fetches: boolean;
  readonly memoryWanted: boolean;
  readonly memory: UnitMemory;
};

/** Per lane and per GPU, whether work may run now, and if not, the one reason. Total, synchronous, without effects. */
export function decide(read: Signals, policy: Policy, memory: Memory): Decision {
  const signals = sound(read);
  const present = typeof signals.gpus === 'string' ? [] : signals.gpus;
  const asked = [...present, ...lost(present, memory.gpus, signals.now)];
  const gpus = asked.map((gpu) => {
    // A GPU not seen before may be one that is seen again: it takes over what its lane remembers.
    const was = ownValue(memory.gpus, gpu.id) ?? memory.lanes.gpu;
    return [gpu.id, ask('gpu', gpu, signals, policy, policy.gpu(gpu.id), was)] as const;
  });
  const units = perLane((lane) => {
    const own = ask(lane, null, signals, policy, policy.lanes[lane], memory.lanes[lane]);
    return lane === 'gpu' && present.length > 0
      ? laneOf(own, gpus.slice(0, present.length), memory.lanes.gpu, signals)
      : own;
  });
  const each = <T>(pick: (answer: Answer) => T): Readonly<Record<string, T>> =>
    Object.fromEntries(gpus.map(([id, answer]) => [id, pick(answer)]));
  return {
    lanes: perLane((lane) => units[lane].decision),
    gpus: each(({ decision }) => decision),
    begins: perLane((lane) => units[lane].begins),
    fetches: perLane((lane) => units[lane].fetches),
    memoryWanted: { lane: units.gpu.memoryWanted, gpus: each(({ memoryWanted }) => memoryWanted) },
    memory: { lanes: perLane((lane) => units[lane].memory), gpus: each((answer) => answer.memory) },
  };
}

/** The GPUs that are remembered and do not answer, as readings that say so. */
function lost(present: readonly GpuReading[], known: Memory['gpus'], now: UnixMs): readonly GpuReading[] {
  const here = new Set(present.map(({ id }) => id));
  return Object.entries(known)
    .filter(([id, { heldSince }]) => !here.has(id) && (heldSince === null || now - heldSince < FORGET_MS))
    .map(([id]) => ({
      ...{ id, name: id, busyByOthersPercent: 'unknown', memoryBytes: 'unknown', memoryByOthersBytes: 'unknown' },
      temperatureC: 'unknown',
    }));
}

/** The GPU lane's answer from those of its GPUs: one that runs is enough, and one that is off says nothing of the rest. */
function laneOf(own: Answer, gpus: readonly (readonly [string, Answer])[], was: UnitMemory, { now }: Signals): Answer {
  const answers = gpus.map(([, answer]) => answer);
  const holds = answers.map(({ decision }) => decision).filter((decision) => decision.kind === 'hold');
  const decision =
    answers.find((answer) => answer.decision.kind === 'run')?.decision ??
    holds.find(({ reason }) => reason.kind !== 'lane-off') ??
    holds[0] ??
    own.decision;
  return {
    decision,
    begins: answers.some(({ begins }) => begins),
    fetches: answers.some(({ fetches }) => fetches),
    memoryWanted: own.memoryWanted,
    memory: { ...own.memory, heldSince: decision.kind === 'run' ? null : since(was, now) },
  };
}

function ask(
  lane: Lane,
  gpu: GpuReading | null,
  signals: Signals,
  policy: Policy,
  unit: UnitPolicy,
  memory: UnitMemory,
): Answer {
  const { now } = signals;
  const cpu = load(memory.cpu, signals.cpuByOthersPercent, unit.cpuBusyPercent, now);
  const gpuLoad = load(memory.gpu, gpu?.busyByOthersPercent ?? 'unavailable', unit.gpuBusyPercent, now);
  const question: Question = { lane, gpu, signals, policy, unit, cpu, gpuLoad, asksIdle: asksIdle(policy, unit) };
  let reason = firstReason(question);
  const disturbance = reason === null ? null : disturbanceOf(reason, signals);
  const was = notAhead(memory.settle, now);
  const settle = disturbance === null ? was : settled(was, disturbance, memory.heldSince === null, now);
  // Waiting for the network, or for an image, is no reason to hide that the machine is still settling.
  const settling = settle !== null && now < settle.until && matters(settle.kind, question);
  if (settling && (reason === null || ['coordinator-away', 'fetching-image'].includes(reason.kind))) {
    reason = { kind: 'settling', after: settle.kind, resumesAt: settle.until };
  }
  const runs = reason === null;
  // What is in hand needs less than what would be new.
  const close = reason === null || reason.kind === 'fetching-image';
  const anew = close && signals.leases[lane] > 0 ? firstReason(withoutWork(question)) : reason;
  return {
    decision: reason === null ? { kind: 'run' } : { kind: 'hold', reason },
    begins: runs && anew === null,
    fetches: anew === null || anew.kind === 'fetching-image',
    memoryWanted: wantsGpuMemory(question),
    memory: { heldSince: runs ? null : since(memory, now), cpu, gpu: gpuLoad, settle },
  };
}

/** Since when it is held, if it is held now. A clock that was set back must not make it long in the future. */
const since = ({ heldSince }: UnitMemory, now: UnixMs): UnixMs => (heldSince === null ? now : Math.min(heldSince, now));

/** The same question for a lane with nothing in hand. */
const withoutWork = (question: Question): Question => ({
  ...question,
  signals: { ...question.signals, leases: { ...question.signals.leases, [question.lane]: 0 } },
});

/** Whether anybody at the machine matters to this lane. */
const asksIdle = (policy: Policy, unit: UnitPolicy): boolean => policy.mode !== 'now' && unit.share !== 'always';
