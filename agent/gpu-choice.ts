import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CatalogueEntry, GpuNeed, JobParams } from '../core/catalogue.ts';
import type { Decision } from '../core/decide.ts';
import { type GpuRefusal, handOut, misfit } from '../core/gpu-grants.ts';
import { type Hex32, ownValue, type UnixMs } from '../core/primitives.ts';
import type { GpuGrant } from '../core/sandbox.ts';
import type { EngineState, GpuReading, Sensed } from '../core/signals.ts';
import type { Misfit } from './fitting.ts';
import { type Ending, given } from './job-ending.ts';
import type { Output } from './job-io.ts';
import type { Ports } from './ports.ts';

/** A GPU that failed is tried again after this long; each failure doubles it. */
const AGAIN_MS = { first: 10 * 60_000, last: 4 * 60 * 60_000 } as const;
/** Of the check, with the driver's first compilation; frozen time not counted. */
const CHECK_SECONDS = 180;

/** One GPU, for as long as a job has it. */
export type GpuJob = {
  readonly grants: readonly GpuGrant[];
  /** What is to be answered rightly before the job itself; null: that has been done. */
  readonly check: () => GpuNeed['check'];
  readonly passed: () => void;
  readonly failed: (why: GpuRefusal) => void;
};

/** Which job works on which GPU, and which GPUs have turned out not to work. */
export type GpuChoice = {
  /** The entry, where it needs no GPU or some GPU here could do it. */
  readonly fit: (entry: CatalogueEntry | Misfit) => CatalogueEntry | Misfit;
  /** Gives the lease a GPU that may run and is free. Null: its work needs none. `later`: there is none just now. */
  readonly take: (leaseId: Hex32, entry: CatalogueEntry, decision: Decision | null) => GpuJob | null | 'later';
  /** Id of the GPU that the lease has. */
  readonly of: (leaseId: Hex32) => string | null;
  readonly free: (leaseId: Hex32) => void;
  /** By GPU id. */
  readonly faults: () => Readonly<Record<string, GpuRefusal>>;
  readonly close: () => void;
};

type Fault = { readonly why: GpuRefusal; readonly until: UnixMs; readonly waitMs: number; readonly engine: string };

export function createGpuChoice(options: {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'settings'>;
  readonly gpus: () => Sensed<readonly GpuReading[]>;
  readonly engine: () => EngineState;
  readonly wake: () => void;
}): GpuChoice {
  const { clock, log, settings } = options.ports;
  const held = new Map<Hex32, string>();
  const faults = new Map<string, Fault>();
  /** GPU, image and engine that have given the right answer together since this process began: a new driver needs a restart. */
  const proven = new Set<string>();
  const timers = new Map<string, () => void>();

  const sensed = (): readonly GpuReading[] => {
    const gpus = options.gpus();
    return typeof gpus === 'string' ? [] : gpus;
  };
  /** Another version, or other ways to hand GPUs out, and what has failed may work. */
  const engineNow = (): string => {
    const state = options.engine();
    return state.kind === 'ready' ? JSON.stringify([state.version, state.gpus]) : '';
  };

  function jobOn(gpu: GpuReading, grant: GpuGrant, entry: CatalogueEntry): GpuJob {
    const proof = `${gpu.id} ${entry.image} ${engineNow()}`;
    return {
      grants: [grant],
      check: () => (proven.has(proof) ? null : (entry.gpu?.check ?? null)),
      passed() {
        proven.add(proof);
        faults.delete(gpu.id);
        log('info', 'gpu-proven', { gpu: gpu.id, workload: entry.id });
      },
      failed(why) {
        proven.delete(proof);
        const waitMs = Math.min((faults.get(gpu.id)?.waitMs ?? AGAIN_MS.first / 2) * 2, AGAIN_MS.last);
        faults.set(gpu.id, { why, waitMs, until: clock.now() + waitMs, engine: engineNow() });
        timers.get(gpu.id)?.();
        timers.set(gpu.id, clock.after(waitMs, options.wake));
        log('warn', 'gpu-refused', { gpu: gpu.id, ...why });
        options.wake();
      },
    };
  }

  return {
    fit(entry) {
      if ('reason' in entry) return entry;
      const { gpu: need } = entry;
      if (need === null) return entry;
      const found = sensed().map((gpu) => misfit(gpu, need));
      // What is not sensed just now may be again: its lane holds meanwhile.
      if (found.length === 0 || found.includes(null)) return entry;
      const small = found.find((each) => each?.kind === 'little-memory');
      return small === undefined
        ? { reason: 'unknown-workload', detail: `no GPU here is by ${need.vendors.join(' or ')}` }
        : { reason: 'too-large', detail: `no GPU here has ${need.memoryBytes} bytes of memory` };
    },
    take(leaseId, entry, decision) {
      const { gpu: need } = entry;
      if (need === null) return null;
      const state = options.engine();
      if (decision === null || state.kind !== 'ready' || state.gpus === undefined) return 'later';
      const taken = new Set(held.values());
      for (const gpu of sensed()) {
        if (taken.has(gpu.id) || ownValue(decision.gpus, gpu.id)?.kind !== 'run' || misfit(gpu, need) !== null)
          continue;
        const answer = handOut(gpu, state.gpus);
        if (answer.kind === 'refused') continue;
        held.set(leaseId, gpu.id);
        return jobOn(gpu, answer.grant, entry);
      }
      return 'later';
    },
    of: (leaseId) => held.get(leaseId) ?? null,
    free: (leaseId) => void held.delete(leaseId),
    faults() {
      const [now, engine] = [clock.now(), engineNow()];
      if (settings.current().settings.engine.gvisor === 'require')
        return Object.fromEntries(sensed().map(({ id }) => [id, { kind: 'gvisor-only' }]));
      const current = [...faults].filter(([, fault]) => now < fault.until && fault.engine === engine);
      return Object.fromEntries(current.map(([id, { why }]) => [id, why]));
    },
    close() {
      for (const cancel of timers.values()) cancel();
    },
  };
}

/** One run of a container: of the job itself, or of the check before it. */
export type Task = {
  readonly params: JobParams;
  readonly input: string;
  readonly inputBytes: number;
  readonly output: string;
  /** Wall-clock, frozen time not counted. */
  readonly seconds: number;
  readonly checking: boolean;
};

/** Has the GPU answer what is known already, with the job's own image. Null: the job may go on. */
export async function proveGpu(
  gpu: GpuJob | null,
  folder: string,
  run: (task: Task) => Promise<Output | Ending>,
): Promise<Ending | null> {
  const check = gpu?.check() ?? null;
  if (gpu === null || check === null) return null;
  const output = join(folder, 'check');
  const { params } = check;
  const outcome = await run({ params, input: '', inputBytes: 0, output, seconds: CHECK_SECONDS, checking: true });
  await rm(output, { force: true });
  if ('kind' in outcome && outcome.kind === 'released') return outcome;
  if ('sha256' in outcome && outcome.sha256 === check.output) {
    gpu.passed();
    return null;
  }
  const detail = 'detail' in outcome ? outcome.detail : 'it gave a wrong answer';
  gpu.failed({ kind: 'failed-its-check', detail });
  return given(detail);
}

/** What engines and NVIDIA's hook say at the start of a container whose GPU they cannot give. */
const NOT_GIVEN =
  /could not select device driver|gathering device information|nvidia-container|nvidia-ctk|CDI device|unresolvable|libcuda|driver rpc/i;

/** Tells of a launch that the engine refused for its GPU's sake; null: for something else. */
export function gpuNotGiven(gpu: GpuJob | null, detail: string): Ending | null {
  if (gpu === null || !NOT_GIVEN.test(detail)) return null;
  gpu.failed({ kind: 'did-not-start', detail: detail.slice(0, 300) });
  return given(detail);
}
