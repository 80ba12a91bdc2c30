import { createHmac } from 'node:crypto';
import type { WebhookEvent } from '../core/api-messages.ts';
import { asFailure, fail } from '../core/errors.ts';
import type { Address } from '../core/primitives.ts';
import { encodeWire } from '../core/wire.ts';
import type { Context } from './context.ts';
import { type Lookup, lookupHost, postOutside } from './post.ts';
import { lookAtJob } from './views.ts';
import { claimDue, type Due, delivered, failedToDeliver, retryAt, secretGeneration } from './webhooks.ts';

/** Deliveries of one account under way at once: a slow receiver keeps its own account waiting and nobody else. */
const AT_ONCE = 8;
/** Longer than one delivery can take, or two replicas would send the same. */
const CLAIM_MS = 60_000;

/** Signs as Standard Webhooks (https://www.standardwebhooks.com) says: HMAC-SHA-256 over id, time in seconds and body. */
export function webhookHeaders(secret: string, id: string, nowMs: number, body: string): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const seal = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${seal}` };
}

type Needs = Pick<Context, 'db' | 'options' | 'tokens'>;

/** Sends word of jobs that are over, once or more: until it is received, for up to a day. */
export class WebhookSender {
  readonly #context: Needs;
  readonly #lookup: Lookup;
  readonly #ending = new AbortController();
  readonly #underWay = new Map<Address, number>();
  readonly #deliveries = new Set<Promise<void>>();

  constructor(context: Needs, lookup: Lookup = lookupHost) {
    this.#context = context;
    this.#lookup = lookup;
  }

  /** Begins with what is due; resolves before it has been sent. */
  async begin(): Promise<void> {
    const { db, options } = this.#context;
    const now = options.clock.now();
    for (const due of await db.tx((sql) => claimDue(sql, now, now + CLAIM_MS, AT_ONCE, this.#underWay))) {
      this.#count(due.account, 1);
      const delivery = this.#deliver(due)
        .catch((error: unknown) => options.log('error', 'webhook-lost', { message: asFailure(error).message }))
        .finally(() => {
          this.#count(due.account, -1);
          this.#deliveries.delete(delivery);
        });
      this.#deliveries.add(delivery);
    }
  }

  /** What is under way may end until then; the rest is claimed still, and goes out later. */
  async close(withinMs = 0): Promise<void> {
    const timer = setTimeout(() => this.#ending.abort(), withinMs);
    await Promise.all(this.#deliveries);
    clearTimeout(timer);
    this.#ending.abort();
    await Promise.all(this.#deliveries);
  }

  #count(account: Address, change: number): void {
    const count = (this.#underWay.get(account) ?? 0) + change;
    if (count === 0) this.#underWay.delete(account);
    else this.#underWay.set(account, count);
  }

  async #deliver(due: Due): Promise<void> {
    const { db, options } = this.#context;
    try {
      const status = await this.#post(due);
      if (status < 200 || status >= 300) fail('REFUSED', `it answered ${status}`);
      await delivered(db, due);
    } catch (error) {
      // It is claimed still, and goes out again when that ends.
      if (this.#ending.signal.aborted) return;
      const now = options.clock.now();
      const { message } = asFailure(error);
      const again = retryAt(due.attempts, now, Math.random());
      const disabled = await db.tx((sql) => failedToDeliver(sql, due, message, now, again));
      options.log(disabled ? 'warn' : 'info', disabled ? 'webhook-disabled' : 'webhook-failed', {
        jobId: due.job_id,
        account: due.account,
        attempts: due.attempts,
        message,
      });
    }
  }

  async #post(due: Due): Promise<number> {
    const { db, options, tokens } = this.#context;
    const job = (await lookAtJob(db, due.job_id)) ?? fail('INTERNAL', 'a webhook without a job');
    const type = job.state === 'done' ? 'job.done' : job.state === 'cancelled' ? 'job.cancelled' : 'job.failed';
    const event: WebhookEvent = { type, timestamp: new Date(due.first_at).toISOString(), data: job };
    const body = encodeWire(event);
    const secret = tokens.webhookSecret(due.account, await secretGeneration(db, due.account));
    return await postOutside({
      url: due.url,
      body,
      headers: webhookHeaders(secret, `msg_${due.job_id.slice(2)}`, options.clock.now(), body),
      lookup: this.#lookup,
      loopback: options.loopbackWebhooks === true,
      signal: this.#ending.signal,
    });
  }
}
