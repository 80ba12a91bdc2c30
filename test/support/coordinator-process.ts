import { z } from 'zod';
import { stopped, stopSignal } from '../../cli/stop.ts';
import { startCoordinator } from '../../coordinator/index.ts';
import { coordinatorOptions } from './network.ts';

/** A coordinator in a process of its own, so that a test can kill it: the argument is JSON, the first line out its address. */
const text = z.string().transform((value) => value as `0x${string}`);
const { dataDir, port, databaseUrl, drainMs, ...chain } = z
  .object({
    dataDir: z.string(),
    port: z.number(),
    drainMs: z.number().optional(),
    databaseUrl: z.string().optional(),
    rpcUrl: z.string(),
    chainId: z.number(),
    token: text,
    distributor: text,
    publisher: z.object({ address: text, privateKey: text }),
  })
  .parse(JSON.parse(process.argv[2] ?? ''));

const signal = stopSignal();
const coordinator = await startCoordinator(
  coordinatorOptions(dataDir, chain, {
    ...{ port, replicas: 0, epochEveryMs: 100 },
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
    ...(drainMs === undefined ? {} : { drainMs }),
  }),
);
process.stdout.write(`${coordinator.url}\n`);
await stopped(signal);
await coordinator.close();
