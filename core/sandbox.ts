import type { GpuNeed, WorkloadManifest } from './catalogue.ts';
import type { Address, Hex32 } from './primitives.ts';
import { withSockets } from './sockets.ts';

/** The owner's share of the machine, already divided among the workloads that run at once. */
export type Share = {
  readonly cpuCores: number;
  readonly memoryBytes: number;
  /** Processes and threads of each workload; not divided. */
  readonly pids: number;
};

const MIB = 1024 * 1024;

/** The share that the owner's limits leave of a machine; a machine that is not known yet bounds nothing but the cores. */
export const shareFrom = (
  limits: { readonly cpuPercent: number; readonly memoryMiB: number; readonly pids: number },
  machine: { readonly cpuCores: number; readonly memoryBytes: number },
): Share => ({
  cpuCores: (machine.cpuCores * limits.cpuPercent) / 100,
  memoryBytes: Math.min(limits.memoryMiB * MIB, machine.memoryBytes || limits.memoryMiB * MIB),
  pids: limits.pids,
});

export const LABEL = {
  lease: 'org.idlemesh.lease',
  device: 'org.idlemesh.device',
  instance: 'org.idlemesh.instance',
  workload: 'org.idlemesh.workload',
  role: 'org.idlemesh.role',
  home: 'org.idlemesh.home',
} as const;

export type Labels = {
  readonly lease: Hex32;
  readonly device: Address;
  readonly instance: string;
  /** `workload` unless it is said: a job's container. */
  readonly role?: 'workload' | 'service';
  /** Where the agent's lock lies: others on the engine can tell whether it lives (core/leftovers.ts). */
  readonly home?: string | undefined;
};

/** A GPU that a job was given, as the engine wants it said. */
export type GpuGrant =
  /** Through NVIDIA's runtime hook, or by the Container Device Interface. `ids`: UUIDs. */
  | { readonly kind: 'nvidia'; readonly ids: readonly string[]; readonly via: 'request' | 'cdi' }
  /** AMD and Intel: device files, and the numeric groups that may use them. */
  | { readonly kind: 'render'; readonly devices: readonly string[]; readonly groups: readonly string[] };

/**
 * The first process of a container (workloads/door): it starts the image's own program, passes input on to it, and ends
 * everything when input ends.
 */
export type Door = {
  /** Name of the volume that holds it. */
  readonly volume: string;
  /** The image's own program and its arguments. */
  readonly program: readonly string[];
};

/** Where a service finds its store, which outlives its container. */
export const STORE_FOLDERS = ['/vault', '/cache'] as const;
export type StoreFolder = (typeof STORE_FOLDERS)[number];

/** What a launch gets beyond the share of processor and memory. Nothing, for most. */
export type Grants = {
  /** Every launch of the agent's has one. Without it an image that ignores the end of its input outlives its agent. */
  readonly door?: Door;
  readonly gpus?: readonly GpuGrant[];
  /** Name of the volume that holds the socket of its egress gateway, and nothing else. */
  readonly egressVolume?: string;
  /** A volume of its own that it may write to, by its name. */
  readonly store?: { readonly volume: string; readonly folder: StoreFolder };
  /** gVisor's; without it the engine's own. */
  readonly runtime?: 'runsc';
};

type Mount = {
  readonly Type: 'volume';
  readonly Source: string;
  readonly Target: string;
  readonly ReadOnly: boolean;
  readonly VolumeOptions: { readonly NoCopy: boolean };
};
type Device = {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  readonly CgroupPermissions: 'rw';
};
type DeviceRequest = {
  readonly Driver: 'nvidia' | 'cdi';
  readonly DeviceIDs: readonly string[];
  readonly Capabilities?: readonly (readonly string[])[];
};

/** The Docker Engine API's container create body (v1.41), the part we set. */
export type ContainerSpec = {
  readonly Image: string;
  readonly Entrypoint?: readonly string[];
  readonly User: string;
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly AttachStdin: true;
  readonly AttachStdout: true;
  readonly AttachStderr: true;
  readonly OpenStdin: true;
  readonly StdinOnce: true;
  readonly Tty: false;
  readonly NetworkDisabled: true;
  readonly Hostname: string;
  readonly WorkingDir: string;
  readonly Healthcheck: { readonly Test: readonly ['NONE'] };
  readonly StopSignal: 'SIGKILL';
  readonly HostConfig: {
    readonly NetworkMode: 'none';
    readonly ReadonlyRootfs: true;
    readonly Privileged: false;
    readonly CapDrop: readonly ['ALL'];
    readonly SecurityOpt: readonly string[];
    readonly Tmpfs: Readonly<Record<string, string>>;
    readonly Memory: number;
    readonly MemorySwap: number;
    readonly CpuPeriod: number;
    readonly CpuQuota: number;
    readonly CpuShares: number;
    readonly BlkioWeight: number;
    readonly PidsLimit: number;
    readonly IpcMode: 'private';
    readonly CgroupnsMode: 'private';
    readonly ShmSize: number;
    readonly Ulimits: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[];
    readonly LogConfig: { readonly Type: 'none'; readonly Config: Readonly<Record<string, string>> };
    readonly RestartPolicy: { readonly Name: 'no' };
    readonly OomScoreAdj: number;
    readonly AutoRemove: false;
    readonly Runtime?: 'runsc';
    readonly Mounts?: readonly Mount[];
    readonly Devices?: readonly Device[];
    readonly GroupAdd?: readonly string[];
    readonly DeviceRequests?: readonly DeviceRequest[];
  };
};

/** `nobody`: owns nothing in the image and nothing on the host. */
const NOBODY = '65534:65534';

const DOOR_FOLDER = '/run/door';
const DOOR_PROGRAM = `${DOOR_FOLDER}/door`;
/** Whether the first process of a launch is the supervisor. */
export const hasDoor = (spec: Pick<ContainerSpec, 'Entrypoint'>): boolean => spec.Entrypoint?.[0] === DOOR_PROGRAM;
/** Where a workload with egress finds its gateway's socket. */
export const EGRESS_FOLDER = '/run/egress';
/** Where a workload that loads code of its own making may keep it. */
const CODE_FOLDER = '/run/jit';
const MAX_CODE_BYTES = 64 * MIB;
/** gVisor's own threads count as processes; with fewer it does not start, and its kernel holds the job's own in any case. */
const GVISOR_PIDS = 512;
/** Files in a memory file system: an empty one costs the machine memory too. */
const FILES = 65_536;

const mountOf = (volume: string, folder: string): Mount => ({
  ...{ Type: 'volume', Source: volume, Target: folder, ReadOnly: true },
  VolumeOptions: { NoCopy: true },
});

/** What of NVIDIA's driver is put into the container; `utility` is its library that tells which GPUs there are. */
const capabilitiesFor = (need: GpuNeed | null): readonly string[] => [
  need?.api === 'vulkan' ? 'graphics' : 'compute',
  'utility',
  ...(need?.video === true ? ['video'] : []),
];

/**
 * What loaders read, and what NVIDIA's hook reads on the machine itself, as root, from the environment that an image sets
 * (CVE-2025-23266; the names are those of NVIDIA's container toolkit). The API cannot take a variable away on every engine, so they are blank.
 */
const BLANK = [
  ...['LD_PRELOAD', 'LD_LIBRARY_PATH', 'LD_AUDIT', 'LD_DEBUG', 'LD_CONFIG', 'GCONV_PATH', 'GLIBC_TUNABLES'],
  ...['NVIDIA_REQUIRE_CUDA', 'NVIDIA_DISABLE_REQUIRE', 'NVIDIA_MIG_CONFIG_DEVICES', 'NVIDIA_MIG_MONITOR_DEVICES'],
  ...['NVIDIA_IMEX_CHANNELS', 'NVIDIA_GDS', 'NVIDIA_MOFED', 'NVIDIA_GDRCOPY', 'NVIDIA_NVSWITCH', 'NVIDIA_SWRL'],
  ...['NVIDIA_CONTAINER_IMEX_CHANNELS', 'CUDA_VERSION', 'VK_ADD_LAYER_PATH', 'VK_INSTANCE_LAYERS', 'OCL_ICD_VENDORS'],
  ...['OCL_ICD_FILENAMES', 'OPENCL_LAYERS'],
] as const;

function environment(need: GpuNeed | null, gpus: readonly GpuGrant[]): readonly string[] {
  const ids = gpus.flatMap((gpu) => (gpu.kind === 'nvidia' && gpu.via === 'request' ? gpu.ids : []));
  return [
    ...['PATH=/usr/local/bin:/usr/bin:/bin', 'HOME=/tmp', ...BLANK.map((name) => `${name}=`)],
    // Where NVIDIA's runtime is the engine's default, an image that asks for all GPUs would get them.
    `NVIDIA_VISIBLE_DEVICES=${ids.length > 0 ? ids.join(',') : 'void'}`,
    `NVIDIA_DRIVER_CAPABILITIES=${ids.length > 0 ? capabilitiesFor(need).join(',') : ''}`,
    ...(need === null ? [] : [`IDLEMESH_COMPUTE=${gpus.length === 0 && need.cpuFallback ? 'cpu' : 'gpu'}`]),
  ];
}

/** A fresh one takes over from the image whose it is: nothing else can make it writable for nobody. */
const storeMount = ({ volume, folder }: NonNullable<Grants['store']>): Mount => ({
  ...{ Type: 'volume', Source: volume, Target: folder, ReadOnly: false },
  VolumeOptions: { NoCopy: false },
});

function granted(
  { door, gpus = [], egressVolume, store, runtime }: Grants,
  need: GpuNeed | null,
): Partial<ContainerSpec['HostConfig']> {
  const files = gpus.flatMap((gpu) => (gpu.kind === 'render' ? [gpu] : []));
  const requests = gpus.flatMap((gpu): DeviceRequest[] => {
    if (gpu.kind !== 'nvidia') return [];
    if (gpu.via === 'cdi') return [{ Driver: 'cdi', DeviceIDs: gpu.ids.map((id) => `nvidia.com/gpu=${id}`) }];
    return [{ Driver: 'nvidia', DeviceIDs: gpu.ids, Capabilities: [['gpu', ...capabilitiesFor(need)]] }];
  });
  const mounts = [
    ...(door === undefined ? [] : [mountOf(door.volume, DOOR_FOLDER)]),
    // Connecting to a socket needs no writable mount.
    ...(egressVolume === undefined ? [] : [mountOf(egressVolume, EGRESS_FOLDER)]),
    ...(store === undefined ? [] : [storeMount(store)]),
  ];
  return {
    ...(runtime === undefined ? {} : { Runtime: runtime }),
    ...(mounts.length === 0 ? {} : { Mounts: mounts }),
    ...(files.length === 0
      ? {}
      : {
          Devices: [...new Set(files.flatMap(({ devices }) => devices))].map((path) => ({
            ...{ PathOnHost: path, PathInContainer: path },
            CgroupPermissions: 'rw' as const,
          })),
          GroupAdd: [...new Set(files.flatMap(({ groups }) => groups))],
        }),
    ...(requests.length === 0 ? {} : { DeviceRequests: requests }),
  };
}

/**
 * The sandbox of one launch as reviewable data (DESIGN §6). No network, no capability, no device but granted GPUs, no mount but
 * the door's and the gateway's, both read-only, and a service's own store; the root file system is read-only and all other writable places are
 * bounded memory file systems.
 * `seccompProfile` is the profile's JSON text, as the Engine API wants it. No swap: memory limit and memory+swap limit are equal.
 */
export function containerSpec(
  workload: Pick<WorkloadManifest, 'id' | 'version' | 'limits' | 'loadsCode'> &
    Partial<Pick<WorkloadManifest, 'gpu'>> & { readonly image: string },
  share: Share,
  labels: Labels,
  seccompProfile: string,
  grants: Grants = {},
): ContainerSpec {
  const own = limitUpdate(workload, share);
  const profile = grants.egressVolume === undefined ? seccompProfile : withSockets(seccompProfile, 'work');
  const limits = grants.runtime === 'runsc' ? { ...own, PidsLimit: Math.max(own.PidsLimit, GVISOR_PIDS) } : own;
  const need = workload.gpu ?? null;
  const scratch = Math.floor(Math.min(workload.limits.scratchBytes, limits.Memory));
  const code = Math.min(MAX_CODE_BYTES, limits.Memory);
  return {
    Image: workload.image,
    ...(grants.door === undefined ? {} : { Entrypoint: [DOOR_PROGRAM, ...grants.door.program] }),
    User: NOBODY,
    Env: environment(need, grants.gpus ?? []),
    Labels: {
      [LABEL.role]: labels.role ?? 'workload',
      [LABEL.lease]: labels.lease,
      [LABEL.device]: labels.device,
      [LABEL.instance]: labels.instance,
      ...(labels.home === undefined ? {} : { [LABEL.home]: labels.home }),
      [LABEL.workload]: `${workload.id}@${workload.version}`,
    },
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    OpenStdin: true,
    StdinOnce: true,
    Tty: false,
    NetworkDisabled: true,
    // Otherwise a name that the engine makes of the container's id.
    Hostname: 'idlemesh',
    // Never the image's: a folder below /proc/self/fd has been a way to the machine's files (CVE-2024-21626).
    WorkingDir: '/tmp',
    // The image's own would have the engine enter the container again and again (CVE-2019-5736).
    Healthcheck: { Test: ['NONE'] },
    // A restart of the engine waits for nobody who ignores a friendlier one.
    StopSignal: 'SIGKILL',
    HostConfig: {
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      Privileged: false,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true', `seccomp=${profile}`],
      Tmpfs: {
        '/tmp': `rw,noexec,nosuid,nodev,size=${scratch},nr_inodes=${FILES},mode=1777`,
        ...(workload.loadsCode
          ? { [CODE_FOLDER]: `rw,exec,nosuid,nodev,size=${code},nr_inodes=${FILES},mode=1777` }
          : {}),
      },
      ...limits,
      ...granted(grants, need),
      CpuShares: 2,
      BlkioWeight: 10,
      IpcMode: 'private',
      CgroupnsMode: 'private',
      ShmSize: MIB,
      Ulimits: [
        { Name: 'nofile', Soft: 256, Hard: 256 },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      LogConfig: { Type: 'none', Config: {} },
      RestartPolicy: { Name: 'no' },
      OomScoreAdj: 1000,
      AutoRemove: false,
    },
  };
}

/** The part of a running container that follows a slider at once; the Engine API's container update body. */
export type ContainerLimits = {
  /** µs; the quota holds anew in each. */
  readonly CpuPeriod: number;
  /** Processor time in a period, µs. */
  readonly CpuQuota: number;
  readonly Memory: number;
  readonly MemorySwap: number;
  readonly PidsLimit: number;
};

/**
 * Work that has used its quota runs nothing until the next period, the reader at its door no more than the rest: what is
 * said to it is heard a period later. So the period is a fifth of the engine's own 100 ms.
 */
const CPU_PERIOD_US = 20_000;
/** The kernel's smallest quota. */
const MIN_QUOTA_US = 1_000;

/** The cores that limits amount to. */
export const coresOf = (limits: Pick<ContainerLimits, 'CpuPeriod' | 'CpuQuota'>): number =>
  limits.CpuQuota / limits.CpuPeriod;

/** The smaller of what the workload may have and what the owner shares. */
export function limitUpdate(workload: Pick<WorkloadManifest, 'limits'>, share: Share): ContainerLimits {
  const memory = Math.floor(Math.min(workload.limits.memoryBytes, share.memoryBytes));
  const cores = Math.min(workload.limits.cpuCores, share.cpuCores);
  return {
    CpuPeriod: CPU_PERIOD_US,
    CpuQuota: Math.max(MIN_QUOTA_US, Math.round(cores * CPU_PERIOD_US)),
    Memory: memory,
    MemorySwap: memory,
    PidsLimit: Math.floor(Math.min(workload.limits.pids, share.pids)),
  };
}
