import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { workIn } from '../core/catalogue.ts';
import { asFailure, fail, isFailure } from '../core/errors.ts';
import { keccakText } from '../core/keccak.ts';
import { domainOf } from '../core/typed-data.ts';
import type { NetworkInfo } from '../core/wire.ts';
import { Tokens } from './access.ts';
import { addBlobRoutes } from './blob-routes.ts';
import { openBlobs } from './blobs.ts';
import { openChain } from './chain.ts';
import { addConsumerRoutes } from './consumer-routes.ts';
import { Changes, type Context } from './context.ts';
import { type Db, openDb } from './db.ts';
import { openPostgres } from './db-postgres.ts';
import { bookDeposits, readMeta, writeMeta } from './deposits.ts';
import { closeEpoch, publishEpochs } from './epochs.ts';
import { type App, createApp } from './http.ts';
import type { CoordinatorOptions } from './options.ts';
import { Consumers } from './quotas.ts';
import { dropOldBlobs } from './retention.ts';
import { addRoutes, networkInfo } from './routes.ts';
import { Sessions } from './sessions.ts';
import { Signer } from './signing.ts';
import { every } from './timer.ts';
import { WebhookSender } from './webhook-sender.ts';

export type { ChainOptions, Clock, CoordinatorOptions, Log } from './options.ts';
export { DEFAULT_QUOTAS } from './quotas.ts';

export type Coordinator = {
  /** `http://host:port` */
  readonly url: string;
  readonly network: NetworkInfo;
  /** Answers what is being asked, ends the sessions, and releases the folder. */
  readonly close: () => Promise<void>;
};

const DEPOSITS_EVERY_MS = 500;
const EXPIRY_EVERY_MS = 1_000;
const WEBHOOKS_EVERY_MS = 500;

/**
 * Starts a coordinator on its folder: matches, verifies, keeps the books, publishes roots. Reads nothing from the environment.
 * Throws CONFLICT when another process uses the folder or the port; the port is then named in `info`. A chain that is away is waited for; work goes on without it.
 */
export async function startCoordinator(options: CoordinatorOptions): Promise<Coordinator> {
  const { chain: chainOptions, clock, log } = options;
  const domain = domainOf(chainOptions.chainId, chainOptions.distributor);
  const signer = new Signer(chainOptions.privateKey, domain);
  const { databaseUrl } = options;
  const db =
    databaseUrl === undefined
      ? await openDb(options.dataDir)
      : await openPostgres(databaseUrl, (message) => log('warn', 'database-connection-lost', { message }));
  const chain = openChain(chainOptions);
  try {
    const secret = await keptSecret(db, 'token-secret');
    const salt = await keptSecret(db, 'network-salt');
    const limits = workIn(options.catalogue).flatMap((entry) => [
      entry.limits.maxInputBytes,
      entry.limits.maxOutputBytes,
    ]);
    const context: Context = {
      options,
      networkId: keccakText(
        [chainOptions.chainId, chainOptions.distributor, signer.address, salt].join(' ').toLowerCase(),
      ),
      domain,
      db,
      blobs: await openBlobs(join(options.dataDir, 'blobs'), Math.max(0, ...limits), clock.now),
      chain,
      signer,
      tokens: new Tokens(Buffer.from(secret, 'hex')),
      changes: new Changes(),
      consumers: new Consumers({ db, options }),
    };
    const sessions = new Sessions(context);
    const webhooks = new WebhookSender(context);

    let broken: string | null = null;
    const app = await createApp(context, sessions);
    addRoutes(app, context, () => broken);
    addConsumerRoutes(app, context, (effects) => sessions.apply(effects));
    addBlobRoutes(app, context);
    const url = await listen(app, options);

    const complain = (event: string) => (error: unknown) => {
      const { code, message } = asFailure(error);
      log(code === 'CHAIN_AWAY' || code === 'TIMEOUT' ? 'warn' : 'error', event, { code, message });
    };
    const timers = [
      every(DEPOSITS_EVERY_MS, () => bookDeposits(db, chain, clock, log), complain('deposits-not-read')),
      every(Math.min(EXPIRY_EVERY_MS, options.leaseMs), () => sessions.expire(), complain('expiry-failed')),
      every(WEBHOOKS_EVERY_MS, () => webhooks.begin(), complain('webhooks-not-sent')),
      every(options.keepBlobsMs / 4, () => dropOldBlobs(context), complain('blobs-not-removed')),
      every(
        options.epochEveryMs,
        async () => {
          try {
            await closeEpoch(db, clock.now());
            await publishEpochs(db, chain, clock, log, (epoch, root) =>
              sessions.broadcast({ type: 'epoch', epoch, root }),
            );
            broken = null;
          } catch (error) {
            if (!isFailure(error, 'CHAIN_AWAY') && !isFailure(error, 'TIMEOUT')) broken = asFailure(error).message;
            throw error;
          }
        },
        complain('epoch-not-published'),
      ),
    ];
    log('info', 'coordinator-started', { url, networkId: context.networkId, coordinator: signer.address });

    return {
      url,
      network: networkInfo(context),
      async close() {
        await Promise.all(timers.map((timer) => timer.stop()));
        context.changes.close();
        await webhooks.close();
        await sessions.close();
        await app.close();
        chain.close();
        await db.close();
        log('info', 'coordinator-stopped', {});
      },
    };
  } catch (error) {
    chain.close();
    await db.close();
    throw error;
  }
}

async function listen(app: App, { host, port }: CoordinatorOptions): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    return fail('CONFLICT', `another program uses port ${port}`, { port }, error);
  }
}

/** A random secret made once for these books: 32 bytes in hex. */
async function keptSecret(db: Db, key: string): Promise<string> {
  return await db.tx(async (sql) => {
    const kept = await readMeta(sql, key);
    if (kept !== null) return kept;
    const fresh = randomBytes(32).toString('hex');
    await writeMeta(sql, key, fresh);
    return fresh;
  });
}
