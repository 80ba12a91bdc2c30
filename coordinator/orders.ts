import { z } from 'zod';
import type { BatchAnswer } from '../core/api-messages.ts';
import { type CatalogueEntry, completeParams, findWorkload, verifierOf } from '../core/catalogue.ts';
import { fail } from '../core/errors.ts';
import type { Hex32 } from '../core/primitives.ts';
import { digestOf, paramsHash } from '../core/typed-data.ts';
import type { JobView, jobRequest, Quote, quoteRequest } from '../core/wire.ts';
import type { Bearer } from './access.ts';
import { type Caller, may } from './callers.ts';
import type { Context } from './context.ts';
import { one, type Sql } from './db.ts';
import { insertJob } from './jobs.ts';
import { chargeKey } from './keys.ts';
import { HELD } from './leases.ts';
import { hold } from './ledger.ts';
import { detailOf, translate } from './problems.ts';
import { requireSigned } from './signing.ts';
import { tariffOf } from './tariff.ts';
import { maxCopies } from './verify.ts';
import { lookAtJob } from './views.ts';
import { addWebhook, requireWebhookUrl } from './webhooks.ts';

/** What a job would cost. Throws BAD_INPUT for a workload, input or parameter that the catalogue does not allow. */
export function quoteFor(context: Context, asked: z.output<typeof quoteRequest>): Quote {
  const entry = requireEntry(context, asked.workload, asked.inputBytes);
  const { options } = context;
  const params = completeParams(entry, asked.params);
  if (params === null) fail('BAD_INPUT', `${entry.id} has no such parameter or value`);
  const { price, pay } = tariffOf(options, entry, asked.inputBytes);
  return {
    ...{ price, pay, fee: price - pay },
    copies: options.replicas + 1,
    hold: price * BigInt(maxCopies(options.replicas)),
    params: { ...params },
  };
}

function requireEntry({ options, disabled }: Context, id: string, inputBytes: number): CatalogueEntry {
  const { catalogue, release, clock } = options;
  if (release !== null && release.expiresAt <= clock.now()) {
    fail('REFUSED', 'the catalogue of this network is no longer valid, so no device would run it; try again later');
  }
  const entry = findWorkload(catalogue, id) ?? fail('BAD_INPUT', `the catalogue has no workload "${id}"`);
  if (disabled.has({ workload: id, version: entry.version })) {
    fail('REFUSED', `${id} ${entry.version} is disabled in this network for now; its status page says why`);
  }
  if (inputBytes > entry.limits.maxInputBytes) {
    fail('BAD_INPUT', `${id} takes at most ${entry.limits.maxInputBytes} bytes of input`);
  }
  requireComparable(options, entry);
  return entry;
}

/** What could never be checked is not taken. */
function requireComparable({ catalogue, runVerifier }: Context['options'], entry: CatalogueEntry): void {
  if (entry.comparison === 'exact' || entry.comparison.kind !== 'verifier') return;
  if (verifierOf(catalogue, entry) === null) {
    fail(
      'REFUSED',
      `the verifier of ${entry.id} is missing from this network's catalogue, so nobody could check its results`,
    );
  }
  if (runVerifier === undefined) {
    fail(
      'REFUSED',
      `results of ${entry.id} are checked by a program of its own, and this coordinator has no engine to run it on; order it elsewhere, or ask its operator to configure one`,
    );
  }
}

/**
 * An order speaks for its consumer by its own signature, or by who sends it. What the signature does not cover needs the sender in
 * any case.
 */
function requireAuthority(
  { domain }: Context,
  { value, signature, webhook }: z.output<typeof jobRequest>,
  caller: Caller | null,
): void {
  const sender = caller?.role === 'consumer' && caller.account === value.consumer && may(caller, 'submit');
  if (signature !== undefined) requireSigned(domain, 'JobOrder', value, signature, value.consumer);
  else if (!sender)
    fail('UNAUTHORISED', 'sign the order, or send it with a token or key of its consumer that may submit');
  if (webhook !== undefined && !sender) fail('UNAUTHORISED', 'a webhook needs a token or key of the order’s consumer');
  // Else a key's cap could be passed with orders that somebody signed for it.
  if (caller?.key && !sender) fail('UNAUTHORISED', 'the API key may not order this');
}

/**
 * Takes an order: its digest is the job's id, so that the same order twice is one job. The money is held in the same
 * transaction. Throws UNAUTHORISED, BAD_INPUT, NOT_FOUND (input not uploaded), REFUSED (expired, too dear),
 * INSUFFICIENT_FUNDS.
 */
export async function order(
  context: Context,
  request: z.output<typeof jobRequest>,
  caller: Caller | null = null,
): Promise<JobView> {
  const { db, domain, blobs, options } = context;
  const { value } = request;
  requireAuthority(context, request, caller);
  const webhook =
    request.webhook === undefined ? null : requireWebhookUrl(request.webhook, options.loopbackWebhooks === true);
  const jobId = digestOf(domain, 'JobOrder', value);
  const existing = await lookAtJob(db, jobId);
  if (existing !== null) return existing;

  const now = options.clock.now();
  if (value.expiresAt <= now) fail('REFUSED', 'the order has expired; sign a new one');
  const entry = requireEntry(context, value.workload, value.inputBytes);
  const quote = quoteFor(context, { ...value, params: request.params });
  if (paramsHash(quote.params) !== value.paramsHash) fail('BAD_INPUT', 'the signed parameters are not the ones sent');
  if (quote.hold > value.maxPrice) {
    fail('REFUSED', `the job costs up to ${quote.hold} and the order allows ${value.maxPrice}; ask for a new quote`);
  }
  const stored = await blobs.size(value.inputHash);
  if (stored === null) fail('NOT_FOUND', 'upload the input before ordering', { inputHash: value.inputHash });
  if (stored !== value.inputBytes) fail('BAD_INPUT', `the input has ${stored} bytes, not ${value.inputBytes}`);
  await context.consumers.beforeOrder(value.consumer);

  const job = await db.tx(async (sql) => {
    const raced = await lookAtJob(sql, jobId);
    if (raced !== null) return raced;
    await insertJob(
      sql,
      {
        job_id: jobId,
        consumer: value.consumer,
        workload: entry.id,
        version: entry.version,
        image: entry.image,
        lane: entry.lane,
        params: quote.params,
        input_hash: value.inputHash,
        input_bytes: value.inputBytes,
        price: quote.price,
        ...{ pay: quote.pay, dust: tariffOf(options, entry, value.inputBytes).dust },
        hold: quote.hold,
        replicas: options.replicas,
        priority: 0,
      },
      now,
    );
    await hold(sql, value.consumer, jobId, quote.hold, now);
    if (webhook !== null) await addWebhook(sql, jobId, value.consumer, webhook);
    if (caller?.key) await chargeKey(sql, caller.key.id, jobId, quote.hold);
    return (await lookAtJob(sql, jobId)) ?? fail('INTERNAL', 'a job that was written is not there');
  });
  options.log('info', 'job', { jobId, workload: entry.id, hold: quote.hold.toString() });
  context.changes.work();
  return job;
}

const found = z.object({ found: z.number() });

/** Each for itself: what is wrong with one is said in its place, and the others go on. */
export async function orderMany(
  context: Context,
  requests: readonly z.output<typeof jobRequest>[],
  caller: Caller | null,
): Promise<BatchAnswer[]> {
  const answers: BatchAnswer[] = [];
  for (const request of requests) {
    try {
      answers.push({ ok: true, job: await order(context, request, caller) });
    } catch (error) {
      const failure = translate(error);
      if (failure.code === 'INTERNAL') context.options.log('error', 'order-failed', { message: failure.message });
      answers.push({ ok: false, code: failure.code, detail: detailOf(failure) });
    }
  }
  return answers;
}

/** A consumer reads inputs and outputs of its jobs; a device the inputs of its leases and its own outputs. */
export async function mayRead(sql: Sql, bearer: Bearer, sha256: Hex32): Promise<boolean> {
  const row =
    bearer.role === 'consumer'
      ? await one(sql, found, 'SELECT 1 AS found FROM readers WHERE account = $1 AND sha256 = $2', [
          bearer.account,
          sha256,
        ])
      : await one(
          sql,
          found,
          `SELECT 1 AS found FROM uploads WHERE account = $1 AND sha256 = $2 UNION ALL
           SELECT 1 FROM leases JOIN jobs USING (job_id) WHERE device = $1 AND ${HELD} AND input_hash = $2 LIMIT 1`,
          [bearer.account, sha256],
        );
  return row !== null;
}
