import { z } from 'zod';
import { type CatalogueEntry, completeParams, findWorkload, priceOf } from '../core/catalogue.ts';
import { fail } from '../core/errors.ts';
import type { Hex32 } from '../core/primitives.ts';
import { digestOf, paramsHash } from '../core/typed-data.ts';
import type { JobView, jobRequest, Quote, quoteRequest } from '../core/wire.ts';
import type { Bearer } from './access.ts';
import type { Context } from './context.ts';
import { one, type Sql } from './db.ts';
import { insertJob } from './jobs.ts';
import { hold } from './ledger.ts';
import { sharesOf } from './shares.ts';
import { requireSigned } from './signing.ts';
import { maxCopies } from './verify.ts';
import { lookAtJob } from './views.ts';

/** What a job would cost. Throws BAD_INPUT for a workload, input or parameter that the catalogue does not allow. */
export function quoteFor({ options }: Context, asked: z.output<typeof quoteRequest>): Quote {
  const entry = requireEntry(options, asked.workload, asked.inputBytes);
  const params = completeParams(entry, asked.params);
  if (params === null) fail('BAD_INPUT', `${entry.id} has no such parameter or value`);
  const price = priceOf(entry, asked.inputBytes);
  const { pay } = sharesOf(price, options.feeBps ?? 0);
  return {
    ...{ price, pay, fee: price - pay },
    copies: options.replicas + 1,
    hold: price * BigInt(maxCopies(options.replicas)),
    params: { ...params },
  };
}

function requireEntry(options: Context['options'], id: string, inputBytes: number): CatalogueEntry {
  const { catalogue, release, clock } = options;
  if (release !== null && release.expiresAt <= clock.now()) {
    fail('REFUSED', 'the catalogue of this network is no longer valid, so no device would run it; try again later');
  }
  const entry = findWorkload(catalogue, id) ?? fail('BAD_INPUT', `the catalogue has no workload "${id}"`);
  if (inputBytes > entry.limits.maxInputBytes) {
    fail('BAD_INPUT', `${id} takes at most ${entry.limits.maxInputBytes} bytes of input`);
  }
  return entry;
}

/**
 * Takes a signed order: its digest is the job's id, so that the same order twice is one job. The money is held in the same
 * transaction. Throws UNAUTHORISED, BAD_INPUT, NOT_FOUND (input not uploaded), REFUSED (expired, too dear),
 * INSUFFICIENT_FUNDS.
 */
export async function order(context: Context, request: z.output<typeof jobRequest>): Promise<JobView> {
  const { db, domain, blobs, options } = context;
  const { value, signature } = request;
  requireSigned(domain, 'JobOrder', value, signature, value.consumer);
  const jobId = digestOf(domain, 'JobOrder', value);
  const existing = await lookAtJob(db, jobId);
  if (existing !== null) return existing;

  const now = options.clock.now();
  if (value.expiresAt <= now) fail('REFUSED', 'the order has expired; sign a new one');
  const entry = requireEntry(options, value.workload, value.inputBytes);
  const quote = quoteFor(context, { ...value, params: request.params });
  if (paramsHash(quote.params) !== value.paramsHash) fail('BAD_INPUT', 'the signed parameters are not the ones sent');
  if (quote.hold > value.maxPrice) {
    fail('REFUSED', `the job costs up to ${quote.hold} and the order allows ${value.maxPrice}; ask for a new quote`);
  }
  const stored = await blobs.size(value.inputHash);
  if (stored === null) fail('NOT_FOUND', 'upload the input before ordering', { inputHash: value.inputHash });
  if (stored !== value.inputBytes) fail('BAD_INPUT', `the input has ${stored} bytes, not ${value.inputBytes}`);

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
        ...{ pay: quote.pay, dust: sharesOf(quote.price, options.feeBps ?? 0).dust },
        hold: quote.hold,
        replicas: options.replicas,
        priority: 0,
      },
      now,
    );
    await hold(sql, value.consumer, jobId, quote.hold, now);
    return (await lookAtJob(sql, jobId)) ?? fail('INTERNAL', 'a job that was written is not there');
  });
  options.log('info', 'job', { jobId, workload: entry.id, hold: quote.hold.toString() });
  context.changes.work();
  return job;
}

const found = z.object({ found: z.number() });

/** A consumer reads inputs and outputs of its jobs; a device the inputs of its leases and its own outputs. */
export async function mayRead(sql: Sql, bearer: Bearer, sha256: Hex32): Promise<boolean> {
  const row =
    bearer.role === 'consumer'
      ? await one(
          sql,
          found,
          'SELECT 1 AS found FROM jobs WHERE consumer = $1 AND (input_hash = $2 OR output_hash = $2) LIMIT 1',
          [bearer.account, sha256],
        )
      : await one(
          sql,
          found,
          `SELECT 1 AS found FROM leases JOIN jobs ON jobs.job_id = leases.job_id
           WHERE device = $1 AND ((leases.state = 'held' AND input_hash = $2) OR leases.output_hash = $2) LIMIT 1`,
          [bearer.account, sha256],
        );
  return row !== null;
}
