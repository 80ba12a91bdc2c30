import { z } from 'zod';
import { type Amount, encodeAmount } from './money.ts';
import { amount, byteCount, hex32, lane } from './primitives.ts';

/** A DNS name in lower case, or `*.` and one: its sub-names. Never an address: what it means is checked when it is dialled. */
const hostPattern = z
  .string()
  .max(253)
  .regex(/^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/);

/** What of the internet a workload may speak to, through the gateway and no other way. */
export const egressNeed = z.strictObject({
  egress: z
    .array(z.strictObject({ host: hostPattern, ports: z.array(z.number().int().min(1).max(65_535)).min(1).max(16) }))
    .min(1)
    .max(64),
  /** Both ways together, in one run. */
  maxBytes: byteCount,
});
export type EgressNeed = z.output<typeof egressNeed>;

export const GPU_VENDORS = ['nvidia', 'amd', 'intel'] as const;
export type GpuVendor = (typeof GPU_VENDORS)[number];

export const gpuNeed = z.strictObject({
  api: z.enum(['opencl', 'cuda', 'vulkan']),
  vendors: z.array(z.enum(GPU_VENDORS)).min(1),
  memoryBytes: byteCount,
  /** It uses the GPU's own decoder or encoder too. */
  video: z.boolean().default(false),
  /** Work on it whose answer is known: a GPU is given jobs of this workload only after it has answered so. */
  check: z
    .strictObject({
      params: z.record(z.string(), z.string().max(32)),
      /** SHA-256 of the output for an empty input. */
      output: hex32,
    })
    .nullable()
    .default(null),
  /** It may run on the processor instead where there is no GPU: for tests and practice. */
  cpuFallback: z.boolean().default(false),
  /**
   * Exact multiplications a second that a device must have proven to be given it; 0: none. Of the whole proof, with the start of its container, so less
   * than the GPU does at its best.
   */
  leastMultiplicationsPerSecond: z.number().nonnegative().default(0),
  /** Throughput is proven with it: it has the parameters `size` and `rounds`, and its output is that of workloads/modmatrix. */
  proves: z.boolean().default(false),
});
export type GpuNeed = z.output<typeof gpuNeed>;

const workloadId = z.string().regex(/^[a-z][a-z0-9-]{1,31}$/);

const limits = z.strictObject({
  /** The most it can use; the owner's own limits lower it. */
  cpuCores: z.number().positive().max(64),
  memoryBytes: byteCount,
  pids: z.number().int().positive().max(4096),
  scratchBytes: byteCount,
  /** Wall-clock seconds, frozen time not counted. */
  seconds: z.number().int().positive().max(86_400),
  maxInputBytes: byteCount,
  maxOutputBytes: byteCount,
});

/** How two results of one job are compared. Equal hashes are equal results in any case. */
export const comparison = z.union([
  /** Nothing else is. */
  z.literal('exact'),
  z.strictObject({
    kind: z.literal('tolerance'),
    /** Little-endian, one after the other, from the first byte to the last. */
    numbers: z.enum(['float32', 'float64']),
    /** Two numbers are the same within `absolute`, or within `relative` of the larger one. */
    absolute: z.number().nonnegative(),
    relative: z.number().min(0).max(1),
  }),
  /** A program over both outputs (workloads/README.md): the image of an entry of this catalogue whose purpose is `verifier`, */
  z.strictObject({ kind: z.literal('verifier'), entry: workloadId }),
  /** or the workload's own image, begun with another program. */
  z.strictObject({
    kind: z.literal('verifier'),
    program: z.array(z.string().min(1).max(256)).min(1).max(16),
    limits: limits.omit({ maxInputBytes: true, maxOutputBytes: true }),
  }),
]);
export type Comparison = z.output<typeof comparison>;

/** What a workload's folder says of itself; `manifest.json` beside its Dockerfile. */
export const workloadManifest = z.strictObject({
  id: workloadId,
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  /** `work`: what jobs are made of. The rest serves the sandbox itself, and is never offered to anybody. */
  purpose: z.enum(['work', 'door', 'gateway', 'probe', 'verifier']).default('work'),
  /** `batch`: one input, one result. `service`: it answers requests for as long as it runs (workloads/README.md). */
  kind: z.enum(['batch', 'service']).default('batch'),
  lane,
  title: z.strictObject({ en: z.string().min(1), ja: z.string().min(1) }),
  limits,
  network: z.union([z.literal('none'), egressNeed]).default('none'),
  gpu: gpuNeed.nullable().default(null),
  /** Its runtime compiles code and loads it, as OpenCL on a processor does: it gets a place for that. */
  loadsCode: z.boolean().default(false),
  comparison,
  /** Of a service: where it finds a store of its own that outlives its container. */
  store: z.enum(['/vault', '/cache']).nullable().default(null),
  /** It listens at its door for `freeze`, `thaw` and `stop` (workloads/README.md). */
  control: z.boolean().default(false),
  /** Its output is in frames: it hands out checkpoints, and goes on from them (workloads/README.md). */
  checkpoint: z.boolean().default(false),
  price: z.strictObject({ base: amount, perInputMiB: amount }),
  /** Parameters a consumer may set, with the values allowed; the first is the default. */
  params: z.record(z.string().regex(/^[a-z][a-zA-Z0-9]{0,31}$/), z.array(z.string().max(32)).min(1)),
});
export type WorkloadManifest = z.output<typeof workloadManifest>;

export const contentId = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected sha256: and 64 lower-case hex digits');

/** Where an image is fetched from: a registry, named by the digest of the manifest for one platform. */
export const pullSource = z.strictObject({
  /** `registry[:port]/path`, without a tag: a tag can be moved. */
  repository: z
    .string()
    .max(255)
    .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)+$/),
  digest: contentId,
  /** Of its compressed layers together. */
  bytes: byteCount,
});
export type PullSource = z.output<typeof pullSource>;

/** A manifest bound to the one image that may run under it. */
export const catalogueEntry = workloadManifest.extend({
  /** Content id of the image, the digest of its configuration: what runs is what is listed. */
  image: contentId,
  /** null: it is on the machine already, or not to be had. */
  pull: pullSource.nullable().default(null),
});
export type CatalogueEntry = z.output<typeof catalogueEntry>;

/**
 * Names under which an engine may hold exactly this image: its configuration's digest, and with the containerd image store
 * its manifest's.
 */
export const imageIds = ({ image, pull }: Pick<CatalogueEntry, 'image' | 'pull'>): readonly string[] =>
  pull === null ? [image] : [image, pull.digest];

export const COMPONENTS = ['docker', 'podman', 'runc', 'crun', 'runsc', 'nvidia-container-toolkit'] as const;

/** The oldest version of a part of the engine under which strangers' work may run. */
export const minimum = z.strictObject({
  component: z.enum(COMPONENTS),
  minimum: z.string().regex(/^\d+(\.\d+){0,3}$/),
  /**
   * Exact builds of distributions that carry the fix under an older number, as the engine names them in a component's version
   * or in its build ("GitCommit"): Debian 12 says "1.1.5+ds1" for runc with and without the fix, and tells them apart in the
   * build alone.
   */
  accepted: z.array(z.string().min(1).max(64)).max(64),
  /** The hole that it closes, or what is missing before it. */
  because: z.string().min(1).max(200),
});
export type Minimum = z.output<typeof minimum>;

/** What may run on this machine, taken out of a signed release (`core/release.ts`). */
export const catalogue = z.strictObject({
  version: z.number().int().nonnegative(),
  minimums: z.array(minimum).max(64).default([]),
  entries: z.array(catalogueEntry).max(256),
});
export type Catalogue = z.output<typeof catalogue>;

/** With no valid release nothing may run. */
export const EMPTY_CATALOGUE: Catalogue = { version: 0, minimums: [], entries: [] };

export type JobParams = Readonly<Record<string, string>>;

const MIB = 1024n * 1024n;

/** Posted price of one accepted copy of a job: base plus each started MiB of input. Base units. */
export function priceOf(entry: Pick<WorkloadManifest, 'price'>, inputBytes: number): Amount {
  const mib = (BigInt(inputBytes) + MIB - 1n) / MIB;
  return entry.price.base + entry.price.perInputMiB * mib;
}

/** Fills defaults in; `null` when a parameter or its value is not one the workload lists. */
export function completeParams(entry: Pick<WorkloadManifest, 'params'>, given: JobParams): JobParams | null {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(entry.params, name) || !entry.params[name]?.includes(value)) return null;
  }
  return Object.fromEntries(
    Object.keys(entry.params)
      .sort()
      .map((name) => [name, given[name] ?? entry.params[name]?.[0] ?? '']),
  );
}

/** What earns on a lane: jobs are made of what is `batch`. */
export const workIn = (list: Catalogue): readonly CatalogueEntry[] =>
  list.entries.filter(({ purpose }) => purpose === 'work');

/** What a job can be made of it; a service is kept running by the owner's choice, and nobody orders it. */
export function findWorkload(list: Catalogue, id: string): CatalogueEntry | null {
  return workIn(list).find((entry) => entry.id === id && entry.kind === 'batch') ?? null;
}

/** What of a catalogue concerns devices: verifiers run where results are compared. */
export const onDevices = (list: Catalogue): Catalogue => ({
  ...list,
  entries: list.entries.filter(({ purpose }) => purpose !== 'verifier'),
});

/** What tells whether two outputs of a workload are the same answer. */
export type Verifier = Pick<CatalogueEntry, 'id' | 'version' | 'image' | 'pull' | 'limits' | 'loadsCode'> & {
  /** Instead of the image's own. */
  readonly program: readonly string[] | null;
};

/** The verifier of a workload; null: the catalogue has none, or the workload is compared otherwise. */
export function verifierOf(list: Catalogue, entry: CatalogueEntry): Verifier | null {
  const rule = entry.comparison;
  if (rule === 'exact' || rule.kind !== 'verifier') return null;
  const own = 'program' in rule;
  const from = own ? entry : list.entries.find(({ id, purpose }) => purpose === 'verifier' && id === rule.entry);
  if (from === undefined) return null;
  const { id, version, image, pull, loadsCode } = from;
  const limits = own ? { ...from.limits, ...rule.limits } : from.limits;
  return { id, version, image, pull, loadsCode, limits, program: own ? rule.program : null };
}

/** The image that serves the sandbox in this way; null: the catalogue has none. */
export const systemImage = (
  list: Catalogue,
  purpose: Exclude<CatalogueEntry['purpose'], 'work' | 'verifier'>,
): string | null => list.entries.find((entry) => entry.purpose === purpose)?.image ?? null;

/** The manifest as it is written to a file. */
export const encodeManifest = (manifest: WorkloadManifest): z.input<typeof workloadManifest> => ({
  ...manifest,
  price: { base: encodeAmount(manifest.price.base), perInputMiB: encodeAmount(manifest.price.perInputMiB) },
});
