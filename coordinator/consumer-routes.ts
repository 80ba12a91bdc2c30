import { z } from 'zod';
import { API } from '../core/api.ts';
import { workIn } from '../core/catalogue.ts';
import { fail } from '../core/errors.ts';
import type { Address, Hex32 } from '../core/primitives.ts';
import type { JobView } from '../core/wire.ts';
import type { Context } from './context.ts';
import { amountColumn, integerColumn, one } from './db.ts';
import { HELD_FOR_DELIVERIES } from './delivery-rows.ts';
import type { Effects } from './effects.ts';
import { groupBy } from './group-by.ts';
import type { App } from './http.ts';
import { findJob, jobsBefore, viewOf } from './jobs.ts';
import { createKey, listKeys, revokeKey } from './keys.ts';
import { leasesOf } from './leases.ts';
import { account, balanceOf } from './ledger.ts';
import { openApiText } from './openapi.ts';
import { order, orderMany, quoteFor } from './orders.ts';
import { rulesOf } from './results.ts';
import { serve } from './router.ts';
import { settle } from './settle.ts';
import { keptBy } from './uploads.ts';
import { lookAtJob } from './views.ts';
import { enableWebhook, listWebhooks, nextSecretGeneration, secretGeneration } from './webhooks.ts';

/** What consumers order, look at and set. */
export function addConsumerRoutes(app: App, context: Context, apply: (effects: Effects) => void): void {
  const { db, options, tokens, disabled } = context;
  const now = () => options.clock.now();

  serve(app, context, API.openapi, async ({ request, reply }) =>
    reply
      .type('application/json; charset=utf-8')
      .send(openApiText(API_VERSION, `${request.protocol}://${request.host}`)),
  );

  serve(app, context, API.workloads, async () => ({
    workloads: workIn(options.catalogue)
      .filter(({ kind, id, version }) => kind === 'batch' && !disabled.has({ workload: id, version }))
      .map(({ id, version, title, lane, params, limits, price }) => {
        const { maxInputBytes, maxOutputBytes, seconds } = limits;
        const bounds = { maxInputBytes, maxOutputBytes, seconds };
        return { id, version, title, lane, params, limits: bounds, price, copies: options.replicas + 1 };
      }),
  }));

  serve(app, context, API.quote, async ({ body }) => quoteFor(context, body));
  serve(app, context, API.order, ({ body, caller }) => order(context, body, caller));
  serve(app, context, API.orderMany, async ({ body, caller }) => ({
    answers: await orderMany(context, body.orders, caller),
  }));

  serve(app, context, API.jobs, async ({ query: { state, limit, before }, caller }) => {
    const [createdAt, jobId = ''] = before?.split('.') ?? [];
    const from = createdAt === undefined ? null : { createdAt: Number(createdAt), jobId };
    // One more than is shown tells whether there is a next page.
    const rows = await jobsBefore(db, caller.account, state ?? null, from, limit + 1);
    const page = rows.slice(0, limit);
    const leases = groupBy(
      await leasesOf(
        db,
        page.map(({ job_id }) => job_id),
      ),
      ({ job_id }) => job_id,
    );
    const last = rows.length > limit ? page.at(-1) : undefined;
    return {
      jobs: page.map((row) => ({ ...viewOf(row, leases.get(row.job_id) ?? []), createdAt: row.created_at })),
      next: last === undefined ? null : `${last.created_at}.${last.job_id}`,
    };
  });

  serve(app, context, API.cancel, async ({ params: { id }, caller }) => {
    const { view, effects } = await cancel(context, id, caller.account);
    apply(effects);
    return view;
  });

  serve(app, context, API.account, async ({ caller }) => {
    const open = await one(
      db,
      openRow,
      `SELECT COUNT(*) AS jobs, (COALESCE(SUM(hold), 0) + (${HELD_FOR_DELIVERIES}))::text AS held FROM queue JOIN jobs USING (job_id)
       WHERE queue.consumer = $1`,
      [caller.account],
    );
    return {
      account: caller.account,
      deposit: await balanceOf(db, account.deposit(caller.account)),
      held: open?.held ?? 0n,
      openJobs: open?.jobs ?? 0,
      maxOpenJobs: context.consumers.quotas.maxOpenJobs,
      storedBytes: await keptBy(db, caller.account),
      maxStoredBytes: options.maxAccountBytes,
    };
  });

  serve(app, context, API.keys, async ({ caller }) => ({ keys: [...(await listKeys(db, caller.account))] }));
  serve(app, context, API.createKey, ({ body, caller }) => db.tx((sql) => createKey(sql, caller.account, body, now())));
  serve(app, context, API.revokeKey, ({ params, caller }) =>
    db.tx((sql) => revokeKey(sql, caller.account, params.id, now())),
  );

  const secretOf = (who: Address, generation: number) => ({ secret: tokens.webhookSecret(who, generation) });
  serve(app, context, API.webhooks, async ({ caller }) => ({ webhooks: await listWebhooks(db, caller.account) }));
  serve(app, context, API.enableWebhook, ({ body, caller }) =>
    db.tx((sql) => enableWebhook(sql, caller.account, body.url)),
  );
  serve(app, context, API.webhookSecret, async ({ caller }) =>
    secretOf(caller.account, await secretGeneration(db, caller.account)),
  );
  serve(app, context, API.renewWebhookSecret, async ({ caller }) =>
    secretOf(caller.account, await nextSecretGeneration(db, caller.account)),
  );
}

/** Of the interface, not of the program. */
const API_VERSION = '1.0.0';

const openRow = z.object({ jobs: integerColumn, held: amountColumn });

/** Cancelled again, or done in the meantime, it stays as it is. Throws NOT_FOUND for who did not order it, too. */
async function cancel(
  context: Context,
  jobId: Hex32,
  consumer: Address,
): Promise<{ readonly view: JobView; readonly effects: Effects }> {
  const { db, options } = context;
  return await db.tx(async (sql) => {
    const job = await findJob(sql, jobId);
    if (job === null || job.consumer !== consumer) fail('NOT_FOUND', 'you have no such job', { jobId });
    const effects = await settle(sql, [{ kind: 'cancel', jobId }], rulesOf(context), options.clock.now());
    return {
      view: (await lookAtJob(sql, jobId)) ?? fail('INTERNAL', 'a job that was cancelled is not there'),
      effects,
    };
  });
}
