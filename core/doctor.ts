import type { EngineFacts, GvisorChoice, Unfitness } from './engine-gates.ts';
import { type GpuRefusal, gpuFindings } from './gpu-grants.ts';
import type { Known, UnixMs } from './primitives.ts';
import type { CoordinatorState, EngineState, GpuReading, Sensed } from './signals.ts';
import type { Problem } from './snapshot.ts';

/** What can be wrong with the list of what may run. */
export type CatalogueProblem = Extract<Problem, { readonly kind: `catalogue-${string}` }>;

/** What the machine says of its own fitness for containers; a thing that it does not have to have is `unneeded`. */
export type MachineFacts = {
  readonly platform: 'linux' | 'macos' | 'windows' | 'other';
  /** Programs that bring an engine, found on this machine. */
  readonly installed: readonly ('docker' | 'podman' | 'docker-desktop')[];
  /** The processor's, and the firmware's switch for it. Containers on Windows and macOS live in a virtual machine. */
  readonly virtualisation: 'on' | 'off' | 'unneeded' | 'unknown';
  readonly wsl: 'ready' | 'old' | 'missing' | 'unneeded' | 'unknown';
  /** Makers of the GPUs in it. */
  readonly gpus: readonly string[];
};

export type DoctorFacts = {
  readonly machine: MachineFacts;
  readonly engine: EngineState;
  readonly facts: EngineFacts | null;
  /** Where the engine listens; null: nowhere known. */
  readonly place: string | null;
  readonly gvisor: { readonly choice: GvisorChoice; readonly inUse: boolean };
  readonly freeDiskBytes: Sensed<number>;
  readonly neededDiskBytes: number;
  readonly coordinator: CoordinatorState;
  /** GPUs as the sensors have them. */
  readonly gpus: Sensed<readonly GpuReading[]>;
  /** What is wrong with the catalogue; nothing, most of the time. */
  readonly catalogue: readonly CatalogueProblem[];
  /** The network's clock minus this machine's, ms. */
  readonly skewMs: Known<number>;
  /** Of the catalogue: how many there are to run, and how many the engine holds. */
  readonly images: { readonly listed: number; readonly present: number };
};

export const CHECKS = [
  'engine',
  'virtualisation',
  'wsl',
  'gvisor',
  'gpu',
  'catalogue',
  'images',
  'disk',
  'clock',
  'coordinator',
] as const;
export type Check = (typeof CHECKS)[number];

/** One thing that was looked at. `bad`: nothing, or nothing of a kind, can run until it is mended. */
export type Finding = { readonly check: Check; readonly state: 'fine' | 'hint' | 'bad' | 'unknown' } & Diagnosis;

/** What was found; `core/text` has a sentence and, for what can be mended, the way to mend it. */
export type Diagnosis =
  | { readonly kind: 'engine-ready'; readonly product: string; readonly version: string; readonly place: string | null }
  | { readonly kind: 'engine-unchecked' }
  | { readonly kind: 'engine-missing'; readonly platform: MachineFacts['platform'] }
  | { readonly kind: 'engine-stopped'; readonly platform: MachineFacts['platform']; readonly desktop: boolean }
  | { readonly kind: 'engine-forbidden'; readonly detail: string }
  | { readonly kind: 'engine-unfit'; readonly why: Unfitness }
  | { readonly kind: 'virtualisation-on' }
  | { readonly kind: 'virtualisation-off'; readonly platform: MachineFacts['platform'] }
  | { readonly kind: 'wsl-ready' }
  | { readonly kind: 'wsl-old' }
  | { readonly kind: 'wsl-missing' }
  | { readonly kind: 'gvisor-in-use' }
  | { readonly kind: 'gvisor-off' }
  | { readonly kind: 'gvisor-not-offered' }
  | { readonly kind: 'gvisor-not-working' }
  | { readonly kind: 'gpu-none' }
  | { readonly kind: 'gpu-served'; readonly makers: string }
  | { readonly kind: 'gpu-refused'; readonly name: string; readonly why: GpuRefusal }
  | { readonly kind: 'catalogue-valid' }
  | { readonly kind: 'catalogue-faulty'; readonly problem: CatalogueProblem }
  | { readonly kind: 'gpu-not-served'; readonly makers: string; readonly platform: MachineFacts['platform'] }
  | { readonly kind: 'images-present'; readonly count: number }
  | { readonly kind: 'images-missing'; readonly present: number; readonly listed: number }
  | { readonly kind: 'images-none' }
  | { readonly kind: 'disk-enough'; readonly freeBytes: number }
  | { readonly kind: 'disk-low'; readonly freeBytes: number; readonly neededBytes: number }
  | { readonly kind: 'clock-right' }
  | { readonly kind: 'clock-wrong'; readonly skewMs: number }
  | { readonly kind: 'coordinator-connected' }
  | { readonly kind: 'coordinator-away'; readonly detail: string }
  | { readonly kind: 'coordinator-refused'; readonly detail: string }
  | { readonly kind: 'not-known' };

export type Diagnosed = { readonly at: UnixMs; readonly findings: readonly Finding[] };

/** Signatures carry times; beyond this they count as of another time. */
const SKEW_MS = 60_000;

type Verdict = readonly [state: Finding['state'], found: Diagnosis];
const UNKNOWN: Verdict = ['unknown', { kind: 'not-known' }];

function engineOf({ engine, facts, place, machine }: DoctorFacts): Verdict {
  switch (engine.kind) {
    case 'ready':
      return ['fine', { kind: 'engine-ready', product: facts?.product ?? 'docker', version: engine.version, place }];
    case 'unchecked':
      return ['unknown', { kind: 'engine-unchecked' }];
    case 'forbidden':
      return ['bad', { kind: 'engine-forbidden', detail: engine.detail }];
    case 'unfit':
      return ['bad', { kind: 'engine-unfit', why: engine.why }];
    case 'absent': {
      const { platform, installed } = machine;
      if (installed.length === 0) return ['bad', { kind: 'engine-missing', platform }];
      return ['bad', { kind: 'engine-stopped', platform, desktop: installed.includes('docker-desktop') }];
    }
  }
}

function virtualisationOf({ machine: { virtualisation, platform } }: DoctorFacts): Verdict | null {
  if (virtualisation === 'unneeded') return null;
  if (virtualisation === 'unknown') return UNKNOWN;
  return virtualisation === 'on'
    ? ['fine', { kind: 'virtualisation-on' }]
    : ['bad', { kind: 'virtualisation-off', platform }];
}

function wslOf({ machine: { wsl } }: DoctorFacts): Verdict | null {
  if (wsl === 'unneeded') return null;
  if (wsl === 'unknown') return UNKNOWN;
  return wsl === 'ready'
    ? ['fine', { kind: 'wsl-ready' }]
    : ['bad', { kind: wsl === 'old' ? 'wsl-old' : 'wsl-missing' }];
}

/** It hardens; without it work is isolated all the same, so nothing here is worse than a hint. */
function gvisorOf({ gvisor: { choice, inUse }, facts }: DoctorFacts): Verdict | null {
  if (facts === null) return null;
  if (inUse) return ['fine', { kind: 'gvisor-in-use' }];
  if (choice === 'never') return ['fine', { kind: 'gvisor-off' }];
  return ['hint', { kind: facts.runtimes.includes('runsc') ? 'gvisor-not-working' : 'gvisor-not-offered' }];
}

function gpuOf({ machine: { gpus, platform }, facts, engine, gpus: sensed }: DoctorFacts): Verdict {
  const refused =
    engine.kind === 'ready' && engine.gpus !== undefined ? gpuFindings(sensed, engine.gpus)[0] : undefined;
  if (refused !== undefined) return ['hint', { kind: 'gpu-refused', name: refused.name, why: refused.why }];
  if (gpus.length === 0) return ['fine', { kind: 'gpu-none' }];
  if (facts === null) return UNKNOWN;
  const makers = [...new Set(gpus)].join(', ');
  const nvidia = facts.cdi || facts.runtimes.includes('nvidia');
  // AMD's and Intel's need only the device files, which are on the engine's machine if that is this one.
  const served = gpus.some((maker) => (/nvidia/i.test(maker) ? nvidia : platform === 'linux'));
  return served ? ['fine', { kind: 'gpu-served', makers }] : ['hint', { kind: 'gpu-not-served', makers, platform }];
}

function catalogueOf({ catalogue }: DoctorFacts): Verdict {
  const worst = catalogue.find(({ kind }) => kind === 'catalogue-untrusted') ?? catalogue[0];
  if (worst === undefined) return ['fine', { kind: 'catalogue-valid' }];
  const state = worst.kind === 'catalogue-untrusted' ? 'bad' : 'hint';
  return [state, { kind: 'catalogue-faulty', problem: worst }];
}

function imagesOf({ images: { listed, present }, engine }: DoctorFacts): Verdict {
  if (listed === 0) return ['bad', { kind: 'images-none' }];
  if (engine.kind !== 'ready') return UNKNOWN;
  return present >= listed
    ? ['fine', { kind: 'images-present', count: present }]
    : ['hint', { kind: 'images-missing', present, listed }];
}

function diskOf({ freeDiskBytes: free, neededDiskBytes: needed }: DoctorFacts): Verdict {
  if (typeof free !== 'number') return UNKNOWN;
  return free < needed
    ? ['bad', { kind: 'disk-low', freeBytes: free, neededBytes: needed }]
    : ['fine', { kind: 'disk-enough', freeBytes: free }];
}

function clockOf({ skewMs }: DoctorFacts): Verdict {
  if (skewMs === 'unknown') return UNKNOWN;
  return Math.abs(skewMs) <= SKEW_MS ? ['fine', { kind: 'clock-right' }] : ['hint', { kind: 'clock-wrong', skewMs }];
}

function coordinatorOf({ coordinator: state }: DoctorFacts): Verdict {
  switch (state.kind) {
    case 'connected':
      return ['fine', { kind: 'coordinator-connected' }];
    case 'connecting':
      return UNKNOWN;
    case 'away':
      return ['bad', { kind: 'coordinator-away', detail: state.detail }];
    case 'refused':
      return ['bad', { kind: 'coordinator-refused', detail: state.detail }];
  }
}

const LOOKS: Readonly<Record<Check, (facts: DoctorFacts) => Verdict | null>> = {
  ...{ engine: engineOf, virtualisation: virtualisationOf, wsl: wslOf, gvisor: gvisorOf, gpu: gpuOf, images: imagesOf },
  catalogue: catalogueOf,
  ...{ disk: diskOf, clock: clockOf, coordinator: coordinatorOf },
};

/** Every check that matters on this machine, in the order in which they build on each other. */
export function diagnose(facts: DoctorFacts): readonly Finding[] {
  return CHECKS.flatMap((check): Finding[] => {
    const verdict = LOOKS[check](facts);
    return verdict === null ? [] : [{ check, state: verdict[0], ...verdict[1] }];
  });
}
