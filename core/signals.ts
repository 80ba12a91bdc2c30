import type { GpuVendor } from './catalogue.ts';
import type { Unfitness } from './engine-gates.ts';
import type { GpuRefusal } from './gpu-grants.ts';
import type { Known, PerLane, UnixMs } from './primitives.ts';

/** What an engine says of its ways to hand out GPUs. */
export type EngineGpus = {
  /** NVIDIA's runtime is registered. */
  readonly runtime: boolean;
  /** It reads specifications of the Container Device Interface. */
  readonly cdi: boolean;
  /** Qualified names that it has found there; null: this version does not tell. */
  readonly devices: readonly string[] | null;
  /** It runs in a virtual machine of its own, which has other devices than this one. */
  readonly machine: boolean;
};

/** How the container engine answers. */
export type EngineState =
  | {
      readonly kind: 'ready';
      readonly version: string;
      /** Left out: it was not asked. */
      readonly gpus?: EngineGpus;
    }
  | { readonly kind: 'unchecked' }
  | { readonly kind: 'absent'; readonly detail: string }
  /** It is there, but this user may not speak to it. */
  | { readonly kind: 'forbidden'; readonly detail: string }
  /** It may not run strangers' work. */
  | { readonly kind: 'unfit'; readonly why: Unfitness };

/**
 * The session with the coordinator.
 *
 *   connecting ──► connected ──► away ──► connecting …
 *        └──────► refused (the coordinator said no: its detail says why; tried again slowly)
 */
export type CoordinatorState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'connected'; readonly since: UnixMs }
  | { readonly kind: 'away'; readonly since: UnixMs; readonly detail: string }
  | { readonly kind: 'refused'; readonly detail: string };

/**
 * What a sensor says. `unavailable`: this machine has no such source (no battery, no display). `unknown`: there is a
 * source and it does not answer sensibly; that is doubt, and doubt yields.
 */
export type Sensed<T> = Known<T> | 'unavailable';

export const SENSORS = [
  'idle',
  'locked',
  'fullscreen',
  'games',
  'media',
  'cpu',
  'gpus',
  'power',
  'temperature',
  'metered',
  'disk',
] as const;
export type SensorName = (typeof SENSORS)[number];

/** A device file, and the numeric group that may use it; 0: nobody but root may. */
export type DeviceFile = { readonly path: string; readonly group: number | 'anyone' };

/** Where a GPU is, as far as handing it out needs it. */
export type GpuPlace = {
  readonly vendor: GpuVendor | 'other';
  /** Its render node, `/dev/dri/renderD*`; null: it has none here. */
  readonly render: DeviceFile | null;
  /** `/dev/kfd`, which AMD's GPUs compute through; null: it is not there. */
  readonly compute: DeviceFile | null;
};

export type GpuReading = {
  /** Stable across restarts: the vendor's UUID or the PCI address. */
  readonly id: string;
  readonly name: string;
  /** Left out: its sensor cannot tell. */
  readonly place?: GpuPlace;
  /** Version of its driver; left out: its sensor cannot tell. */
  readonly driver?: string;
  /** 0..100 of its time, our own work not counted. */
  readonly busyByOthersPercent: Sensed<number>;
  readonly memoryBytes: Sensed<number>;
  /** Held by others than our work. */
  readonly memoryByOthersBytes: Sensed<number>;
  readonly temperatureC: Sensed<number>;
};

/** What the sensors say of the machine and who uses it, at one moment. */
export type Readings = {
  /** Milliseconds since the last input of anyone, at the machine or from afar. */
  readonly idleMs: Sensed<number>;
  readonly locked: Sensed<boolean>;
  /** The application that fills a screen; null: none does. */
  readonly fullscreen: Sensed<{ readonly name: string } | null>;
  /** Games that run, the longest known first. */
  readonly games: Sensed<readonly { readonly name: string }[]>;
  /** Who plays sound or video or keeps the screen awake; null: nobody. */
  readonly media: Sensed<{ readonly name: string } | null>;
  /** 0..100 of all cores, our containers not counted, over the last second or so. */
  readonly cpuByOthersPercent: Sensed<number>;
  readonly gpus: Sensed<readonly GpuReading[]>;
  readonly onBattery: Sensed<boolean>;
  /** Of the hottest processor sensor. */
  readonly temperatureC: Sensed<number>;
  readonly metered: Sensed<boolean>;
  readonly freeDiskBytes: Sensed<number>;
};

/** `percent` 0..100 of the image that is being fetched; `stuck`: why none is, until somebody does something about it or it is tried again. */
export type Fetching = { readonly percent: number | null; readonly stuck?: 'disk' | 'budget' | 'failed' };

/** Everything `decide` looks at, gathered at one moment. */
export type Signals = Readings & {
  readonly now: UnixMs;
  /** IANA name of the zone that the machine's clock shows. */
  readonly timeZone: string;
  /** False after a write to the device's own ledger failed, until one succeeds. */
  readonly ledgerWritable: boolean;
  readonly settingsOk: boolean;
  /** The last proof got out of the sandbox; until the next one says otherwise. */
  readonly sandboxLeaks: boolean;
  readonly engine: EngineState;
  readonly coordinator: CoordinatorState;
  /** Bytes that entered and left the machine for our sake in this local month, and when the next begins. */
  readonly traffic: { readonly monthBytes: number; readonly resetsAt: UnixMs };
  /** Leases in hand that are not finished. */
  readonly leases: PerLane<number>;
  /** By GPU id: what was found out by trying. */
  readonly gpuFaults?: Readonly<Record<string, GpuRefusal>>;
  /** Lanes for which this build has something to run. */
  readonly offered: PerLane<boolean>;
  /** Lanes of whose work no image is here yet. null: nothing is missing. */
  readonly fetching: PerLane<Fetching | null>;
};
