import { join } from 'node:path';
import { workIn } from '../core/catalogue.ts';
import { asFailure, type ErrorCode, fail } from '../core/errors.ts';
import { keccakText } from '../core/keccak.ts';
import { domainOf } from '../core/typed-data.ts';
import type { NetworkInfo } from '../core/wire.ts';
import { Tokens } from './access.ts';
import { addAdminRoutes } from './admin-routes.ts';
import { addBlobRoutes } from './blob-routes.ts';
import { type Blobs, openBlobs } from './blobs.ts';
import { openChain } from './chain.ts';
import { addChannelRoutes } from './channels.ts';
import type { Verification } from './checks.ts';
import { addConsumerRoutes } from './consumer-routes.ts';
import { addContentRoutes } from './contents.ts';
import { Changes, type Context } from './context.ts';
import { DayCounts } from './day-counts.ts';
import { type Db, openDb } from './db.ts';
import { openPostgres } from './db-postgres.ts';
import { addDeliveryRoutes } from './deliveries.ts';
import { followChain } from './deposits.ts';
import { Disabled } from './disabled.ts';
import { closeEpoch, isMiscount, publishEpochs } from './epochs.ts';
import { type App, closeApp, createApp } from './http.ts';
import { fastKeccak } from './keccak.ts';
import { keptSecret } from './meta.ts';
import { Metrics, type MetricsServer, serveMetrics } from './metrics.ts';
import type { CoordinatorOptions } from './options.ts';
import { Consumers } from './quotas.ts';
import { Readiness } from './readiness.ts';
import { noteRecount } from './recounted.ts';
import { Replica } from './replica.ts';
import { dropOldBlobs } from './retention.ts';
import { addRoutes, networkInfo } from './routes.ts';
import { Sessions } from './sessions.ts';
import { SignatureChecks } from './signature-checks.ts';
import { Signer } from './signing.ts';
import { addStatusRoutes } from './status-routes.ts';
import { addStorageRoutes } from './storage/routes.ts';
import { every, within } from './timer.ts';
import { KeptTotals } from './totals.ts';
import { requirePolicy } from './verification/policy.ts';
import { WebhookSender } from './webhook-sender.ts';

export type { ChainOptions, Clock, CoordinatorOptions, Log } from './options.ts';
export { DEFAULT_QUOTAS } from './quotas.ts';

export type Coordinator = {
  /** `http://host:port` */
  readonly url: string;
  readonly network: NetworkInfo;
  /** Where metrics are served; null: nowhere. */
  readonly metricsUrl: string | null;
  /**
   * Says that it is not ready, hands out nothing more, waits as long as its options say, answers what is being asked, ends the
   * sessions and the webhooks under way, and releases the folder.
   */
  readonly close: () => Promise<void>;
};

/** What is under way when it goes down may take so long, each: sessions, webhooks, requests. */
const DRAIN_WITHIN_MS = 5_000;
const DEPOSITS_EVERY_MS = 500;
const EXPIRY_EVERY_MS = 1_000;
const WEBHOOKS_EVERY_MS = 500;
const DELIVERIES_EVERY_MS = 60_000;
const TIDY_EVERY_MS = 3_600_000;
const DAYS_EVERY_MS = 5_000;
const COMPARISONS_EVERY_MS = 1_000;
const AUDITS_EVERY_MS = 1_000;
const STORAGE_EVERY_MS = 5_000;
/** How often it is looked for what another replica should have told. */
const LOOK_AGAIN_MS = 30_000;
/** They pass by themselves, and say nothing of the books. */
const TRANSIENT: ReadonlySet<ErrorCode> = new Set(['CHAIN_AWAY', 'DATABASE_AWAY', 'TIMEOUT']);

/**
 * Starts a coordinator on its folder: matches, verifies, keeps the books, publishes roots. Reads nothing from the environment.
 * Throws BAD_INPUT for a policy under which cheating pays, CONFLICT when another process uses the folder or the port; the port is then named in `info`. A chain that is away is waited for; work goes on without it.
 */
export async function startCoordinator(options: CoordinatorOptions): Promise<Coordinator> {
  const { chain: chainOptions, clock, log } = options;
  const domain = domainOf(chainOptions.chainId, chainOptions.distributor);
  const signer = new Signer(chainOptions.privateKey, domain);
  const db = await openBooks(options);
  const chain = openChain(chainOptions);
  const replica = await Replica.open(db, log).catch(async (error: unknown) => {
    await db.close();
    throw error;
  });
  let metricsServer: MetricsServer | null = null;
  try {
    const secret = await keptSecret(db, 'token-secret');
    const salt = await keptSecret(db, 'network-salt');
    const limits = workIn(options.catalogue).flatMap((entry) => [
      entry.limits.maxInputBytes,
      entry.limits.maxOutputBytes,
    ]);
    const keccak = await fastKeccak();
    const context: Context = {
      options,
      networkId: keccakText(
        [chainOptions.chainId, chainOptions.distributor, signer.address, salt].join(' ').toLowerCase(),
      ),
      domain,
      db,
      blobs: await openStore(options, Math.max(0, ...limits)),
      chain,
      signer,
      tokens: new Tokens(Buffer.from(secret, 'hex')),
      keccak,
      checks: new SignatureChecks(domain, keccak),
      changes: new Changes(replica),
      replica,
      verification: await verificationOf(options, db),
      consumers: new Consumers({ db, options }),
      metrics: new Metrics(),
      totals: new KeptTotals(db, clock),
      readiness: new Readiness(db, clock, replica),
      disabled: new Disabled(),
      days: new DayCounts(db),
    };
    const { readiness, changes } = context;
    await context.disabled.load(db);
    const sessions = new Sessions(context);
    const webhooks = new WebhookSender(context);

    const app = await createApp(context, sessions);
    addRoutes(app, context);
    addConsumerRoutes(app, context, (effects) => sessions.apply(effects));
    addBlobRoutes(app, context);
    addAdminRoutes(app, context, sessions);
    addStatusRoutes(app, context, () => sessions.devices);
    addContentRoutes(app, context);
    addChannelRoutes(app, context, sessions.lending.channels);
    addDeliveryRoutes(app, context, sessions.lending.deliveries);
    addStorageRoutes(app, context, sessions.lending.storage);
    if (options.metrics !== undefined) metricsServer = await openMetrics(context, sessions, options.metrics);
    const url = await listen(app, options);
    replica.listen(sessions.ears(), () => sessions.devices);

    const complain = (event: string) => (error: unknown) => {
      const { code, message } = asFailure(error);
      log(TRANSIENT.has(code) ? 'warn' : 'error', event, { code, message });
    };
    const closeAndPublish = async () => {
      try {
        await closeEpoch(db, clock.now());
        await publishEpochs(db, chain, clock, log, (epoch, root) => {
          sessions.broadcast({ type: 'epoch', epoch, root });
          replica.epoch(epoch, root);
        });
        readiness.broken = null;
      } catch (error) {
        const { code, message } = asFailure(error);
        if (!TRANSIENT.has(code)) readiness.broken = message;
        if (isMiscount(error)) await noteRecount(db, clock.now(), null).catch(complain('recount-not-noted'));
        // Here, and not after the lock is given back: who sees that it is not ready finds the reason.
        complain('epoch-not-published')(error);
      }
    };
    const timers = [
      every(LOOK_AGAIN_MS, () => sessions.lookAgain(), complain('not-looked-again')),
      every(
        DEPOSITS_EVERY_MS,
        () =>
          db.alone('deposits', async () => {
            await followChain(db, chain, clock, log);
            await readiness.followed();
          }),
        complain('chain-not-read'),
      ),
      every(Math.min(EXPIRY_EVERY_MS, options.leaseMs), () => sessions.expire(), complain('expiry-failed')),
      every(Math.min(EXPIRY_EVERY_MS, options.leaseMs), () => sessions.verify(), complain('lanes-not-judged')),
      every(TIDY_EVERY_MS, () => sessions.tidy(), complain('bonds-not-returned')),
      every(
        DELIVERIES_EVERY_MS,
        () => db.alone('deliveries', () => sessions.lending.deliveries.tidy()),
        complain('deliveries-not-closed'),
      ),
      every(DAYS_EVERY_MS, () => context.days.write(), complain('days-not-counted')),
      every(COMPARISONS_EVERY_MS, () => sessions.comparer.look(), complain('comparisons-not-looked-for')),
      every(AUDITS_EVERY_MS, () => sessions.lending.storage.audit(), complain('storage-not-audited')),
      every(STORAGE_EVERY_MS, () => sessions.lending.storage.keepUp(), complain('storage-not-kept-up')),
      every(WEBHOOKS_EVERY_MS, () => webhooks.begin(), complain('webhooks-not-sent')),
      every(
        options.keepBlobsMs / 4,
        () => db.alone('blobs', () => dropOldBlobs(context)),
        complain('blobs-not-removed'),
      ),
      every(
        options.epochEveryMs,
        // Alone: two replicas must not both sign a root. Should the lock be lost on the way, the books and the contract refuse
        // the second one.
        () => db.alone('epochs', closeAndPublish),
        complain('epoch-not-published'),
      ),
    ];
    log('info', 'coordinator-started', { url, networkId: context.networkId, coordinator: signer.address });

    return {
      url,
      metricsUrl: metricsServer?.url ?? null,
      network: networkInfo(context),
      async close() {
        readiness.draining = true;
        log('info', 'coordinator-draining', { devices: sessions.devices });
        await sessions.drain();
        await new Promise((resolve) => setTimeout(resolve, options.drainMs ?? 0));
        const ended = Promise.all(timers.map((timer) => timer.stop()));
        await within(DRAIN_WITHIN_MS, ended);
        changes.close();
        await Promise.all([webhooks.close(DRAIN_WITHIN_MS), sessions.close(DRAIN_WITHIN_MS)]);
        sessions.lending.channels.close();
        await closeApp(app, DRAIN_WITHIN_MS);
        await context.days.write().catch(complain('days-not-counted'));
        await metricsServer?.close();
        // A root that waits for its block is not waited for: it is looked for on chain at the next start.
        chain.close();
        await within(DRAIN_WITHIN_MS, ended);
        await replica.close();
        await db.close();
        log('info', 'coordinator-stopped', {});
      },
    };
  } catch (error) {
    await metricsServer?.close();
    chain.close();
    await replica.close();
    await db.close();
    throw error;
  }
}

/** The secret is the same for all replicas, and of these books alone. */
async function verificationOf({ verification }: CoordinatorOptions, db: Db): Promise<Verification | null> {
  if (verification === undefined || verification === null) return null;
  return { policy: requirePolicy(verification), secret: Buffer.from(await keptSecret(db, 'draw-secret'), 'hex') };
}

function openMetrics(context: Context, sessions: Sessions, at: { readonly host: string; readonly port: number }) {
  const { db, metrics, totals, readiness, options } = context;
  metrics.watch({
    ...{ db, totals, clock: options.clock },
    workloads: new Set(options.catalogue.entries.map(({ id }) => id)),
    sessions: () => sessions.devices,
    readyCopies: () => sessions.readyCopies,
    draining: () => readiness.draining,
  });
  return serveMetrics(metrics, at);
}

/** The library for buckets is loaded only where there is one. */
async function openStore({ s3, dataDir, clock }: CoordinatorOptions, maxBytes: number): Promise<Blobs> {
  if (s3 === undefined) return await openBlobs(join(dataDir, 'blobs'), maxBytes, clock.now);
  const { openS3Blobs } = await import('./s3.ts');
  return await openS3Blobs(s3, join(dataDir, 'incoming'), maxBytes);
}

/** Chains that live on one machine and are worth nothing: anvil's, Hardhat's and Ganache's. */
const PRACTICE_CHAINS: ReadonlySet<number> = new Set([31_337, 1_337]);

async function openBooks({ databaseUrl, dataDir, chain, log, signal }: CoordinatorOptions): Promise<Db> {
  if (databaseUrl !== undefined) return await openPostgres(databaseUrl, log, signal);
  if (!PRACTICE_CHAINS.has(chain.chainId)) {
    fail(
      'REFUSED',
      `chain ${chain.chainId} carries real money, and the embedded database may lose the last of it in a power cut; set DATABASE_URL to a PostgreSQL database`,
      { chainId: chain.chainId },
    );
  }
  return await openDb(dataDir);
}

async function listen(app: App, { host, port }: CoordinatorOptions): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    return fail('CONFLICT', `another program uses port ${port}`, { port }, error);
  }
}
