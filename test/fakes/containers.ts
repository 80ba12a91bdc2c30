import { PassThrough } from 'node:stream';
import { linesOf } from '../../agent/adapters/docker-stream.ts';
import type { ContainerRun, Containers, EgressEngine } from '../../agent/ports.ts';
import type { EngineFacts } from '../../core/engine-gates.ts';
import { Failure, fail } from '../../core/errors.ts';
import type { GatewaySpec, VolumeSpec } from '../../core/gateway.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import type { ObservedContainer } from '../../core/reconcile.ts';
import { type ContainerLimits, type ContainerSpec, coresOf, type Door, LABEL } from '../../core/sandbox.ts';
import type { EngineState } from '../../core/signals.ts';
import type { StoreSpec } from '../../core/stores.ts';

type Job = {
  readonly id: string;
  readonly spec: ContainerSpec | GatewaySpec;
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  readonly exit: (outcome: { code: number; outOfMemory: boolean }) => void;
  readonly input: Uint8Array[];
  limits: ContainerLimits;
  /** CPU time used so far, seconds. */
  cpuSeconds: number;
  state: ObservedContainer['state'];
};

type Header = {
  readonly params: Readonly<Record<string, string>>;
  readonly inputBytes: number;
  readonly checkpointBytes?: number;
};

class FakeEgress implements EgressEngine {
  readonly names = new Set<string>();
  /** What a gateway says first. */
  says = '{"ready":true}';
  ranges = (): readonly string[] => ['192.168.1.7/24'];
  open = async ({ Name }: VolumeSpec): Promise<void> => void this.names.add(Name);
  close = async (name: string): Promise<void> => void this.names.delete(name);
  sweep = async (): Promise<void> => undefined;
}

const usesVolume = ({ HostConfig }: ContainerSpec | GatewaySpec, name: string): boolean =>
  (HostConfig.Mounts ?? []).some(({ Source }) => Source === name);
const isGateway = ({ spec }: Job): boolean => spec.Labels[LABEL.role] === 'gateway';

/** An engine whose containers say the transcode job's lines and answer their input backwards, when told or at once. */
export class FakeContainers implements Containers {
  state: EngineState = { kind: 'ready', version: 'fake' };
  images = new Set<string>();
  /** Jobs finish as soon as their input is complete. */
  automatic = true;
  /** What a job makes of its input. */
  answer: (input: Buffer, params: Readonly<Record<string, string>>) => Buffer = (input) => Buffer.from(input).reverse();
  readonly started: (ContainerSpec | GatewaySpec)[] = [];
  readonly calls: string[] = [];
  /** Containers whose door was closed. */
  readonly shuts: string[] = [];
  #jobs = new Map<string, Job>();
  #listeners = new Map<() => void, Address>();
  #next = 1;
  closed = false;

  jobs = (): readonly Job[] => [...this.#jobs.values()].filter((job) => !isGateway(job));
  gateways = (): readonly Job[] => [...this.#jobs.values()].filter(isGateway);
  /** What each may use of the processor, in cores. */
  cores = (): readonly number[] => this.jobs().map(({ limits }) => coresOf(limits));
  listeners = (): number => this.#listeners.size;
  #ready(): void {
    if (this.state.kind !== 'ready') fail('ENGINE_AWAY', 'the engine is away');
  }
  #stir(): void {
    for (const listener of this.#listeners.keys()) queueMicrotask(listener);
  }
  #job(id: string): Job | undefined {
    return this.#jobs.get(id);
  }

  /** The engine goes, and with it what ran; or it comes back. */
  become(state: EngineState): void {
    this.state = state;
    if (state.kind !== 'ready') {
      for (const job of this.#jobs.values()) this.#exit(job, 137);
    }
    this.#stir();
  }
  check = async (): Promise<EngineState> => this.state;
  known: EngineFacts | null = null;
  facts = (): EngineFacts | null => this.known;
  place = (): string | null => (this.state.kind === 'ready' ? '/fake.sock' : null);
  knows = (): void => undefined;
  hasImage = async (image: string): Promise<boolean> => {
    this.#ready();
    return this.images.has(image);
  };
  runtimeWorks = true;
  runsUnder = async (): Promise<boolean> => this.runtimeWorks;
  door = async (): Promise<Door> => {
    this.#ready();
    return { volume: 'door', program: ['/fake'] };
  };
  list = async (device: Address): Promise<readonly ObservedContainer[]> => {
    this.#ready();
    return this.jobs()
      .filter((job) => job.spec.Labels[LABEL.device] === device)
      .map((job) => ({
        id: job.id,
        leaseId: (job.spec.Labels[LABEL.lease] ?? '0x') as Hex32,
        instance: job.spec.Labels[LABEL.instance] ?? '',
        state: job.state,
      }));
  };

  egress = new FakeEgress();
  /** By name. */
  readonly stores = new Map<string, StoreSpec>();
  store = async (spec: StoreSpec): Promise<string> => {
    this.#ready();
    const held = this.stores.get(spec.name) ?? spec;
    if (held.device !== spec.device || held.folder !== spec.folder) fail('REFUSED', 'that volume is not this store');
    this.stores.set(spec.name, held);
    return spec.name;
  };
  dropStore = async (name: string): Promise<void> => {
    this.#ready();
    const used = this.jobs().some(({ state, spec }) => state !== 'exited' && usesVolume(spec, name));
    if (used) fail('CONFLICT', 'that store is in use', { name });
    this.stores.delete(name);
  };

  run = async (spec: ContainerSpec | GatewaySpec): Promise<ContainerRun> => {
    this.#ready();
    if (!this.images.has(spec.Image)) fail('REFUSED', 'no such image');
    const id = `container-${this.#next++}`;
    const { promise, resolve } = settlable<{ code: number; outOfMemory: boolean }>();
    const job: Job = {
      ...{ id, spec, input: [], exit: resolve, state: 'running', cpuSeconds: 0 },
      stdout: new PassThrough(),
      stderr: new PassThrough(),
      limits: spec.HostConfig,
    };
    this.#jobs.set(id, job);
    this.started.push(spec);
    if (isGateway(job)) this.say(id, this.egress.says);
    this.#stir();
    return {
      containerId: id,
      write: async (chunk) => {
        if (job.state === 'exited') throw new Failure('CANCELLED', 'the container closed its door');
        job.input.push(chunk);
        this.#consider(job);
      },
      shut: () => {
        this.shuts.push(id);
        this.#exit(job, 143);
      },
      stdout: job.stdout,
      stderr: linesOf(job.stderr),
      exited: promise,
    };
  };

  /** Whole input of a job, once it is there. */
  #inputOf(job: Job): Buffer | null {
    const all = Buffer.concat(job.input);
    const end = all.indexOf(10);
    if (end < 0) return null;
    const { inputBytes, checkpointBytes = 0 } = this.#headerOf(all.subarray(0, end));
    const body = all.subarray(end + 1);
    return body.length >= inputBytes + checkpointBytes ? body.subarray(0, inputBytes) : null;
  }
  #headerOf(line: Buffer): Header {
    return JSON.parse(line.toString()) as Header;
  }
  /** The checkpoints that a job was given, as it got them; null: it was offered none. */
  checkpointsOf(id: string): Buffer | null {
    const all = Buffer.concat(this.#job(id)?.input ?? []);
    const end = all.indexOf(10);
    const { inputBytes, checkpointBytes } = this.#headerOf(all.subarray(0, end));
    if (checkpointBytes === undefined) return null;
    return all.subarray(end + 1 + inputBytes, end + 1 + inputBytes + checkpointBytes);
  }
  /** Raw bytes on a job's standard output. */
  put(id: string, bytes: string): void {
    this.#job(id)?.stdout.write(bytes);
  }
  /** Every job has its whole input. */
  fed = (): boolean => this.jobs().every((job) => this.#inputOf(job) !== null);
  #consider(job: Job): void {
    if (this.automatic && job.state === 'running' && this.#inputOf(job) !== null) this.finish(job.id);
  }
  say(id: string, line: string): void {
    this.#job(id)?.stderr.write(`${line}\n`);
  }
  finish(id: string): void {
    const job = this.#job(id);
    const input = job && this.#inputOf(job);
    if (!job || !input) return;
    job.stderr.write('{"progress":1}\n{"done":true}\n');
    if (this.checkpointsOf(id) !== null) job.stdout.write(`{"frame":"output","bytes":${input.length}}\n`);
    const all = Buffer.concat(job.input);
    job.stdout.write(this.answer(input, this.#headerOf(all.subarray(0, all.indexOf(10))).params));
    this.#exit(job, 0);
  }
  end(id: string, code: number, outOfMemory = false): void {
    const job = this.#job(id);
    if (job) this.#exit(job, code, outOfMemory);
  }
  #exit(job: Job, code: number, outOfMemory = false): void {
    if (job.state === 'exited') return;
    job.state = 'exited';
    job.stdout.end();
    job.stderr.end();
    job.exit({ code, outOfMemory });
    this.#stir();
  }

  freeze = async (id: string): Promise<void> => {
    this.#ready();
    this.calls.push('freeze');
    const job = this.#job(id);
    if (job?.state === 'running') job.state = 'paused';
    this.#stir();
  };
  thaw = async (id: string): Promise<void> => {
    this.#ready();
    this.calls.push('thaw');
    const job = this.#job(id);
    if (job?.state === 'paused') {
      job.state = 'running';
      this.#consider(job);
    }
    this.#stir();
  };
  setLimits = async (id: string, limits: ContainerLimits): Promise<void> => {
    this.#ready();
    const job = this.#job(id);
    if (job) job.limits = limits;
  };
  remove = async (id: string): Promise<void> => {
    this.#ready();
    const job = this.#job(id);
    if (job) {
      this.#exit(job, 137);
      const device = job.spec.Labels[LABEL.device] ?? '';
      this.#spent.set(device, (this.#spent.get(device) ?? 0) + job.cpuSeconds);
    }
    this.#jobs.delete(id);
    this.#stir();
  };
  /** Of the containers that were removed. */
  #spent = new Map<string, number>();
  cpuSeconds = async (device: Address): Promise<number> => {
    const own = this.jobs().filter((job) => job.spec.Labels[LABEL.device] === device);
    if (own.some((job) => job.state !== 'exited')) this.#ready();
    return own.reduce((sum, job) => sum + job.cpuSeconds, this.#spent.get(device) ?? 0);
  };
  onEvent = (device: Address, listener: () => void): (() => void) => {
    this.#listeners.set(listener, device);
    return () => this.#listeners.delete(listener);
  };
  close = (): void => {
    this.closed = true;
    this.#listeners.clear();
  };
}

function settlable<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((take) => {
    resolve = take;
  });
  return { promise, resolve };
}
