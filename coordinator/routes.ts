import { API } from '../core/api.ts';
import { envelope } from '../core/dsse.ts';
import { fail } from '../core/errors.ts';
import type { UnixMs } from '../core/primitives.ts';
import { releaseTag } from '../core/release.ts';
import type { NetworkInfo } from '../core/wire.ts';
import { relayClaim } from './claims.ts';
import { clawBacksOf, clawedBackOf } from './clawback.ts';
import type { Context } from './context.ts';
import { enrol } from './devices.ts';
import { EpochSets } from './epoch-data.ts';
import type { App, Reply } from './http.ts';
import { booksOf } from './ledger.ts';
import { Roots } from './roots.ts';
import { serve } from './router.ts';
import { requireSigned } from './signing.ts';
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

/** What everybody may ask, and what the devices' side needs. */
export function addRoutes(app: App, context: Context): void {
  const { db, domain, options } = context;
  const now = (): UnixMs => options.clock.now();
  const sets = new EpochSets(db, options.clock);
  const roots = new Roots(db, context.chain, options.clock);

  for (const health of [API.health, API.healthz]) serve(app, context, health, async () => ({ status: 'ok' }));
  for (const ready of [API.ready, API.readyz]) {
    serve(app, context, ready, async () => {
      const reason = await context.readiness.reason();
      return reason === null ? { status: 'ready' } : fail('COORDINATOR_AWAY', `not ready: ${reason}`);
    });
  }
  serve(app, context, API.network, async () => networkInfo(context));
  addCatalogue(app, context);

  serve(app, context, API.enrol, async ({ body: { value, signature } }) => {
    requireSigned(domain, 'Enrollment', value, signature, value.owner);
    await db.tx((sql) => enrol(sql, value, signature, now()));
    options.log('info', 'enrolled', { owner: value.owner, device: value.device });
    return {};
  });

  serve(app, context, API.access, async ({ body: { value, signature } }) => {
    if (value.networkId !== context.networkId) fail('UNAUTHORISED', 'the request is for another network');
    if (Math.abs(value.issuedAt - now()) > CLOCK_SKEW_MS) {
      fail('UNAUTHORISED', 'the request is too old or from the future; check the clock');
    }
    requireSigned(domain, 'Access', value, signature, value.account);
    return context.tokens.grant(value.account, 'consumer', now());
  });

  addJob(app, context);

  serve(app, context, API.books, async ({ params: { owner } }) =>
    db.tx(async (sql) => ({ owner, ...(await booksOf(sql, owner)), clawedBack: await clawedBackOf(sql, owner) })),
  );
  serve(app, context, API.clawBacks, async ({ params: { owner } }) => ({
    owner,
    clawBacks: [...(await clawBacksOf(db, owner, MOST_CLAW_BACKS))],
  }));

  const answerSet = async (reply: Reply, epoch: number | null) => {
    const { view, text } = await sets.get(epoch);
    await reply.type('application/json; charset=utf-8').send(text);
    return view;
  };
  serve(app, context, API.latestEpoch, ({ reply }) => answerSet(reply, null));
  serve(app, context, API.epoch, ({ params: { number }, reply }) => answerSet(reply, number));

  serve(app, context, API.proof, async ({ params: { owner } }) => {
    const newest = await roots.newest();
    const cumulative = newest?.cumulative.get(owner);
    if (newest === null || cumulative === undefined) fail('NOT_FOUND', 'no root that pays names this owner yet');
    const proof = newest.tree.proofOf(owner) ?? fail('INTERNAL', 'a leaf without a proof');
    return { epoch: newest.epoch, root: newest.root, cumulative, proof: [...proof] };
  });

  serve(app, context, API.claim, ({ body }) => relayClaim(context, roots, body));
}

function addCatalogue(app: App, context: Context): void {
  const { release } = context.options;
  const tag = release === null ? null : releaseTag(release.envelope);
  serve(app, context, API.catalogue, async ({ request, reply }) => {
    if (release === null || tag === null) return fail('NOT_FOUND', 'this network offers no catalogue');
    reply.header('etag', tag).header('cache-control', 'no-cache');
    if (request.headers['if-none-match'] === tag) await reply.code(304).send();
    else await reply.type('application/json; charset=utf-8').send(release.envelope);
    return envelope.parse(JSON.parse(release.envelope));
  });
}

/** A job's id is the digest of an order with a random nonce: who knows it may look; its files need a token. */
function addJob(app: App, context: Context): void {
  const { db, changes } = context;
  serve(app, context, API.job, async ({ params: { id }, query: { after }, request }) => {
    const look = async () => (await lookAtJob(db, id)) ?? fail('NOT_FOUND', 'there is no such job', { jobId: id });
    const waiting = changes.wait(id, after === undefined ? 0 : LONG_POLL_MS);
    // Who hung up is not waited for.
    const gone = () => waiting.cancel();
    request.raw.socket.once('close', gone);
    try {
      const job = await look();
      if (after === undefined || job.rev > after) return job;
      await waiting.changed;
      return await look();
    } finally {
      waiting.cancel();
      request.raw.socket.off('close', gone);
    }
  });
}
