import type { Socket } from 'node:net';
import type { CatalogueEntry } from '../core/catalogue.ts';
import type { MachineFacts } from '../core/doctor.ts';
import type { Keyring, Verify } from '../core/dsse.ts';
import type { EngineFacts } from '../core/engine-gates.ts';
import type { GatewaySpec, NetworkSpec, VolumeSpec } from '../core/gateway.ts';
import type { SwitchEntry, SwitchPage, SwitchQuery } from '../core/ipc.ts';
import type { Amount } from '../core/money.ts';
import type { Address, Hex32, Lane, Signature, UnixMs } from '../core/primitives.ts';
import type { Aims, Bait, Proof } from '../core/proof.ts';
import type { ObservedContainer } from '../core/reconcile.ts';
import type { EnginePlatform, Highest } from '../core/release.ts';
import type { ContainerLimits, ContainerSpec, Door } from '../core/sandbox.ts';
import type { Settings } from '../core/settings.ts';
import type { CoordinatorState, EngineState, GpuReading, Sensed } from '../core/signals.ts';
import type { TrafficView } from '../core/snapshot.ts';
import type { StoreSpec } from '../core/stores.ts';
import type { Carrier, Direction, Rates, TrafficDay, Usage } from '../core/traffic.ts';
import type { Struct, StructName } from '../core/typed-data.ts';
import type { CoordinatorMessage, DeviceMessage, NetworkInfo, OwnerBooks, OwnerProof } from '../core/wire.ts';
import type { ReceiptStore } from './edge/receipts.ts';
import type { Holdings } from './image-ports.ts';
import type { LedgerFactory } from './ledger-port.ts';
import type { AgreementShelf } from './storage/shelf.ts';

export type {
  LeaseRecord,
  LeaseState,
  Ledger,
  LedgerFactory,
  StoredReport,
} from './ledger-port.ts';

/** What the agent needs of the world, in our words. Each port has one adapter per library and one fake. */

export type Clock = {
  readonly now: () => UnixMs;
  /** Local time minus UTC. */
  readonly utcOffsetMinutes: () => number;
  /** IANA name of the machine's zone. */
  readonly timeZone: () => string;
  /** Calls `run` once after `ms`; the returned function cancels it. */
  readonly after: (ms: number, run: () => void) => () => void;
};

export type Random = { readonly hex32: () => Hex32 };

/** Structured and without secrets. */
export type Log = (
  level: 'debug' | 'info' | 'warn' | 'error',
  event: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

export type Unsubscribe = () => void;

/** Signs typed data as this device; the private key never leaves it. */
export type DeviceKey = {
  readonly address: Address;
  readonly sign: <N extends StructName>(name: N, value: Struct<N>) => Promise<Signature>;
};

/** The owner's wallet. The seed is decrypted for the length of one call. Throws VAULT_UNREADABLE. */
export type Vault = {
  readonly owner: Address;
  readonly protection: 'keyring' | 'file';
  readonly sign: <N extends 'Enrollment' | 'Claim'>(
    network: NetworkInfo,
    name: N,
    value: Struct<N>,
  ) => Promise<Signature>;
  readonly deviceKey: (network: NetworkInfo) => DeviceKey;
  readonly device: Address;
};

/** Wraps small secrets with the best the system has. `open` throws VAULT_UNREADABLE when what sealed is not at hand. */
export type SecretBox = {
  readonly protection: 'keyring' | 'file';
  /** Names the backend, recorded beside what it sealed: a keyring that changed is told from a corrupt file. */
  readonly backend: string;
  readonly seal: (plain: Uint8Array) => Promise<Uint8Array>;
  readonly open: (sealed: Uint8Array) => Promise<Uint8Array>;
};

/**
 * How closely the agent looks. `rest`: nothing could run whatever the machine does (paused, no engine). `ready`: work would
 * run if the machine were free. `watch`: work runs, and must stop within 150 ms of the event.
 */
export type Attention = 'rest' | 'ready' | 'watch';

/** One way to learn one thing about the machine. Several may serve one sensor; the most cautious answer counts. */
export type Source<T> = {
  /** As the owner knows it: "X11", "logind", "NVIDIA". */
  readonly name: string;
  /** May throw, hang or answer nonsense: then the reading is `unknown`. */
  readonly read: () => Promise<Sensed<T>>;
  /** Milliseconds between two reads at each attention; null: only after `onChange`. */
  readonly every: Readonly<Record<Attention, number | null>>;
  /** A read that takes longer counts as `unknown` until it ends. */
  readonly timeoutMs: number;
  /** Where the system tells of changes: fires when a read would answer something else. */
  readonly onChange?: (listener: () => void) => Unsubscribe;
  readonly close?: () => void;
};

/** Time since the last input of somebody: at this machine, or in a remote session. */
export type IdleSource = {
  readonly name: string;
  /** Milliseconds. Asked up to 20 times a second while work runs where `onReturn` is missing: must be cheap. */
  readonly idleMs: () => Promise<Sensed<number>>;
  readonly timeoutMs: number;
  /**
   * Where the system tells of input: fires once at the first input after the call, and not for input before it. Costs nothing
   * while nobody touches the machine.
   */
  readonly onReturn?: (listener: () => void) => Unsubscribe;
  readonly close?: () => void;
};

/** A running program as the system lists it. */
export type Process = {
  readonly pid: number;
  /** File name of the program, without folders. */
  readonly name: string;
  /** Its full path, where this user may know it. */
  readonly path: string | null;
  /** Names of its parents, nearest first, where they matter (Steam's reaper, Wine). */
  readonly launchedBy: readonly string[];
  /** Steam's AppId or the like, where the launcher says it. */
  readonly launcherId: string | null;
};

/** Every sensor's sources on this machine; an empty list is `unavailable`. */
export type Sources = {
  readonly idle: readonly IdleSource[];
  readonly locked: readonly Source<boolean>[];
  readonly fullscreen: readonly Source<{ readonly name: string } | null>[];
  /** The same array as before means that nothing has changed. */
  readonly processes: readonly Source<readonly Process[]>[];
  readonly media: readonly Source<{ readonly name: string } | null>[];
  /** `ours`: see `OwnWork`. */
  readonly cpuByOthersPercent: readonly Source<number>[];
  readonly gpus: readonly Source<readonly GpuReading[]>[];
  readonly onBattery: readonly Source<boolean>[];
  readonly temperatureC: readonly Source<number>[];
  readonly metered: readonly Source<boolean>[];
  readonly freeDiskBytes: readonly Source<number>[];
};

/** What the machine is made of, and what tells of its use. */
export type Sensors = {
  readonly sources: Sources;
  readonly machine: () => Promise<{ readonly cpuCores: number; readonly memoryBytes: number }>;
};

/** When what began and stopped; survives restarts, old entries go by themselves. */
export type History = {
  /** Never throws: a full disk loses the entry, not the work. */
  readonly append: (entry: Omit<SwitchEntry, 'id'>) => void;
  /** Throws DISK_FULL where the disk cannot be read. */
  readonly page: (query: SwitchQuery) => SwitchPage;
  readonly close: () => void;
};

export type SettingsState =
  | { readonly kind: 'ok'; readonly settings: Settings }
  /** `settings` are the defaults, with nothing shared; the file is untouched. */
  | { readonly kind: 'broken'; readonly settings: Settings; readonly path: string; readonly detail: string };

export type SettingsStore = {
  readonly current: () => SettingsState;
  /**
   * Takes effect at once, then writes the file atomically, then answers. Throws BAD_INPUT and SETTINGS_BROKEN, which change
   * nothing, and DISK_FULL: it is in force all the same, since a pause must hold, and is written as soon as that works.
   */
  readonly update: (change: (settings: Settings) => Settings) => Promise<void>;
  /** Keeps a broken file under another name and starts from the defaults. */
  readonly reset: () => Promise<void>;
  /** Also fires when the file is edited by hand. */
  readonly onChange: (listener: () => void) => Unsubscribe;
  readonly close: () => void;
};

/** A started container: one door in, one out, and its end. */
export type ContainerRun = {
  readonly containerId: string;
  /** Sends bytes in, honouring back-pressure. The door stays open: its end is the dead-man's switch. */
  readonly write: (chunk: Uint8Array) => Promise<void>;
  /** Closes the door both ways without asking the engine: the container ends by itself. */
  readonly shut: () => void;
  readonly stdout: AsyncIterable<Uint8Array>;
  /** Whole lines of standard error, at most 4 KiB each, without the newline. */
  readonly stderr: AsyncIterable<string>;
  readonly exited: Promise<{ readonly code: number; readonly outOfMemory: boolean }>;
};

/** What gateways need of an engine beyond containers. Everything has the gateway's name. */
export type EgressEngine = {
  /** This machine's own addresses, each with the length of its network. */
  readonly ranges: () => readonly string[];
  /** Throws ENGINE_AWAY and REFUSED; `close` removes what was made until then. */
  readonly open: (volume: VolumeSpec, network: NetworkSpec) => Promise<void>;
  /** Gone already is success. */
  readonly close: (name: string) => Promise<void>;
  /** Removes what gateways of this device have left: containers, networks and volumes that this process has not open. */
  readonly sweep: (device: Address) => Promise<void>;
};

export type Containers = {
  /** Cheap; also finds the engine, and notices it going and coming back. Called before anything else. */
  readonly check: () => Promise<EngineState>;
  /** Of the engine that was ready last; null: nothing is known. */
  readonly facts: () => EngineFacts | null;
  /** Where it listens; null: nowhere known. */
  readonly place: () => string | null;
  /** Tells how else the engine may call these images; before they are asked for. */
  readonly knows: (images: readonly Pick<CatalogueEntry, 'image' | 'pull'>[]) => void;
  /** True when the engine holds exactly this content. Throws REFUSED for one that no launch can make safe (core/image-rules.ts). */
  readonly hasImage: (image: string) => Promise<boolean>;
  /**
   * Prepares the supervisor that ends a launch of `image` with its agent. Throws ENGINE_AWAY, and REFUSED when the engine does
   * not hold `doorImage`, or the image names no program.
   */
  readonly door: (image: string, doorImage: string, device: Address) => Promise<Door>;
  /** Tries whether a container runs under this runtime, with the door's image. Never throws: what cannot be tried does not run. */
  readonly runsUnder: (runtime: string, doorImage: string, device: Address) => Promise<boolean>;
  /** Work of this device, whatever its state. Throws ENGINE_AWAY. */
  readonly list: (device: Address) => Promise<readonly ObservedContainer[]>;
  /**
   * The volume of a store, made if it is not there; answers its name. Throws ENGINE_AWAY, and REFUSED for one of that name that is not
   * what it should be.
   */
  readonly store: (spec: StoreSpec) => Promise<string>;
  /** Removes a store with all that is in it; gone already is success. Throws CONFLICT while something uses it. */
  readonly dropStore: (name: string) => Promise<void>;
  readonly run: (spec: ContainerSpec | GatewaySpec) => Promise<ContainerRun>;
  readonly egress: EgressEngine;
  readonly freeze: (containerId: string) => Promise<void>;
  readonly thaw: (containerId: string) => Promise<void>;
  readonly setLimits: (containerId: string, limits: ContainerLimits) => Promise<void>;
  /**
   * CPU time that this device's containers have used since this process began, in seconds; never falls. Asks the engine
   * nothing while none runs; its answer may take a second, and is of then. What one used between the last question and its end is missing. Throws ENGINE_AWAY.
   */
  readonly cpuSeconds: (device: Address) => Promise<number>;
  /** Kills and removes, in whatever state; gone already is success. */
  readonly remove: (containerId: string) => Promise<void>;
  /** Fires when a container of this device changes, or the engine comes or goes. */
  readonly onEvent: (device: Address, listener: () => void) => Unsubscribe;
  readonly close: () => void;
};

/** What a byte passes on its way: counted, and held back to the owner's rate. Throws CANCELLED when aborted. */
export type Passage = (direction: Direction, bytes: number, signal?: AbortSignal) => Promise<void>;

export type TrafficStore = {
  /** null: nothing was counted yet. */
  readonly load: () => Promise<Usage | null>;
  readonly save: (usage: Usage) => Promise<void>;
};

/** Every byte that enters or leaves the machine for our sake. */
export type Traffic = {
  /** Takes over what was counted before this process began. */
  readonly load: () => Promise<void>;
  /** Bytes that have passed beside the passages: they are counted, and the others wait for it. */
  readonly add: (carrier: Carrier, direction: Direction, bytes: number) => void;
  /** For one stream. */
  readonly passage: (carrier: Carrier) => Passage;
  /** Bytes that a stream lets pass at once for an even flow; Infinity: as many as there are. */
  readonly piece: (direction: Direction) => number;
  /** Takes effect at once, on transfers in progress too. */
  readonly limit: (rates: Rates) => void;
  /** Bytes a second that the owner gives either way just now; null: as many as there are. */
  readonly least: () => number | null;
  /** Bytes that others keep on this machine now. */
  readonly stored: (bytes: number) => void;
  /** `resetDay`: of the month, 1..28, from which on bytes count. */
  readonly view: (resetDay: number) => Omit<TrafficView, 'capBytes'>;
  /** The last local days, today's last. */
  readonly days: (count: number) => readonly TrafficDay[];
  /** Fires about once a second while bytes pass. */
  readonly onChange: (listener: () => void) => Unsubscribe;
  readonly close: () => Promise<void>;
};

/** The session with one coordinator: reconnects by itself, with back-off and jitter. */
export type CoordinatorLink = {
  readonly start: () => void;
  readonly state: () => CoordinatorState;
  /** False when not connected: the caller keeps what matters and sends it again after `connected`. */
  readonly send: (message: DeviceMessage) => boolean;
  readonly onMessage: (listener: (message: CoordinatorMessage) => void) => Unsubscribe;
  readonly onState: (listener: (state: CoordinatorState) => void) => Unsubscribe;
  /** Streams a blob to a file and checks its hash. Throws COORDINATOR_AWAY, NOT_FOUND, REFUSED (hash differs), DISK_FULL. */
  readonly download: (sha256: Hex32, bytes: number, path: string, lane: Lane) => Promise<void>;
  /** Idempotent: a blob that is there is not sent again. */
  readonly upload: (sha256: Hex32, path: string, lane: Lane) => Promise<void>;
  readonly books: () => Promise<OwnerBooks>;
  /** null: nothing published for the owner yet. */
  readonly proof: () => Promise<OwnerProof | null>;
  /** Hands a signed claim to the relayer; answers the transaction. */
  readonly relayClaim: (claim: Struct<'Claim'>, signature: Signature, proof: OwnerProof) => Promise<Hex32>;
  readonly close: () => Promise<void>;
};

export type CoordinatorDirectory = {
  /** Asks a coordinator who it is. Throws COORDINATOR_AWAY. */
  readonly network: (url: string) => Promise<NetworkInfo>;
  /** Idempotent. Throws COORDINATOR_AWAY or REFUSED. */
  readonly enrol: (url: string, value: Struct<'Enrollment'>, signature: Signature) => Promise<void>;
  /**
   * The signed catalogue that the network offers, unchecked. null: it offers none, or the one with the tag `known`. Throws
   * COORDINATOR_AWAY.
   */
  readonly catalogue: (url: string, known: string | null) => Promise<string | null>;
  readonly connect: (options: {
    readonly url: string;
    readonly network: NetworkInfo;
    readonly owner: Address;
    readonly key: DeviceKey;
    readonly hello: () => Pick<
      Extract<DeviceMessage, { type: 'hello' }>,
      'agent' | 'platform' | 'workloads' | 'leases'
    >;
  }) => CoordinatorLink;
};

export type Chain = {
  /** Tokens at an address. Throws CHAIN_AWAY. */
  readonly balanceOf: (network: NetworkInfo, account: Address) => Promise<Amount>;
  /** Cumulative amount taken from the distributor. Throws CHAIN_AWAY. */
  readonly claimedBy: (network: NetworkInfo, owner: Address) => Promise<Amount>;
  /** Resolves when mined. Throws REFUSED when the transaction reverted, TIMEOUT, CHAIN_AWAY. */
  readonly confirm: (network: NetworkInfo, txHash: Hex32) => Promise<void>;
  readonly close: () => void;
};

/** Files of the leases in work, one folder each. */
export type Workspace = {
  readonly path: string;
  /** Makes the place where the folders will be. */
  readonly prepare: () => Promise<void>;
  /** Where its folder is, whether there is one or not. */
  readonly of: (leaseId: Hex32) => string;
  readonly create: (leaseId: Hex32) => Promise<string>;
  readonly remove: (leaseId: Hex32) => Promise<void>;
  /** Removes all but the folders of the leases to keep. Each is asked for just before its removal. */
  readonly sweep: (keep: (leaseId: Hex32) => boolean) => Promise<void>;
};

/** The newest catalogue that was in force, with the keys of the build that took it. */
export type KeptCatalogue = Highest & { readonly keys: readonly string[]; readonly envelope: string };

/** Where signed catalogues lie, and what they are checked with. */
export type CatalogueShelf = {
  /** The trust root of this build. */
  readonly keys: Keyring;
  readonly verify: Verify;
  /** Of the machine that the engine runs on; null: one for which nothing is made. */
  readonly platform: EnginePlatform | null;
  /** The envelope that came with the app; null: none did. */
  readonly bundled: () => Promise<string | null>;
  /** May throw: what was kept is damaged. */
  readonly kept: () => Promise<KeptCatalogue | null>;
  /** On disk when it resolves, whole or not at all, also after `kill -9`. Throws DISK_FULL. */
  readonly keep: (kept: KeptCatalogue) => Promise<void>;
};

/** Which network was last met behind an address: its books can be shown while it is away. */
export type NetworkMemory = {
  readonly load: (url: string) => Promise<NetworkInfo | null>;
  readonly save: (url: string, network: NetworkInfo) => Promise<void>;
};

/** What listens on the machine while the probe runs. */
export type LaidBait = Bait & {
  /** How often somebody who knew the token got there. */
  readonly heard: () => number;
  readonly close: () => void;
};

/** The machine, as what the probe should not reach. */
export type ProbeHost = {
  readonly aims: () => Promise<Aims>;
  readonly lay: (token: string) => Promise<LaidBait>;
};

export type ProofStore = {
  /** null: never proven, or no longer readable. */
  readonly load: () => Promise<Proof | null>;
  /** Throws DISK_FULL. */
  readonly save: (proof: Proof) => Promise<void>;
  /** Tells that it may have changed, whoever wrote it. */
  readonly onChange: (listener: () => void) => Unsubscribe;
};

/** Both PEM. */
export type Certificate = { readonly cert: string; readonly key: string };

/** How channels of consumers come about (agent/channel). */
export type ChannelPorts = {
  /** One end of a channel through a coordinator's relay. Throws COORDINATOR_AWAY and NOT_FOUND. */
  readonly dial: (base: string, seat: { readonly channelId: Hex32; readonly ticket: string }) => Promise<Socket>;
  /** A certificate of this process; made when it is first asked for. */
  readonly certificate: () => Promise<Certificate>;
};

/** Drives that others' data may lie on. */
export type Drives = {
  /** Makes the folder of a store on the drive that the owner picked, and answers its path. Throws REFUSED and DISK_FULL. */
  readonly prepare: (picked: string, workload: string) => Promise<string>;
  /** Tells places apart in names of volumes; empty for the engine's own (null). */
  readonly keyOf: (picked: string | null) => string;
  /** Free bytes of the drive; null: it cannot be told. */
  readonly freeBytes: (picked: string | null) => Promise<number | null>;
};

/** Everything the agent is made of; only composition roots know the real ones. */
export type Ports = Holdings & {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly vault: Vault;
  readonly sensors: Sensors;
  readonly settings: SettingsStore;
  readonly containers: Containers;
  readonly directory: CoordinatorDirectory;
  readonly chain: Chain;
  readonly openLedger: LedgerFactory;
  readonly history: History;
  readonly traffic: Traffic;
  readonly channels: ChannelPorts;
  readonly agreements: AgreementShelf;
  /** Receipts of one network: of another they are worth nothing. */
  readonly receipts: (networkId: Hex32) => ReceiptStore;
  readonly drives: Drives;
  readonly workspace: Workspace;
  readonly networks: NetworkMemory;
  readonly catalogue: CatalogueShelf;
  readonly probeHost: ProbeHost;
  readonly proofs: ProofStore;
  /** Asks the system itself: slow, and never throws. */
  readonly machineFacts: () => Promise<MachineFacts>;
  /** Operating system and architecture, such as "linux-x64". */
  readonly platform: string;
};
