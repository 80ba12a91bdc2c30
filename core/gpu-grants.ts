import type { GpuNeed, GpuVendor } from './catalogue.ts';
import type { GpuGrant } from './sandbox.ts';
import type { DeviceFile, EngineGpus, GpuReading, Sensed } from './signals.ts';
import type { ProofFault } from './wire-gpu.ts';

/** Why a GPU cannot be handed to work. A new member does not compile until every language has a sentence and a fix for it. */
export type GpuRefusal =
  /** No launch knows how to hand out this make, or on this system. */
  | { readonly kind: 'not-served' }
  /** NVIDIA's, and the engine has nothing to hand it out with. */
  | { readonly kind: 'no-runtime' }
  /** The engine runs in a virtual machine that has no such device. */
  | { readonly kind: 'behind-a-machine' }
  /** Its driver offers no file to compute through. */
  | { readonly kind: 'no-device-file'; readonly path: string }
  /** Only root may use it: no group could be given to work. */
  | { readonly kind: 'no-access'; readonly path: string }
  /** The owner wants gVisor or nothing, and no GPU reaches through it. */
  | { readonly kind: 'gvisor-only' }
  /** The engine took it and then did not start work with it. */
  | { readonly kind: 'did-not-start'; readonly detail: string }
  /** Work whose answer is known failed on it, or answered something else. */
  | { readonly kind: 'failed-its-check'; readonly detail: string }
  /** The network did not believe its proof of throughput. */
  | { readonly kind: 'proof-refuted'; readonly why: ProofFault };

/** Why one job is not given one GPU that others may be given. */
export type GpuMisfit =
  | { readonly kind: 'other-vendor'; readonly vendors: readonly GpuVendor[] }
  | { readonly kind: 'little-memory'; readonly bytes: number; readonly neededBytes: number };

export type HandOut =
  | { readonly kind: 'grant'; readonly grant: GpuGrant }
  | { readonly kind: 'refused'; readonly why: GpuRefusal };

const refused = (why: GpuRefusal): HandOut => ({ kind: 'refused', why });

/** The part of the Engine API's `/info` that tells of GPUs. `CDISpecDirs`: engine 25; `DiscoveredDevices`: API 1.50. */
export type EngineGpuInfo = {
  readonly Runtimes?: Readonly<Record<string, unknown>> | null;
  readonly CDISpecDirs?: readonly string[] | null;
  readonly DiscoveredDevices?: readonly { readonly Source?: string; readonly ID?: string }[] | null;
  readonly OperatingSystem?: string;
  /** Only Podman's answer to the same question has it. */
  readonly BuildahVersion?: string;
};

export function engineGpus(info: EngineGpuInfo): EngineGpus {
  const named = info.DiscoveredDevices?.flatMap(({ Source, ID }) => (Source === 'cdi' && ID !== undefined ? [ID] : []));
  return {
    runtime: Object.hasOwn(info.Runtimes ?? {}, 'nvidia'),
    // Podman always reads them, and does not say so.
    cdi: info.BuildahVersion !== undefined || (info.CDISpecDirs ?? []).length > 0,
    devices: named ?? null,
    machine: info.OperatingSystem === 'Docker Desktop',
  };
}

/** Names that the Container Device Interface has for a GPU: its UUID, as `nvidia-ctk cdi generate` lists it. */
const cdiName = (id: string): string => `nvidia.com/gpu=${id}`;

function nvidia(id: string, engine: EngineGpus): HandOut {
  const via = (how: 'request' | 'cdi'): HandOut => ({
    kind: 'grant',
    grant: { kind: 'nvidia', ids: [id], via: how },
  });
  // By name rather than by hook: no program outside of the container then reads what an image says.
  if (engine.devices?.includes(cdiName(id)) === true) return via('cdi');
  // Docker Desktop hands them out by itself, and lists no runtime for it.
  if (engine.runtime || engine.machine) return via('request');
  return engine.cdi && engine.devices === null ? via('cdi') : refused({ kind: 'no-runtime' });
}

function rendering(files: readonly (readonly [DeviceFile | null, string])[], engine: EngineGpus): HandOut {
  if (engine.machine) return refused({ kind: 'behind-a-machine' });
  const devices: string[] = [];
  const groups = new Set<string>();
  for (const [file, path] of files) {
    if (file === null) return refused({ kind: 'no-device-file', path });
    // Root's group would be more than this one device.
    if (file.group === 0) return refused({ kind: 'no-access', path: file.path });
    devices.push(file.path);
    if (file.group !== 'anyone') groups.add(`${file.group}`);
  }
  return { kind: 'grant', grant: { kind: 'render', devices, groups: [...groups] } };
}

/** How the engine is to be asked for a GPU, or why it cannot give it. That it works is proven by running something on it. */
export function handOut({ id, place }: Pick<GpuReading, 'id' | 'place'>, engine: EngineGpus): HandOut {
  if (place === undefined) return refused({ kind: 'not-served' });
  const render = [place.render, '/dev/dri/renderD*'] as const;
  switch (place.vendor) {
    case 'nvidia':
      return nvidia(id, engine);
    case 'amd':
      return rendering([[place.compute, '/dev/kfd'], render], engine);
    case 'intel':
      return rendering([render], engine);
    case 'other':
      return refused({ kind: 'not-served' });
  }
}

/** Whether a GPU is one that this work runs on. A model that does not tell its memory, as one that shares the machine's, has enough. */
export function misfit(gpu: Pick<GpuReading, 'place' | 'memoryBytes'>, need: GpuNeed): GpuMisfit | null {
  const vendor = gpu.place?.vendor;
  if (vendor === undefined || vendor === 'other' || !need.vendors.includes(vendor)) {
    return { kind: 'other-vendor', vendors: need.vendors };
  }
  const bytes = gpu.memoryBytes;
  return typeof bytes === 'number' && bytes < need.memoryBytes
    ? { kind: 'little-memory', bytes, neededBytes: need.memoryBytes }
    : null;
}

export type GpuFinding = { readonly id: string; readonly name: string; readonly why: GpuRefusal };

/** Every sensed GPU that the engine cannot hand out, and why. Pure, so that whoever looks for faults may ask it too. */
export function gpuFindings(gpus: Sensed<readonly GpuReading[]>, engine: EngineGpus): readonly GpuFinding[] {
  if (typeof gpus === 'string') return [];
  return gpus.flatMap((gpu): readonly GpuFinding[] => {
    const answer = handOut(gpu, engine);
    return answer.kind === 'refused' ? [{ id: gpu.id, name: gpu.name, why: answer.why }] : [];
  });
}
