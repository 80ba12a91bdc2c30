import type { z } from 'zod';
import * as admin from './admin.ts';
import * as say from './api-messages.ts';
import { STORAGE_API } from './api-storage.ts';
import { envelope } from './dsse.ts';
import { type Endpoint, row } from './endpoint.ts';
import * as status from './status.ts';
import * as wire from './wire.ts';
import * as channel from './wire-channel.ts';
import * as content from './wire-content.ts';
import * as delivery from './wire-delivery.ts';

/**
 * What the coordinator answers over HTTP, as one table: its router, its OpenAPI document and the client are made of it, so that
 * none of them can say something else. Session messages are in wire.ts.
 */

const job = { params: say.jobParam };
const blob = { params: say.blobParam };

export const API = {
  health: row(['GET', '/v1/health', 200], 'none', 'Whether the process answers', say.healthAnswer, {}),
  ready: row(
    ['GET', '/v1/ready', 200],
    'none',
    'Whether it should get traffic; 503 with why when not',
    say.healthAnswer,
    {},
  ),
  healthz: row(['GET', '/healthz', 200], 'none', 'The same as /v1/health', say.healthAnswer, {}),
  readyz: row(['GET', '/readyz', 200], 'none', 'The same as /v1/ready', say.healthAnswer, {}),
  openapi: row(['GET', '/v1/openapi.json', 200], 'none', 'This document', 'document', {}),
  network: row(['GET', '/v1/network', 200], 'none', 'What a newcomer must know', wire.networkInfo, {}),
  catalogue: row(['GET', '/v1/catalogue', 200], 'none', 'What may run, signed; 304 when it is known', envelope, {}),
  workloads: row(
    ['GET', '/v1/workloads', 200],
    'none',
    'What can be ordered: parameters, limits, prices',
    say.workloadList,
    {},
  ),
  enrol: row(['POST', '/v1/enrollments', 201], 'none', 'Lets a device work for an owner', say.nothing, {
    body: wire.enrollmentRequest,
  }),
  access: row(['POST', '/v1/access', 200], 'none', 'A token for a signed request', wire.accessGrant, {
    body: wire.accessRequest,
  }),
  quote: row(['POST', '/v1/quotes', 200], 'none', 'What a job would cost', wire.quote, { body: wire.quoteRequest }),
  order: row(
    ['POST', '/v1/jobs', 201],
    'optional',
    'Orders a job; the same order again answers the same job',
    wire.jobView,
    { body: wire.jobRequest },
  ),
  orderMany: row(
    ['POST', '/v1/jobs/batch', 200],
    'optional',
    'Orders up to 100 jobs; each has its own answer, in order',
    say.batchAnswers,
    { body: say.orderBatch },
  ),
  jobs: row(['GET', '/v1/jobs', 200], 'read', 'Your jobs, newest first, in pages', say.jobPage, {
    query: say.jobsQuery,
  }),
  job: row(
    ['GET', '/v1/jobs/:id', 200],
    'none',
    'One job; with `after` waits up to 25 s for a newer revision',
    wire.jobView,
    { ...job, query: say.jobWait },
  ),
  cancel: row(
    ['POST', '/v1/jobs/:id/cancel', 200],
    'submit',
    'Ends a job: what was computed is paid, the rest of the hold comes back. One that is over stays as it is',
    wire.jobView,
    job,
  ),
  account: row(
    ['GET', '/v1/account', 200],
    'read',
    'Your deposit, what is held of it, and your limits',
    say.accountView,
    {},
  ),
  channel: row(
    ['POST', '/v1/channels', 201],
    'account',
    'A way to a device that is connected; what passes there is between you and it',
    channel.channelGrant,
    { body: channel.channelOrder },
  ),
  relay: row(
    ['GET', '/v1/relay/:id', 101],
    'none',
    'One end of a channel, with `Upgrade: idlemesh-relay` and its ticket as bearer; whatever follows is passed on',
    'none',
    { params: say.jobParam },
  ),
  publish: row(
    ['POST', '/v1/contents', 201],
    'account',
    'Registers content that you publish, and names the devices that are to hold it',
    content.contentView,
    { body: content.contentOrder },
  ),
  content: row(
    ['GET', '/v1/contents/:id', 200],
    'account',
    'Published content and the devices that hold it, for its publisher and for who has a grant',
    content.contentView,
    { params: say.jobParam, query: content.contentQuery },
  ),
  prices: row(
    ['GET', '/v1/prices', 200],
    'none',
    'What it costs to have content delivered',
    delivery.lendingPrices,
    {},
  ),
  deliver: row(
    ['POST', '/v1/deliveries', 201],
    'account',
    'Sets aside what a content over a channel may cost; what its device does not redeem comes back',
    delivery.deliveryGrant,
    { body: delivery.deliveryOrder },
  ),
  ...STORAGE_API,
  keys: row(['GET', '/v1/keys', 200], 'account', 'Your API keys', say.keyList, {}),
  createKey: row(['POST', '/v1/keys', 201], 'account', 'A new API key; its secret is told this once', say.createdKey, {
    body: say.newApiKey,
  }),
  revokeKey: row(['DELETE', '/v1/keys/:id', 200], 'account', 'Ends an API key at once', say.apiKey, {
    params: say.keyParam,
  }),
  webhooks: row(
    ['GET', '/v1/webhooks', 200],
    'account',
    'Where your orders send word, and how that goes',
    say.webhookList,
    {},
  ),
  enableWebhook: row(
    ['POST', '/v1/webhooks/enable', 200],
    'account',
    'Lets a webhook that was disabled be used again',
    say.webhookView,
    { body: say.webhookName },
  ),
  webhookSecret: row(
    ['GET', '/v1/webhooks/secret', 200],
    'account',
    'What your webhooks are signed with',
    say.secretAnswer,
    {},
  ),
  renewWebhookSecret: row(
    ['POST', '/v1/webhooks/secret', 200],
    'account',
    'A new secret in place of the old one',
    say.secretAnswer,
    {},
  ),
  books: row(['GET', '/v1/owners/:owner', 200], 'none', 'The books of one account', wire.ownerBooks, {
    params: say.ownerParam,
  }),
  clawBacks: row(
    ['GET', '/v1/owners/:owner/clawbacks', 200],
    'none',
    'What was clawed back from one owner, and why',
    wire.clawBacks,
    { params: say.ownerParam },
  ),
  page: row(['GET', '/', 200], 'none', 'The status of the network, for people', 'page', {}),
  status: row(
    ['GET', '/v1/status', 200],
    'none',
    'The state of the network: devices, results, books, epochs, orders of admins',
    status.networkStatus,
    {},
  ),
  epochs: row(['GET', '/v1/epochs', 200], 'none', 'Epochs without their data sets, newest first', status.epochPage, {
    query: status.epochsQuery,
  }),
  leaves: row(
    ['GET', '/v1/epochs/:number/leaves', 200],
    'none',
    'The leaves of a published epoch with their proofs, in pages',
    status.leafPage,
    { params: say.epochParam, query: status.leavesQuery },
  ),
  leavesCsv: row(
    ['GET', '/v1/epochs/:number/leaves.csv', 200],
    'none',
    'All of them as one file: owner, cumulative, leaf, proof',
    'csv',
    { params: say.epochParam },
  ),
  latestEpoch: row(
    ['GET', '/v1/epochs/latest', 200],
    'none',
    'The newest epoch on chain with its full data set',
    wire.epoch,
    {},
  ),
  epoch: row(['GET', '/v1/epochs/:number', 200], 'none', 'One epoch with its full data set', wire.epoch, {
    params: say.epochParam,
  }),
  proof: row(
    ['GET', '/v1/proofs/:owner', 200],
    'none',
    'What the newest root owes an owner, with its proof',
    wire.ownerProof,
    { params: say.ownerParam },
  ),
  admin: row(
    ['POST', '/v1/admin/actions', 200],
    'none',
    'An order of an admin, signed: disable, enable, ban, unban, refund, recount. Once, however often it is sent',
    admin.adminAnswer,
    { body: admin.adminRequest },
  ),
  adminActions: row(
    ['GET', '/v1/admin/actions', 200],
    'none',
    'What admins ordered, newest first',
    admin.shownActions,
    {},
  ),
  claim: row(['POST', '/v1/claims', 200], 'none', 'Relays a signed claim', wire.claimAccepted, {
    body: wire.claimRequest,
  }),
  knowsBlob: row(['HEAD', '/v1/blobs/:sha256', 200], 'bearer', 'Whether a file is here', 'none', blob),
  blob: row(['GET', '/v1/blobs/:sha256', 200], 'bearer', 'A file of one of your jobs', 'bytes', blob),
  putBlob: row(['PUT', '/v1/blobs/:sha256', 204], 'bearer', 'Stores a file under its SHA-256', 'none', {
    ...blob,
    upload: true as const,
  }),
  session: row(['GET', '/v1/session', 101], 'none', 'The WebSocket of a device', 'none', {}),
} satisfies Readonly<Record<string, Endpoint>>;

type Part<E, K extends string> = K extends keyof E ? E[K] : undefined;
type Parsed<S> = S extends z.ZodType ? z.output<S> : undefined;
type Given<S> = S extends z.ZodType ? z.input<S> : undefined;

/** What a handler gets of a request that fits its endpoint. */
export type Asked<E extends Endpoint> = {
  readonly params: Parsed<Part<E, 'params'>>;
  readonly query: Parsed<Part<E, 'query'>>;
  readonly body: Parsed<Part<E, 'body'>>;
};
/** What a client sends; amounts in a body are encoded on the way. */
export type Asking<E extends Endpoint> = {
  readonly params?: Given<Part<E, 'params'>>;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
};
export type Answer<E extends Endpoint> = E['answer'] extends z.ZodType ? z.output<E['answer']> : unknown;
