import { z } from 'zod';
import { type Coordinator, DEFAULT_QUOTAS, startCoordinator } from '../coordinator/index.ts';
import { fail } from '../core/errors.ts';
import { address } from '../core/primitives.ts';
import { offering, type SignedCatalogue } from './catalogue.ts';
import { readKeyFile } from './keyfile.ts';
import type { Logger } from './log.ts';

const config = z.strictObject({
  name: z.string().min(1).max(64),
  host: z.string().default('127.0.0.1'),
  port: z.number().int().min(0).max(65_535).default(7350),
  tokenSymbol: z.string().min(1).max(16),
  chain: z.strictObject({
    rpcUrl: z.url({ protocol: /^https?$/ }),
    chainId: z.number().int().positive(),
    token: address,
    distributor: address,
    /** The key that signs receipts, publishes roots and relays claims. */
    keyFile: z.string(),
  }),
  replicas: z.union([z.literal(0), z.literal(1)]).default(1),
  reportEveryMs: z.number().int().min(1000).default(600_000),
  epochEveryMs: z.number().int().min(1000).default(3_600_000),
  leaseMs: z.number().int().min(10_000).default(3_600_000),
  maxAttempts: z.number().int().min(1).max(10).default(3),
  keepJobsMs: z
    .number()
    .int()
    .min(60_000)
    .default(7 * 86_400_000),
  keepBlobsMs: z
    .number()
    .int()
    .min(60_000)
    .default(7 * 86_400_000),
  maxAccountBytes: z
    .number()
    .int()
    .positive()
    .default(4 * 2 ** 30),
  quotas: z
    .strictObject({
      maxOpenJobs: z.number().int().positive().default(DEFAULT_QUOTAS.maxOpenJobs),
      burst: z.number().int().positive().default(DEFAULT_QUOTAS.burst),
      perSecond: z.number().int().positive().default(DEFAULT_QUOTAS.perSecond),
    })
    .default(DEFAULT_QUOTAS),
});

/** Starts a coordinator from its configuration text. Throws BAD_INPUT naming the key that is wrong. */
export async function runCoordinator(options: {
  readonly configText: string;
  readonly dataDir: string;
  readonly catalogue: SignedCatalogue;
  readonly log: Logger;
}): Promise<Coordinator> {
  const parsed = config.safeParse(readJson(options.configText));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return fail('BAD_INPUT', `coordinator configuration: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  const { chain, ...rest } = parsed.data;
  const { keyFile, ...contracts } = chain;
  return startCoordinator({
    ...rest,
    dataDir: options.dataDir,
    ...offering(options.catalogue),
    chain: { ...contracts, privateKey: await readKeyFile(keyFile, false) },
    clock: { now: () => Date.now() },
    log: options.log,
  });
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return fail('BAD_INPUT', `coordinator configuration is not JSON: ${error instanceof Error ? error.message : ''}`);
  }
}
