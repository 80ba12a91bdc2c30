import { z } from 'zod';
import { type Coordinator, DEFAULT_QUOTAS, startCoordinator } from '../coordinator/index.ts';
import type { StorageOptions } from '../coordinator/storage/terms.ts';
import { DEFAULT_POLICY } from '../coordinator/verification/policy.ts';
import { fail } from '../core/errors.ts';
import { address, amount } from '../core/primitives.ts';
import { offering, type SignedCatalogue } from './catalogue.ts';
import { readKeyFile } from './keyfile.ts';
import { hiding, type Logger } from './log.ts';
import { openJudge } from './verifier.ts';

const config = z.strictObject({
  name: z.string().min(1).max(64),
  host: z.string().default('127.0.0.1'),
  port: z.number().int().min(0).max(65_535).default(7350),
  trustedProxies: z.array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])).default([]),
  tokenSymbol: z.string().min(1).max(16),
  chain: z.strictObject({
    rpcUrl: z.url({ protocol: /^https?$/ }),
    chainId: z.number().int().positive(),
    token: address,
    distributor: address,
    /** The key that signs receipts, publishes roots and relays claims. */
    keyFile: z.string(),
    /** Blocks on top of one before a deposit or claim in it counts; 0 suits a chain of one's own alone. */
    confirmations: z.number().int().nonnegative().max(10_000).default(0),
    /** The block in which the distributor was deployed. */
    startBlock: z.number().int().nonnegative().default(0),
  }),
  /** A bucket of an S3-compatible store; its keys are in the environment. */
  blobs: z
    .strictObject({
      endpoint: z.url({ protocol: /^https?$/ }),
      bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/),
      region: z.string().default('us-east-1'),
    })
    .optional(),
  /** Where workloads' own verifiers run; without it their work cannot be ordered. Without a socket: where an engine usually is. */
  engine: z.strictObject({ socket: z.string().min(1).optional() }).optional(),
  /** A proof of a GPU's throughput holds for so long. */
  gpuProofMs: z.number().int().min(60_000).default(86_400_000),
  /** Ten-thousandths of each price. */
  feeBps: z.number().int().min(0).max(5_000).default(0),
  maturityMs: z.number().int().nonnegative().default(0),
  /** Base units for each MiB that a device delivers. */
  deliveryPrice: amount.optional(),
  storage: z
    .strictObject({
      /** Base units per MiB and month. */
      price: amount.optional(),
      /** Who may read any shard, and makes lost ones anew. */
      repairers: z.array(address).max(16).optional(),
    })
    .optional(),
  /** Adaptive: by the record of each device, and paid by the network (decision 0026). Ordered: `replicas` for every job. */
  verification: z.enum(['adaptive', 'ordered']).default('ordered'),
  /** Ten-thousandths of each price, for the checks of an adaptive network. */
  checksBps: z.number().int().min(0).max(5_000).default(500),
  /** 1 where nothing is said and nothing is adaptive. */
  replicas: z.union([z.literal(0), z.literal(1)]).optional(),
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
  /** So long after SIGTERM it answers still, not ready and with no new work, for who sends traffic to notice. */
  drainMs: z.number().int().min(0).max(10_000).default(2_000),
  /** Whose signed orders are carried out: `idlemesh admin`. */
  admins: z.array(address).default([]),
  /** Where Prometheus finds metrics; no port, no metrics. */
  metricsHost: z.string().default('127.0.0.1'),
  metricsPort: z.number().int().min(0).max(65_535).optional(),
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
  /** Where secrets are that no file should hold: DATABASE_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly log: Logger;
}): Promise<Coordinator> {
  const parsed = config.safeParse(readJson(options.configText));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return fail('BAD_INPUT', `coordinator configuration: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  const { chain, blobs, engine, verification, replicas, metricsHost, metricsPort, ...more } = parsed.data;
  const { storage, deliveryPrice, ...rest } = more;
  const { keyFile, ...contracts } = chain;
  const privateKey = await readKeyFile(keyFile, false);
  const judge = engine === undefined ? null : await openJudge(judgeOptions(options, engine.socket));
  const adaptive = verification === 'adaptive';
  const starting = startCoordinator({
    ...rest,
    verification: adaptive ? DEFAULT_POLICY : null,
    replicas: replicas ?? (adaptive ? 0 : 1),
    ...(judge === null ? {} : { runVerifier: judge.runVerifier }),
    dataDir: options.dataDir,
    signal: options.signal,
    ...(options.env['DATABASE_URL'] ? { databaseUrl: options.env['DATABASE_URL'] } : {}),
    ...(metricsPort === undefined ? {} : { metrics: { host: metricsHost, port: metricsPort } }),
    ...(deliveryPrice === undefined ? {} : { deliveryPrice }),
    ...(storage === undefined ? {} : { storage: withoutGaps(storage) }),
    ...(blobs === undefined ? {} : { s3: { ...blobs, ...keysOf(options.env) } }),
    ...offering(options.catalogue),
    chain: { ...contracts, privateKey },
    clock: { now: () => Date.now() },
    log: hiding(options.log, secretsOf(options.env, privateKey)),
  });
  try {
    const coordinator = await starting;
    return { ...coordinator, close: () => coordinator.close().finally(() => judge?.close()) };
  } catch (error) {
    judge?.close();
    throw error;
  }
}

const withoutGaps = ({ price, repairers }: NonNullable<z.output<typeof config>['storage']>): StorageOptions => ({
  ...(price === undefined ? {} : { price }),
  ...(repairers === undefined ? {} : { repairers }),
});

/** What this process holds and nobody may read in its log. */
function secretsOf(env: Readonly<Record<string, string | undefined>>, privateKey: string): readonly string[] {
  const { DATABASE_URL: database = '', AWS_SECRET_ACCESS_KEY: bucket = '' } = env;
  const url = URL.canParse(database) ? new URL(database) : null;
  const passwords = [url?.password ?? '', url?.searchParams.get('password') ?? ''];
  const given = [privateKey, privateKey.slice(2), bucket, database, ...passwords, ...passwords.map(decoded)];
  return given.filter((secret) => secret.length > 3).sort((a, b) => b.length - a.length);
}

/** A percent sign that begins nothing is one itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const judgeOptions = (
  { catalogue, log }: { readonly catalogue: SignedCatalogue; readonly log: Logger },
  socketPath: string | undefined,
) => ({ catalogue: catalogue.catalogue, log, ...(socketPath === undefined ? {} : { socketPath }) });

function keysOf(env: Readonly<Record<string, string | undefined>>) {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey };
  return fail('BAD_INPUT', 'blobs in a bucket need AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment');
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return fail('BAD_INPUT', `coordinator configuration is not JSON: ${error instanceof Error ? error.message : ''}`);
  }
}
