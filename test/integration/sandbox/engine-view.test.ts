import { afterAll, expect, test } from 'vitest';
import { dockerContainers } from '../../../agent/adapters/docker.ts';
import { containerSpec, LABEL } from '../../../core/sandbox.ts';
import { answeringEngine, callEngine } from '../../../scripts/lib/engine.mjs';
import { violationsOf } from '../../support/create-body.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';
import { seccompProfile, transcodeWorkload } from '../../support/transcode.ts';

const containers = dockerContainers({ log: () => undefined });
const device = randomAddress();

type Inspected = {
  readonly Image: string;
  readonly Config: Readonly<Record<string, unknown>>;
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly Mounts: readonly unknown[];
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> };
};

async function inspect(id: string): Promise<Inspected> {
  const place = await answeringEngine();
  if (place === undefined) throw new Error('no engine answers');
  const { status, text } = await callEngine(place, 'GET', `/containers/${id}/json`);
  if (status !== 200) throw new Error(text);
  return JSON.parse(text);
}

afterAll(async () => {
  for (const container of await containers.list(device)) await containers.remove(container.id);
  containers.close();
});

test('what the engine has made of a launch is what was asked for, and the checker finds nothing in it', async () => {
  const [workload, profile] = await Promise.all([transcodeWorkload(), seccompProfile()]);
  const share = { cpuCores: 1, memoryBytes: 2 ** 30, pids: 64 };
  const labels = { lease: randomHex32(), device, instance: 'view' };
  const run = await containers.run(containerSpec(workload, share, labels, profile));
  const { Config, HostConfig, Mounts, NetworkSettings, Image } = await inspect(run.containerId);
  await containers.remove(run.containerId);
  await run.exited;

  // The program is the image's own: that much of the answer is not from us.
  const { Entrypoint: _program, Cmd: _words, ...ours } = Config;
  // Where none was asked for the engine writes down its own.
  expect(violationsOf({ ...ours, HostConfig }, { runtimes: ['runc', 'crun'] })).toEqual([]);
  expect(Image).toBe(workload.image);
  expect(Mounts).toEqual([]);
  // Newer engines list the network that is none.
  expect(Object.values(NetworkSettings.Networks).filter(({ IPAddress }) => IPAddress !== '')).toEqual([]);
  // The engine's own: /proc/kcore, /proc/keys and the like stay hidden, /proc/sys cannot be written.
  expect(HostConfig['MaskedPaths']).toEqual(expect.arrayContaining(['/proc/kcore', '/proc/keys', '/sys/firmware']));
  expect(HostConfig['ReadonlyPaths']).toEqual(expect.arrayContaining(['/proc/sys', '/proc/sysrq-trigger']));
  expect(Config['Labels']).toMatchObject({ [LABEL.lease]: labels.lease, [LABEL.device]: device });
}, 30_000);
