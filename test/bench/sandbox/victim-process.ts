import { dockerContainers } from '../../../agent/adapters/docker.ts';
import type { ContainerSpec } from '../../../core/sandbox.ts';

/**
 * The part of an agent that holds containers, in a process of its own so that it can be killed. Launches what it is told on its
 * standard input, one of each kind: one that listens at its door, one that is too busy to, one that is frozen.
 */
const parts: Buffer[] = [];
for await (const part of process.stdin) parts.push(part);
const spec = JSON.parse(Buffer.concat(parts).toString()) as ContainerSpec;

const containers = dockerContainers({ log: () => undefined });
const runs = await Promise.all([0, 1, 2].map(() => containers.run(spec)));
for (const run of runs) for await (const _part of run.stdout) break;
await Promise.all(runs.slice(1).map((run) => run.write(new TextEncoder().encode('burn 1000000000\n'))));
const frozen = runs[2];
if (frozen !== undefined) await containers.freeze(frozen.containerId);
process.stdout.write('ready\n');
// Until it is killed.
setInterval(() => undefined, 1_000);
