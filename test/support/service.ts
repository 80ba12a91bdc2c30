import { join } from 'node:path';
import { systemClock } from '../../agent/adapters/clock.ts';
import { dockerContainers } from '../../agent/adapters/docker.ts';
import type { ContainerRun } from '../../agent/ports.ts';
import { openService, type Service } from '../../agent/service.ts';
import type { CatalogueEntry } from '../../core/catalogue.ts';
import { type ContainerSpec, containerSpec } from '../../core/sandbox.ts';
import { buildImage } from './build-image.ts';
import { randomAddress, randomHex32 } from './random.ts';
import { doorImage, seccompProfile } from './transcode.ts';

const MIB = 1024 * 1024;

const ECHO = { folder: join(import.meta.dirname, '../images/service-echo'), tag: 'idlemesh/test-service:0.1.0' };

/** A service on the real engine, sandboxed as the agent would have it. */
export async function serviceStage(cpuCores = 1, { folder, tag } = ECHO) {
  const containers = dockerContainers({ log: () => undefined });
  const device = randomAddress();
  const [image, profile, supervisor] = await Promise.all([buildImage(folder, tag), seccompProfile(), doorImage()]);
  const door = await containers.door(image, supervisor, device);
  const limits = {
    ...{ cpuCores, memoryBytes: 256 * MIB, pids: 64, scratchBytes: 16 * MIB, seconds: 600 },
    ...{ maxInputBytes: MIB, maxOutputBytes: MIB },
  };
  const entry: CatalogueEntry = {
    ...{
      id: 'service',
      version: '0.1.0',
      purpose: 'work',
      kind: 'service',
      lane: 'storage',
      image,
      pull: null,
      limits,
    },
    ...{ title: { en: 'Service', ja: 'サービス' }, network: 'none', gpu: null, loadsCode: false, comparison: 'exact' },
    ...{ control: false, checkpoint: false, store: null, price: { base: 1n, perInputMiB: 0n }, params: {}, pull: null },
  };
  const labels = { lease: randomHex32(), device, instance: 'service' };
  const share = { cpuCores, memoryBytes: 512 * MIB, pids: 64 };

  /** Starts its container; `env` is added. */
  function start(env: readonly string[] = []): Promise<ContainerRun> {
    const spec: ContainerSpec = containerSpec(entry, share, labels, profile, { door });
    return containers.run({ ...spec, Env: [...spec.Env, ...env] });
  }

  return {
    containers,
    start,
    async open(): Promise<{ readonly run: ContainerRun; readonly service: Service }> {
      const run = await start();
      return { run, service: openService(run, { clock: systemClock }) };
    },
    left: () => containers.list(device),
    async close() {
      for (const { id } of await containers.list(device)) await containers.remove(id);
      containers.close();
    },
  };
}
export type ServiceStage = Awaited<ReturnType<typeof serviceStage>>;
