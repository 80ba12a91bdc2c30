import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemClock } from '../../agent/adapters/clock.ts';
import { dockerContainers } from '../../agent/adapters/docker.ts';
import { folderWorkspace } from '../../agent/adapters/workspace.ts';
import type { GpuJob } from '../../agent/gpu-choice.ts';
import type { Ending } from '../../agent/job-ending.ts';
import type { Containers } from '../../agent/ports.ts';
import { type Runner, startRunner } from '../../agent/runner.ts';
import type { CatalogueEntry } from '../../core/catalogue.ts';
import type { GatewaySpec } from '../../core/gateway.ts';
import { sha256Hex } from '../../core/keccak.ts';
import type { Hex32 } from '../../core/primitives.ts';
import type { ContainerSpec, Share } from '../../core/sandbox.ts';
import { trafficOf } from '../fakes/traffic.ts';
import { buildImage } from './build-image.ts';
import { randomAddress, randomHex32 } from './random.ts';
import { doorImage, seccompProfile } from './transcode.ts';

export const MIB = 1024 * 1024;

export type Deed = {
  /** What the job does, in the words of a shell. Standard output is its result. */
  readonly script: string;
  readonly limits?: Partial<CatalogueEntry['limits']>;
  readonly share?: Partial<Share>;
  readonly input?: Buffer;
  /** Another image than the shell's, by content id. */
  readonly image?: string;
  readonly entry?: Partial<CatalogueEntry>;
  readonly params?: Readonly<Record<string, string>>;
  /** What the agent found for it. */
  readonly gpu?: GpuJob;
  /** Another door than ours, by content id. */
  readonly door?: string;
  /** Runs without a supervisor, to show what that is for. */
  readonly doorless?: true;
};

export type Done = { readonly ending: Ending; readonly output: Buffer | null; readonly files: readonly string[] };

function withoutDoor<T extends ContainerSpec | GatewaySpec>(spec: T): T {
  const { Entrypoint: _door, ...rest } = spec;
  return rest as T;
}

/** Jobs that try what they should not, through the agent's own runner on the real engine. */
type StageOptions = {
  readonly socketPath?: string;
  readonly runtime?: 'runsc';
  /** Image of the gateway, by content id. */
  readonly gateway?: string;
  /** What stands between the jobs and the engine. */
  readonly between?: (containers: Containers) => Containers;
};

export async function deedStage(options: StageOptions = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'idlemesh-deeds-'));
  const { socketPath, between = (same) => same, ...launch } = options;
  const containers = between(
    dockerContainers({ log: () => undefined, ...(socketPath === undefined ? {} : { socketPath }) }),
  );
  const workspace = folderWorkspace(join(folder, 'workspace'));
  const [image, profile, door] = await Promise.all([
    buildImage(join(import.meta.dirname, '../images/deed'), 'idlemesh/test-deed:0.1.0'),
    seccompProfile(),
    doorImage(),
  ]);
  await workspace.prepare();
  const device = randomAddress();
  const limits = {
    ...{ cpuCores: 1, memoryBytes: 64 * MIB, pids: 32, scratchBytes: 16 * MIB, seconds: 30 },
    ...{ maxInputBytes: 16 * MIB, maxOutputBytes: 16 * MIB },
  };

  function begin(deed: Deed): { readonly runner: Runner; readonly done: Promise<Done> } {
    const leaseId = randomHex32();
    const input = deed.input ?? Buffer.alloc(0);
    const source = join(folder, `${leaseId}.input`);
    writeFileSync(source, input);
    let output: Buffer | null = null;
    /** What lay in its folder when its result did. */
    let files: readonly string[] = [];
    const link = {
      download: async (_sha256: Hex32, _bytes: number, path: string) => copyFileSync(source, path),
      upload: async (_sha256: Hex32, path: string) => {
        output = readFileSync(path);
        files = readdirSync(dirname(path), { recursive: true, withFileTypes: true }).map(
          (file) => `${file.isFile() ? 'file' : 'other'} ${file.name}`,
        );
      },
    };
    const entry: CatalogueEntry = {
      ...{
        id: 'deed',
        version: '0.1.0',
        purpose: 'work',
        pull: null,
        kind: 'batch',
        lane: 'cpu',
        title: { en: 'Deed', ja: '行い' },
      },
      ...{
        network: 'none',
        gpu: null,
        loadsCode: false,
        comparison: 'exact',
        control: false,
        checkpoint: false,
        store: null,
      },
      ...{ price: { base: 1n, perInputMiB: 0n }, params: {}, image: deed.image ?? image, pull: null },
      ...deed.entry,
      limits: { ...limits, ...deed.limits },
    };
    const params = deed.params ?? { deed: Buffer.from(deed.script).toString('base64') };
    const runner = startRunner({
      ports: {
        ...{ clock: systemClock, log: () => undefined, workspace, traffic: trafficOf(), seccompProfile: profile },
        containers: deed.doorless ? { ...containers, run: (spec) => containers.run(withoutDoor(spec)) } : containers,
      },
      link: () => link,
      key: { address: device },
      instance: 'deeds',
      lease: {
        ...{ leaseId, jobId: leaseId, workload: entry.id, version: entry.version, image: entry.image, params },
        ...{ lane: 'cpu', inputHash: sha256Hex(input), inputBytes: input.length, price: 1n },
        deadline: Date.now() + 3_600_000,
      },
      ...{
        entry,
        launch: { door: deed.door ?? door, ...launch },
        share: { cpuCores: 2, memoryBytes: 1024 * MIB, pids: 512, ...deed.share },
      },
      ...{ deaths: 0, gpu: deed.gpu ?? null, finish: async () => undefined },
      ...{ onProgress: () => undefined, changed: () => undefined, began: () => undefined },
    });
    return { runner, done: runner.ended.then((ending) => ({ ending, output, files })) };
  }

  return {
    containers,
    device,
    image,
    workspace,
    begin,
    run: (deed: Deed): Promise<Done> => begin(deed).done,
    /** Its containers, whatever their state. */
    left: () => containers.list(device),
    async close() {
      for (const { id } of await containers.list(device)) await containers.remove(id);
      containers.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
export type DeedStage = Awaited<ReturnType<typeof deedStage>>;

/** What a job that failed was said to have done. */
export const failureOf = ({ ending }: Done): string => (ending.kind === 'declined' ? ending.detail : ending.kind);
