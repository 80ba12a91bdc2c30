import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { stopped, stopSignal } from '../../cli/stop.ts';
import { type CoordinatorOptions, startCoordinator } from '../../coordinator/index.ts';
import { FakeVerifier } from '../fakes/verifier.ts';
import { comparedBy } from './compared.ts';
import { gpuCatalogue } from './gpu-prover.ts';
import { coordinatorOptions } from './network.ts';

/** A coordinator in a process of its own, so that a test can kill it: the argument is JSON, the first line out its address. */
const text = z.string().transform((value) => value as `0x${string}`);
const { dataDir, port, databaseUrl, drainMs, scene, ...chain } = z
  .object({
    dataDir: z.string(),
    port: z.number(),
    drainMs: z.number().optional(),
    databaseUrl: z.string().optional(),
    /** `compared`: outputs are, by a verifier that does not answer while there is a file `hold` in the folder. `gpus`: they are tested. */
    scene: z.enum(['compared', 'gpus']).optional(),
    rpcUrl: z.string(),
    chainId: z.number(),
    token: text,
    distributor: text,
    publisher: z.object({ address: text, privateKey: text }),
  })
  .parse(JSON.parse(process.argv[2] ?? ''));

const signal = stopSignal();
const verifier = new FakeVerifier();
const compared: Partial<CoordinatorOptions> = {
  ...{ replicas: 1, catalogue: comparedBy({ kind: 'verifier', entry: 'letters' }) },
  async runVerifier(task, signal) {
    appendFileSync(join(dataDir, 'asked'), '.');
    while (existsSync(join(dataDir, 'hold'))) await new Promise((resolve) => setTimeout(resolve, 20));
    return await verifier.run(task, signal);
  },
};

const coordinator = await startCoordinator(
  coordinatorOptions(dataDir, chain, {
    ...{ port, replicas: 0, epochEveryMs: 100 },
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
    ...(drainMs === undefined ? {} : { drainMs }),
    ...(scene === 'compared' ? compared : scene === 'gpus' ? { catalogue: gpuCatalogue(1) } : {}),
  }),
);
process.stdout.write(`${coordinator.url}\n`);
await stopped(signal);
await coordinator.close();
