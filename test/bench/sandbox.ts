import { availableParallelism } from 'node:os';
import { dockerContainers } from '../../agent/adapters/docker.ts';
import type { Containers } from '../../agent/ports.ts';
import { holds } from '../../core/proof.ts';
import { type ContainerSpec, containerSpec } from '../../core/sandbox.ts';
import { violationsIn } from '../support/launches.ts';
import { proofStage } from '../support/proof-stage.ts';
import { randomAddress, randomHex32 } from '../support/random.ts';
import { doorImage, seccompProfile } from '../support/transcode.ts';
import { cost } from './sandbox/cost.ts';
import { burner } from './sandbox/image.ts';
import { orphansAfter } from './sandbox/orphans.ts';
import { percentile, rounded, spread } from './yield/figures.ts';

/**
 * What the sandbox forbids, and what it costs. The cost of computing: one program, the same file, inside a container as the
 * agent launches it and beside it, in turns. `--launches=100000` random launches are checked; `--pairs=20` are timed;
 * `--starts=30` containers are started, and `--kills=5` times a process that holds three is killed.
 */
const option = (name: string, fallback: number): number =>
  Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback);
const hundredths = (value: number): number => Math.round(value * 100) / 100;
/** About half a second each on a processor of today. */
const ROUNDS = 1_000;

/** From the order to the first byte that the program says; milliseconds. */
async function firstOutput(containers: Containers, spec: ContainerSpec): Promise<number> {
  const begun = performance.now();
  const run = await containers.run(spec);
  for await (const _part of run.stdout) break;
  const took = performance.now() - begun;
  await containers.remove(run.containerId);
  await run.exited.catch(() => undefined);
  return took;
}

const containers = dockerContainers({ log: () => undefined });
const device = randomAddress();
try {
  const [workload, profile] = await Promise.all([burner(), seccompProfile()]);
  const labels = { lease: randomHex32(), device, instance: 'bench' };
  const share = { cpuCores: availableParallelism(), memoryBytes: workload.limits.memoryBytes, pids: 32 };
  const door = await containers.door(workload.image, await doorImage(), device);
  const spec = containerSpec(workload, share, labels, profile, { door });

  const violations = violationsIn(option('launches', 100_000));
  const costs = await cost(containers, spec, option('pairs', 20), ROUNDS);
  const starts: number[] = [];
  for (let count = option('starts', 30); count > 0; count--) starts.push(await firstOutput(containers, spec));
  const probes = await proofStage();
  const proof = await probes.prove().finally(probes.close);
  const orphans = await orphansAfter(option('kills', 5), containers, device, spec);
  const figures = {
    violations: violations.length,
    probesTried: proof.tried,
    probesEscaped: proof.escaped,
    orphansAfterKill: orphans.running,
    overheadPct: hundredths(costs.wallPct),
    createToFirstOutputP50Ms: rounded(percentile(starts, 50)),
    raw: { violations, costs, starts: spread(starts), orphans, probesMissing: proof.missing },
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  if (violations.length > 0 || orphans.running > 0 || !holds(proof)) process.exitCode = 1;
} finally {
  for (const container of await containers.list(device)) await containers.remove(container.id);
  containers.close();
}
