import { z } from 'zod';
import { ERROR_CODES } from './errors.ts';
import { address, amount, byteCount, hex32, lane, signature, unixMs } from './primitives.ts';
import { REFUSALS } from './typed-data.ts';
import { gpuCoordinatorMessages, gpuDeviceMessages } from './wire-gpu.ts';
import { lendingCoordinatorMessages, lendingDeviceMessages } from './wire-lending.ts';

/**
 * Messages between devices, consumers and the coordinator, under /v1. Schemas check what arrives and turn decimal strings
 * into bigint; `Wire<T>` is the form that is sent. Unknown keys are refused.
 */
const id = hex32;

/** GET /v1/network: what a newcomer must know, and what a ledger belongs to. */
export const networkInfo = z.strictObject({
  networkId: hex32,
  name: z.string().max(64),
  chainId: z.number().int().positive(),
  rpcUrl: z.url({ protocol: /^https?$/ }),
  token: address,
  tokenSymbol: z.string().max(16),
  distributor: address,
  /** Signs receipts. */
  coordinator: address,
  /** Other accepted results an item must agree with before it is credited. */
  replicas: z.number().int().min(0).max(1),
  reportEveryMs: z.number().int().positive(),
  epochEveryMs: z.number().int().positive(),
  now: unixMs,
});
export type NetworkInfo = z.output<typeof networkInfo>;

export const signed = <T extends z.ZodType>(value: T) => z.strictObject({ value, signature });

export const enrollment = z.strictObject({ owner: address, device: address, issuedAt: unixMs, expiresAt: unixMs });
/** POST /v1/enrollments */
export const enrollmentRequest = signed(enrollment);

/** POST /v1/access: a bearer token for blobs and jobs, for consumers; devices get theirs in `welcome`. */
export const accessRequest = signed(z.strictObject({ account: address, networkId: hex32, issuedAt: unixMs }));
export const accessGrant = z.strictObject({ token: z.string().min(16).max(256), expiresAt: unixMs });

export const params = z
  .record(z.string().max(32), z.string().max(32))
  .refine((value) => Object.keys(value).length <= 16);

/** POST /v1/quotes */
export const quoteRequest = z.strictObject({ workload: z.string().max(64), inputBytes: byteCount, params });
export const quote = z.strictObject({
  /** For one accepted copy: what its provider gets, and the network's fee. */
  price: amount,
  pay: amount,
  fee: amount,
  copies: z.number().int().positive(),
  /** Held from the consumer's deposit; what is not used comes back. */
  hold: amount,
  params,
});
export type Quote = z.output<typeof quote>;

export const jobOrder = z.strictObject({
  consumer: address,
  workload: z.string().max(64),
  paramsHash: hex32,
  inputHash: hex32,
  inputBytes: byteCount,
  maxPrice: amount,
  nonce: hex32,
  expiresAt: unixMs,
});
/**
 * POST /v1/jobs; idempotent by the order's digest. The input blob must have been uploaded. Without a signature the bearer speaks
 * for the consumer. `webhook` needs the bearer in any case: it is not signed.
 */
export const jobRequest = z.strictObject({
  value: jobOrder,
  signature: signature.optional(),
  params,
  webhook: z
    .url({ protocol: /^https?$/ })
    .max(1024)
    .optional(),
});

export const JOB_STATES = ['queued', 'running', 'verifying', 'done', 'failed', 'cancelled'] as const;
export type JobState = (typeof JOB_STATES)[number];
/**
 * GET /v1/jobs/:id?after=REV waits up to 25 s for a newer revision.
 *
 *   queued ──► running ──► verifying ──► done
 *      ▲          │             │
 *      └──────────┴─ reissued   └──► failed (after the last attempt) | cancelled (by the consumer, from any but done)
 */
export const jobView = z.strictObject({
  jobId: id,
  rev: z.number().int().nonnegative(),
  state: z.enum(JOB_STATES),
  workload: z.string(),
  progress: z.number().min(0).max(1),
  hold: amount,
  /** Known when done. */
  charged: amount.nullable(),
  outputHash: hex32.nullable(),
  outputBytes: byteCount.nullable(),
  failure: z.string().nullable(),
});
export type JobView = z.output<typeof jobView>;

export const lease = z.strictObject({
  leaseId: id,
  jobId: id,
  workload: z.string().max(64),
  version: z.string().max(32),
  image: z.string().max(128),
  lane,
  params,
  inputHash: hex32,
  inputBytes: byteCount,
  price: amount,
  deadline: unixMs,
});
export type Lease = z.output<typeof lease>;

export const result = z.strictObject({
  leaseId: id,
  device: address,
  outputHash: hex32,
  outputBytes: byteCount,
  startedAt: unixMs,
  finishedAt: unixMs,
});
/** One of many under one signature, which names the device. */
export const resultItem = result.omit({ device: true });
export const reportItem = z.strictObject({ leaseId: id, outputHash: hex32, amount });
export const report = z.strictObject({
  owner: address,
  device: address,
  sequence: z.number().int().positive(),
  previous: hex32,
  periodStart: unixMs,
  periodEnd: unixMs,
  itemsHash: hex32,
  itemCount: z.number().int().positive().max(1000),
  total: amount,
});
export const itemOutcome = z.discriminatedUnion('kind', [
  z.strictObject({ leaseId: id, kind: z.literal('credited'), amount }),
  z.strictObject({ leaseId: id, kind: z.literal('refused'), reason: z.enum(REFUSALS) }),
]);
export const receipt = z.strictObject({
  reportHash: hex32,
  owner: address,
  device: address,
  sequence: z.number().int().positive(),
  outcomesHash: hex32,
  credited: amount,
  cumulative: amount,
  issuedAt: unixMs,
});
export const verdict = z.discriminatedUnion('kind', [
  z.strictObject({ leaseId: id, kind: z.literal('accepted'), amount }),
  z.strictObject({ leaseId: id, kind: z.literal('rejected'), reason: z.string().max(200) }),
]);
export type Verdict = z.output<typeof verdict>;

export const DECLINE_REASONS = ['held', 'unknown-workload', 'too-large', 'image-missing', 'failed', 'stopped'] as const;

const workloadList = z.array(z.strictObject({ id: z.string().max(64), image: z.string().max(128) })).max(256);

/** Bytes; `floors`: base units for one job, below which the device is not asked. */
export const machine = z.strictObject({
  memoryBytes: byteCount,
  diskBytes: byteCount,
  vramBytes: byteCount,
  floors: z.partialRecord(lane, amount),
});
export type Machine = z.output<typeof machine>;

/** Device → coordinator, over the WebSocket at /v1/session. */
export const deviceMessage = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('hello'),
    value: z.strictObject({ device: address, networkId: hex32, nonce: hex32, issuedAt: unixMs }),
    signature,
    agent: z.string().max(64),
    platform: z.string().max(32),
    workloads: workloadList,
    /** What the owner lends at most, and asks for; what is not said is not asked about. */
    machine: machine.optional(),
    /** Leases this device still holds or awaits a verdict for. Others of its are re-issued. */
    leases: z.array(id).max(1000),
  }),
  /** What the device can run from now on, in place of what its hello said: its catalogue has changed. */
  z.strictObject({ type: z.literal('workloads'), workloads: workloadList }),
  /** States a level: how many more leases of a lane the device would take now. */
  z.strictObject({ type: z.literal('ready'), lane, slots: z.number().int().min(0).max(64) }),
  z.strictObject({
    type: z.literal('decline'),
    leaseId: id,
    reason: z.enum(DECLINE_REASONS),
    detail: z.string().max(500),
  }),
  z.strictObject({ type: z.literal('progress'), leaseId: id, progress: z.number().min(0).max(1) }),
  /** Still at work on them: their deadlines are put off, as far as the network lets them. */
  z.strictObject({ type: z.literal('renew'), leaseIds: z.array(id).min(1).max(64) }),
  z.strictObject({ type: z.literal('result'), value: result, signature }),
  z.strictObject({
    type: z.literal('results'),
    value: z.strictObject({ device: address, resultsHash: hex32, resultCount: z.number().int().positive().max(1000) }),
    signature,
    results: z.array(resultItem).min(1).max(1000),
  }),
  z.strictObject({ type: z.literal('report'), value: report, signature, items: z.array(reportItem).min(1).max(1000) }),
  ...gpuDeviceMessages,
  ...lendingDeviceMessages,
]);
export type DeviceMessage = z.output<typeof deviceMessage>;

/** Coordinator → device. */
export const coordinatorMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('challenge'), nonce: hex32, networkId: hex32 }),
  z.strictObject({
    type: z.literal('welcome'),
    owner: address,
    token: z.string().min(16).max(256),
    /** Of the leases in `hello`, those that are still the device's to finish. */
    leases: z.array(id).max(1000),
    /** The newest report it holds of this device; null when none. */
    lastReport: z.strictObject({ sequence: z.number().int().positive(), reportHash: hex32 }).nullable(),
  }),
  z.strictObject({ type: z.literal('lease'), lease }),
  z.strictObject({ type: z.literal('leases'), leases: z.array(lease).max(1000) }),
  /** New deadlines; never earlier ones. */
  z.strictObject({
    type: z.literal('renewed'),
    leases: z.array(z.strictObject({ leaseId: id, deadline: unixMs })).max(64),
  }),
  z.strictObject({ type: z.literal('cancel'), leaseId: id, reason: z.string().max(200) }),
  /** The result is stored durably; the device need not send it again. */
  z.strictObject({ type: z.literal('result-stored'), leaseId: id }),
  z.strictObject({ type: z.literal('results-stored'), leaseIds: z.array(id).max(1000) }),
  z.strictObject({ type: z.literal('verdict'), verdict }),
  z.strictObject({ type: z.literal('verdicts'), verdicts: z.array(verdict).max(1000) }),
  z.strictObject({
    type: z.literal('receipt'),
    value: receipt,
    signature,
    outcomes: z.array(itemOutcome).max(1000),
  }),
  z.strictObject({ type: z.literal('epoch'), epoch: z.number().int().positive(), root: hex32 }),
  z.strictObject({
    type: z.literal('error'),
    code: z.enum(ERROR_CODES),
    message: z.string().max(500),
    /** The lease or report it concerns. */
    about: hex32.nullable(),
  }),
  ...gpuCoordinatorMessages,
  ...lendingCoordinatorMessages,
]);
export type CoordinatorMessage = z.output<typeof coordinatorMessage>;

/** GET /v1/owners/:owner: books of one owner. */
export const ownerBooks = z.strictObject({
  owner: address,
  /** All that was ever credited and not clawed back: what is pending, matured, or published. */
  credited: amount,
  /** Not mature: it can still be clawed back. */
  pending: amount,
  /** Waits for the next root. */
  matured: amount,
  /** All that roots on chain ever carried, what was claimed included. */
  published: amount,
  claimed: amount,
  clawedBack: amount,
  /** As a consumer. */
  deposit: amount,
});
export type OwnerBooks = z.output<typeof ownerBooks>;

export const clawBackValue = z.strictObject({
  owner: address,
  itemsHash: hex32,
  itemCount: z.number().int().positive(),
  total: amount,
  why: z.string().max(200),
  issuedAt: unixMs,
});
export const clawBackItems = z.array(z.strictObject({ leaseId: id, amount }));
/** What was taken back and why, signed by the coordinator as receipts are. */
const clawBack = z.strictObject({ value: clawBackValue, signature, items: clawBackItems });
export type ClawBack = z.output<typeof clawBack>;
/** GET /v1/owners/:owner/clawbacks: the newest first. */
export const clawBacks = z.strictObject({ owner: address, clawBacks: z.array(clawBack).max(100) });

/** GET /v1/epochs/latest and /v1/epochs/:number: the full data set. */
export const epoch = z.strictObject({
  epoch: z.number().int().positive(),
  root: hex32,
  total: amount,
  closedAt: unixMs,
  txHash: hex32.nullable(),
  format: z.literal('standard-v1'),
  entitlements: z.array(z.strictObject({ owner: address, cumulative: amount })),
});
export type Epoch = z.output<typeof epoch>;

/** GET /v1/proofs/:owner: against the newest root that is on chain. */
export const ownerProof = z.strictObject({
  epoch: z.number().int().positive(),
  root: hex32,
  cumulative: amount,
  proof: z.array(hex32).max(64),
});
export type OwnerProof = z.output<typeof ownerProof>;

/** POST /v1/claims: gasless; the coordinator relays it. `rootIndex` is the epoch's index on chain (epoch - 1). */
export const claimRequest = z.strictObject({
  value: z.strictObject({
    owner: address,
    recipient: address,
    amount,
    fee: amount,
    deadline: z.number().int().positive(),
  }),
  signature,
  epoch: z.number().int().positive(),
  proof: z.array(hex32).max(64),
});
export const claimAccepted = z.strictObject({ txHash: hex32 });

/** Body of every HTTP error (RFC 9457, application/problem+json). */
export const problemDetails = z.object({
  type: z.string().optional(),
  title: z.string(),
  status: z.number().int(),
  code: z.enum(ERROR_CODES),
  detail: z.string(),
});

/** A value as it travels: bigint as decimal string. */
export type Wire<T> = T extends bigint
  ? string
  : T extends readonly (infer Item)[]
    ? readonly Wire<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Wire<T[Key]> }
      : T;

/** JSON text of a message, amounts as decimal strings. */
export const encodeWire = (value: unknown): string => JSON.stringify(withoutBigints(value));

/** The value itself where it has none: a replacer would be called for each part of each message. */
function withoutBigints(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    let copy: unknown[] | null = null;
    for (let at = 0; at < value.length; at++) {
      const part = withoutBigints(value[at]);
      if (part === value[at]) continue;
      copy ??= [...value];
      copy[at] = part;
    }
    return copy ?? value;
  }
  const parts = value as Readonly<Record<string, unknown>>;
  let copy: Record<string, unknown> | null = null;
  for (const name of Object.keys(parts)) {
    const part = withoutBigints(parts[name]);
    if (part === parts[name]) continue;
    copy ??= { ...parts };
    copy[name] = part;
  }
  return copy ?? value;
}
