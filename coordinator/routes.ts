import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { address, hex32, type UnixMs } from '../core/primitives.ts';
import { releaseTag } from '../core/release.ts';
import {
  accessRequest,
  claimRequest,
  enrollmentRequest,
  jobRequest,
  type NetworkInfo,
  quoteRequest,
} from '../core/wire.ts';
import { relayClaim } from './claims.ts';
import { clawBacksOf, clawedBackOf } from './clawback.ts';
import type { Context } from './context.ts';
import { enrol } from './devices.ts';
import { epochView, findEpoch, latestPublished } from './epochs.ts';
import { type App, answer, requireBearer } from './http.ts';
import { booksOf } from './ledger.ts';
import { order, quoteFor } from './orders.ts';
import { Roots } from './roots.ts';
import { requireSigned } from './signing.ts';
import { Uploads } from './uploads.ts';
import { lookAtJob } from './views.ts';

/** What one answer names of them. */
const MOST_CLAW_BACKS = 100;
const LONG_POLL_MS = 25_000;
/** How far a consumer's clock may be off. */
const CLOCK_SKEW_MS = 10 * 60_000;

export const networkInfo = ({ options, networkId, signer }: Context): NetworkInfo => ({
  networkId,
  name: options.name,
  chainId: options.chain.chainId,
  rpcUrl: options.chain.rpcUrl,
  token: options.chain.token,
  tokenSymbol: options.tokenSymbol,
  distributor: options.chain.distributor,
  coordinator: signer.address,
  replicas: options.replicas,
  reportEveryMs: options.reportEveryMs,
  epochEveryMs: options.epochEveryMs,
  now: options.clock.now(),
});

/** Why the coordinator should get no traffic; null when it should. */
export type Readiness = () => string | null;

/** Everything under /v1 but the session and the blobs. Whatever fails its schema changes nothing. */
export function addRoutes(app: App, context: Context, readiness: Readiness): void {
  const { db, domain, options, changes } = context;
  const now = (): UnixMs => options.clock.now();
  const roots = new Roots(db, context.chain, options.clock);

  app.get('/healthz', async (_request, reply) => answer(reply, { status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const reason = readiness();
    await answer(reply, { status: reason === null ? 'ready' : 'not ready', reason }, reason === null ? 200 : 503);
  });
  app.get('/v1/network', async (_request, reply) => answer(reply, networkInfo(context)));

  const { release } = options;
  if (release !== null) {
    const tag = releaseTag(release.envelope);
    app.get('/v1/catalogue', async (request, reply) => {
      reply.header('etag', tag).header('cache-control', 'no-cache');
      if (request.headers['if-none-match'] === tag) return await reply.code(304).send();
      return await reply.type('application/json; charset=utf-8').send(release.envelope);
    });
  }

  app.post('/v1/enrollments', async (request, reply) => {
    const { value, signature } = enrollmentRequest.parse(request.body);
    requireSigned(domain, 'Enrollment', value, signature, value.owner);
    await db.tx((sql) => enrol(sql, value, signature, now()));
    options.log('info', 'enrolled', { owner: value.owner, device: value.device });
    await answer(reply, {}, 201);
  });

  app.post('/v1/access', async (request, reply) => {
    const { value, signature } = accessRequest.parse(request.body);
    if (value.networkId !== context.networkId) fail('UNAUTHORISED', 'the request is for another network');
    if (Math.abs(value.issuedAt - now()) > CLOCK_SKEW_MS) {
      fail('UNAUTHORISED', 'the request is too old or from the future; check the clock');
    }
    requireSigned(domain, 'Access', value, signature, value.account);
    await answer(reply, context.tokens.grant(value.account, 'consumer', now()));
  });

  app.post('/v1/quotes', async (request, reply) => answer(reply, quoteFor(context, quoteRequest.parse(request.body))));

  app.post('/v1/jobs', async (request, reply) =>
    answer(reply, await order(context, jobRequest.parse(request.body)), 201),
  );

  const jobPath = z.object({ id: hex32 });
  const jobQuery = z.object({ after: z.coerce.number().int().nonnegative().optional() });
  // A job's id is the digest of a signed order with a random nonce: who knows it may look; its files need a token.
  app.get('/v1/jobs/:id', async (request, reply) => {
    const { id } = jobPath.parse(request.params);
    const { after } = jobQuery.parse(request.query);
    const look = async () => (await lookAtJob(db, id)) ?? fail('NOT_FOUND', 'there is no such job', { jobId: id });
    const waiting = changes.wait(id, after === undefined ? 0 : LONG_POLL_MS);
    // Who hung up is not waited for.
    const gone = () => waiting.cancel();
    request.raw.socket.once('close', gone);
    try {
      let job = await look();
      if (after !== undefined && job.rev <= after) {
        await waiting.changed;
        job = await look();
      }
      await answer(reply, job);
    } finally {
      waiting.cancel();
      request.raw.socket.off('close', gone);
    }
  });

  const ownerPath = z.object({ owner: address });
  app.get('/v1/owners/:owner', async (request, reply) => {
    const { owner } = ownerPath.parse(request.params);
    const books = await db.tx(async (sql) => ({
      ...(await booksOf(sql, owner)),
      clawedBack: await clawedBackOf(sql, owner),
    }));
    await answer(reply, { owner, ...books });
  });
  app.get('/v1/owners/:owner/clawbacks', async (request, reply) => {
    const { owner } = ownerPath.parse(request.params);
    await answer(reply, { owner, clawBacks: await clawBacksOf(db, owner, MOST_CLAW_BACKS) });
  });

  app.get('/v1/epochs/latest', async (_request, reply) => {
    const row = (await latestPublished(db)) ?? fail('NOT_FOUND', 'no epoch has been published yet');
    await answer(reply, epochView(row));
  });
  const epochPath = z.object({ number: z.coerce.number().int().positive() });
  app.get('/v1/epochs/:number', async (request, reply) => {
    const { number } = epochPath.parse(request.params);
    const row = await findEpoch(db, number);
    if (row === null || row.tx_hash === null) fail('NOT_FOUND', `epoch ${number} has not been published`);
    await answer(reply, epochView(row));
  });

  app.get('/v1/proofs/:owner', async (request, reply) => {
    const { owner } = ownerPath.parse(request.params);
    const newest = await roots.newest();
    const cumulative = newest?.cumulative.get(owner);
    if (newest === null || cumulative === undefined) fail('NOT_FOUND', 'no root that pays names this owner yet');
    const proof = newest.tree.proofOf(owner) ?? fail('INTERNAL', 'a leaf without a proof');
    await answer(reply, { epoch: newest.epoch, root: newest.root, cumulative, proof });
  });

  app.post('/v1/claims', async (request, reply) =>
    answer(reply, await relayClaim(context, roots, claimRequest.parse(request.body))),
  );
}

const blobPath = z.object({ sha256: hex32 });

/** Content-addressed files. A token is needed for all; reading is for who ordered the job or works on it. */
export function addBlobRoutes(app: App, context: Context, mayRead: MayRead): void {
  const { blobs } = context;
  const uploads = new Uploads(context);

  app.head('/v1/blobs/:sha256', async (request, reply) => {
    requireBearer(context, request);
    const { sha256 } = blobPath.parse(request.params);
    const size = await blobs.size(sha256);
    if (size === null) return await reply.code(404).send();
    await blobs.renew(sha256);
    await reply.code(200).header('content-length', size).header('content-type', 'application/octet-stream').send();
  });

  app.get('/v1/blobs/:sha256', { exposeHeadRoute: false }, async (request, reply) => {
    const bearer = requireBearer(context, request);
    const { sha256 } = blobPath.parse(request.params);
    const size = (await mayRead(bearer, sha256)) ? await blobs.size(sha256) : null;
    if (size === null) fail('NOT_FOUND', 'there is no such blob, it is no longer kept, or you may not read it');
    return await reply
      .header('content-length', size)
      .header('content-type', 'application/octet-stream')
      .send(blobs.read(sha256));
  });

  app.put('/v1/blobs/:sha256', async (request, reply) => {
    const bearer = requireBearer(context, request);
    const { sha256 } = blobPath.parse(request.params);
    // Sizes are judged before the content is read: a sender that is cut off in the middle never sees why.
    const announced = request.headers['content-length'];
    if ((await blobs.size(sha256)) !== null) await blobs.renew(sha256);
    else await uploads.store(bearer, sha256, announced === undefined ? null : Number(announced), request.raw);
    await reply.code(204).send();
  });
}

export type MayRead = (bearer: ReturnType<typeof requireBearer>, sha256: z.output<typeof hex32>) => Promise<boolean>;
