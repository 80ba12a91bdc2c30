import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../agent/adapters/clock.ts';
import { coordinatorDirectory } from '../../../agent/adapters/coordinator.ts';
import { dockerContainers } from '../../../agent/adapters/docker.ts';
import { createAgent } from '../../../agent/agent.ts';
import type { Containers, Ports } from '../../../agent/ports.ts';
import { type CatalogueEntry, workloadManifest } from '../../../core/catalogue.ts';
import type { ContainerSpec } from '../../../core/sandbox.ts';
import type { EngineState, GpuReading } from '../../../core/signals.ts';
import { FakeShelf } from '../../fakes/catalogue.ts';
import { FakeSettings, fakeSource } from '../../fakes/small.ts';
import { trafficOf } from '../../fakes/traffic.ts';
import { World } from '../../fakes/world.ts';
import { buildImage } from '../../support/build-image.ts';
import { TestNetwork } from '../../support/network.ts';
import { QUIET } from '../../support/quiet.ts';
import { releaseEntry, signed } from '../../support/signed.ts';
import { doorEntry, seccompProfile } from '../../support/transcode.ts';
import { until } from '../../support/wait.ts';

/**
 * A whole agent, its engine, the GPU workload's program and kernel, and a coordinator. There is no GPU here: one is said to be there, and where it
 * would be handed to the container OpenCL runs on the processor (PoCL). All else is as it is with one.
 */
const root = join(import.meta.dirname, '../../..');
const CARD: GpuReading = {
  ...{ id: 'GPU-0e', name: 'Card', driver: '550.1', busyByOthersPercent: 0, memoryBytes: 8 * 1024 ** 3 },
  ...{ memoryByOthersBytes: 0, temperatureC: 40, place: { vendor: 'nvidia', render: null, compute: null } },
};
let entries: readonly CatalogueEntry[];
let network: TestNetwork;
const logged: { readonly event: string; readonly fields: Readonly<Record<string, unknown>> }[] = [];
beforeAll(async () => {
  const manifest = workloadManifest.parse(
    JSON.parse(readFileSync(join(root, 'workloads/modmatrix/manifest.json'), 'utf8')),
  );
  await buildImage(join(root, 'workloads/modmatrix'), `idlemesh/modmatrix:${manifest.version}`);
  const image = await buildImage(join(root, 'test/images/pocl'), 'idlemesh/test-pocl:0.1.0');
  // Small, for a processor; the rest of the manifest as it is, the check of the GPU among it.
  const params = { size: ['256', '65'], rounds: ['4', '2'] };
  entries = [await doorEntry(), { ...manifest, image, pull: null, loadsCode: true, params }];
  network = await TestNetwork.start({
    catalogue: { version: 1, minimums: [], entries: [...entries] },
    log: (_level, event, fields = {}) => void logged.push({ event, fields }),
  });
}, 600_000);
afterAll(() => network.stop());

/** The engine, but that a GPU is not asked for where there is none. */
function onProcessor(containers: Containers): Containers {
  const gpus = { runtime: true, cdi: false, devices: null, machine: false };
  return {
    ...containers,
    check: async (): Promise<EngineState> => {
      const state = await containers.check();
      return state.kind === 'ready' ? { ...state, gpus } : state;
    },
    run: (spec) => {
      const { DeviceRequests: asked, ...host } = (spec as ContainerSpec).HostConfig;
      if (asked === undefined) return containers.run(spec);
      expect(asked).toMatchObject([{ Driver: 'nvidia', DeviceIDs: [CARD.id] }]);
      const Env = spec.Env.map((line) => (line === 'IDLEMESH_COMPUTE=gpu' ? 'IDLEMESH_COMPUTE=cpu' : line));
      return containers.run({ ...(spec as ContainerSpec), Env, HostConfig: host });
    },
  };
}

test('an agent proves its GPU to a coordinator, with nothing but the root and some rows', async () => {
  const world = new World();
  const containers = dockerContainers({ log: () => undefined });
  Object.assign(world.sensors.sources, { gpus: [fakeSource(async () => [CARD])] });
  const traffic = trafficOf(systemClock);
  const ports: Ports = {
    ...world.ports(),
    ...{ clock: systemClock, containers: onProcessor(containers), seccompProfile: await seccompProfile(), traffic },
    directory: coordinatorDirectory({ log: () => undefined, traffic }),
    catalogue: new FakeShelf(() => signed(Date.now(), { entries: entries.map(releaseEntry) })),
    settings: new FakeSettings({
      coordinatorUrl: network.url,
      rules: { ...new FakeSettings().current().settings.rules, ...QUIET },
    }),
  };
  const agent = createAgent(ports, { version: '0.0.0' });
  await agent.start();
  try {
    const proven = () => logged.find(({ event }) => event === 'gpu-proof');
    await until('the proof', proven, 100_000);
    expect(proven()?.fields).toMatchObject({
      ...{ kind: 'proven', device: world.vault.device },
      multiplicationsPerSecond: expect.any(Number),
    });
    // The check of the GPU and the test itself, and nothing is left of either.
    expect(world.logged.filter(({ event }) => event === 'gpu-proven')).toHaveLength(1);
    await until('nothing to be left', async () => (await containers.list(world.vault.device)).length === 0);
    expect([...world.disk.records]).toEqual([]);
    expect(agent.snapshot().gpus).toMatchObject([{ decision: { kind: 'run' } }]);
  } finally {
    await agent.stop();
    containers.close();
  }
}, 150_000);
