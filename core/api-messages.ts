import { z } from 'zod';
import { ERROR_CODES } from './errors.ts';
import { address, amount, byteCount, hex32, lane, unixMs } from './primitives.ts';
import { jobRequest, jobView } from './wire.ts';

/** What consumers and the coordinator say to each other over HTTP; which of it goes where is in api.ts. */

export const RIGHTS = ['read', 'submit'] as const;
export type Right = (typeof RIGHTS)[number];

export const MAX_BATCH = 100;

export const jobParam = z.strictObject({ id: hex32 });
export const ownerParam = z.strictObject({ owner: address });
export const blobParam = z.strictObject({ sha256: hex32 });
export const nothing = z.strictObject({});

/** A job in a list: with when it was ordered. */
export const listedJob = jobView.extend({ createdAt: unixMs });
export const JOB_FILTERS = ['open', 'done', 'failed', 'cancelled'] as const;
export type JobFilter = (typeof JOB_FILTERS)[number];
export const jobsQuery = z.strictObject({
  state: z.enum(JOB_FILTERS).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  /** `next` of the page before. */
  before: z
    .string()
    .regex(/^\d{1,16}\.0x[0-9a-f]{64}$/)
    .optional(),
});
export const jobPage = z.strictObject({ jobs: z.array(listedJob), next: z.string().nullable() });

export const batchAnswer = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true), job: jobView }),
  z.strictObject({ ok: z.literal(false), code: z.enum(ERROR_CODES), detail: z.string() }),
]);

/** A workload in a consumer's words. */
export const offeredWorkload = z.strictObject({
  id: z.string(),
  version: z.string(),
  title: z.strictObject({ en: z.string(), ja: z.string() }),
  lane,
  /** Each with the values allowed; the first is the default. */
  params: z.record(z.string(), z.array(z.string())),
  limits: z.strictObject({ maxInputBytes: byteCount, maxOutputBytes: byteCount, seconds: z.number().int() }),
  /** Of one accepted copy: base, and for each started MiB of input. */
  price: z.strictObject({ base: amount, perInputMiB: amount }),
  /** Accepted copies that are paid for when all goes well. */
  copies: z.number().int().positive(),
});

export const apiKey = z.strictObject({
  id: z.string(),
  name: z.string().min(1).max(64),
  rights: z.array(z.enum(RIGHTS)).min(1),
  /** What its orders may cost together; null: no cap of its own. */
  cap: amount.nullable(),
  /** What its orders cost so far, and may yet cost. */
  spent: amount,
  createdAt: unixMs,
  expiresAt: unixMs.nullable(),
  revokedAt: unixMs.nullable(),
});
export type ApiKey = z.output<typeof apiKey>;
export const newApiKey = z.strictObject({
  name: z.string().min(1).max(64),
  rights: z.array(z.enum(RIGHTS)).min(1).max(2),
  cap: amount.nullable().default(null),
  expiresAt: unixMs.nullable().default(null),
});

export const accountView = z.strictObject({
  account: address,
  deposit: amount,
  /** Held for open jobs and deliveries; what they do not cost comes back to the deposit. */
  held: amount,
  openJobs: z.number().int().nonnegative(),
  maxOpenJobs: z.number().int().positive(),
  storedBytes: byteCount,
  maxStoredBytes: byteCount,
});

export const webhookView = z.strictObject({
  url: z.string(),
  waiting: z.number().int().nonnegative(),
  failingSince: unixMs.nullable(),
  disabledAt: unixMs.nullable(),
  lastError: z.string().nullable(),
});

/** Body of a webhook, sent once or more when a job is over. */
export const webhookEvent = z.strictObject({
  type: z.enum(['job.done', 'job.failed', 'job.cancelled']),
  timestamp: z.iso.datetime(),
  data: jobView,
});
export type WebhookEvent = z.output<typeof webhookEvent>;

export const healthAnswer = z.strictObject({ status: z.string() });
export const jobWait = z.strictObject({ after: z.coerce.number().int().nonnegative().optional() });

export const orderBatch = z.strictObject({ orders: z.array(jobRequest).min(1).max(MAX_BATCH) });
export const batchAnswers = z.strictObject({ answers: z.array(batchAnswer) });
export type BatchAnswer = z.output<typeof batchAnswer>;
export const workloadList = z.strictObject({ workloads: z.array(offeredWorkload) });
export const keyList = z.strictObject({ keys: z.array(apiKey) });
export const createdKey = z.strictObject({ key: apiKey, secret: z.string() });
export const keyParam = z.strictObject({ id: z.string().max(64) });
export const webhookList = z.strictObject({ webhooks: z.array(webhookView) });
export const webhookName = z.strictObject({ url: z.string().max(1024) });
export const secretAnswer = z.strictObject({ secret: z.string() });
export const epochParam = z.strictObject({ number: z.coerce.number().int().positive() });
