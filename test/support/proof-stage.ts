import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../agent/adapters/clock.ts';
import { dockerContainers } from '../../agent/adapters/docker.ts';
import { probeHost } from '../../agent/adapters/probe-host.ts';
import { systemRandom } from '../../agent/adapters/random.ts';
import type { ContainerRun } from '../../agent/ports.ts';
import { prove } from '../../agent/prove.ts';
import { type CatalogueEntry, workloadManifest } from '../../core/catalogue.ts';
import type { GatewaySpec } from '../../core/gateway.ts';
import type { ProbeId, ProbeResult, Proof } from '../../core/proof.ts';
import type { ContainerSpec } from '../../core/sandbox.ts';
import { buildImage } from './build-image.ts';
import { randomAddress } from './random.ts';
import { doorImage, seccompProfile } from './transcode.ts';

const tag = 'idlemesh/test-probe:0.1.0';
const folder = join(import.meta.dirname, '../../workloads/probe');

/** What is taken away from a launch, in the Engine API's own words. */
export type Relaxed = {
  readonly host?: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
  /** Instead of ours: Docker's own filter, or none at all. */
  readonly seccomp?: 'default' | 'unconfined';
  /** `no-new-privileges` is not set. */
  readonly newPrivileges?: boolean;
  /** What the probe is told that it may use of the processor; little, where others must not hide that it gets more. */
  readonly cores?: number;
  /** Nothing of /proc and /sys is hidden. */
  readonly unmasked?: boolean;
};

/** One setting for another; the rest of the launch stays as it is. Plain JSON, as the engine gets it. */
export function relax<T extends ContainerSpec | GatewaySpec>(spec: T, relaxed: Relaxed): T {
  const { host, config, seccomp, newPrivileges, unmasked } = relaxed;
  const own = spec.HostConfig.SecurityOpt.filter(
    (option) =>
      !(option.startsWith('seccomp=') && seccomp !== undefined) &&
      !(option.startsWith('no-new-privileges') && newPrivileges === true),
  );
  const SecurityOpt = seccomp === 'unconfined' ? [...own, 'seccomp=unconfined'] : own;
  const masks = unmasked === true ? { MaskedPaths: [], ReadonlyPaths: [] } : {};
  return JSON.parse(
    JSON.stringify({ ...spec, ...config, HostConfig: { ...spec.HostConfig, SecurityOpt, ...masks, ...host } }),
  );
}

/** The probe on the real engine, under our launch or one that was relaxed on purpose. */
export async function proofStage(options: { readonly socketPath?: string; readonly runtime?: 'runsc' } = {}) {
  const { runtime, ...where } = options;
  const containers = dockerContainers({ log: () => undefined, ...where });
  const [image, door, profile, text] = await Promise.all([
    buildImage(folder, tag),
    doorImage(),
    seccompProfile(),
    readFile(join(folder, 'manifest.json'), 'utf8'),
  ]);
  const entry: CatalogueEntry = { ...workloadManifest.parse(JSON.parse(text)), image };
  const device = randomAddress();
  const host = probeHost({ log: () => undefined });

  return {
    tag,
    containers,
    device,
    entry,
    prove: (relaxed: Relaxed = {}): Promise<Proof> =>
      prove(
        {
          ports: {
            ...{ clock: systemClock, log: () => undefined, random: systemRandom, seccompProfile: profile },
            probeHost: host,
            containers: {
              ...containers,
              run: (spec): Promise<ContainerRun> => containers.run(relax(spec, relaxed)),
            },
          },
          ...{
            entry,
            device,
            launch: { door, ...(runtime === undefined ? {} : { runtime }) },
            instance: 'proof',
            engine: 'test',
            owns: () => undefined,
            cancelled: () => false,
          },
          share: { cpuCores: relaxed.cores ?? 0.5, memoryBytes: 2 ** 30, pids: 512 },
        },
        () => undefined,
      ),
    async close() {
      for (const { id } of await containers.list(device)) await containers.remove(id);
      containers.close();
    },
  };
}
export type ProofStage = Awaited<ReturnType<typeof proofStage>>;

const having = (results: readonly ProbeResult[], outcome: ProbeResult['outcome']): readonly ProbeId[] =>
  [...new Set(results.filter((result) => result.outcome === outcome).map(({ probe }) => probe))].sort();

/** Probes of which at least one attempt succeeded. */
export const escapedIn = ({ results }: Proof): readonly ProbeId[] => having(results, 'escaped');

/** In words, for a test that fails. */
export const said = (results: readonly ProbeResult[]): readonly string[] =>
  results.map(({ probe, outcome, tried, detail }) => `${outcome} ${probe}: ${tried} – ${detail}`);
