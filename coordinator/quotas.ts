import { z } from 'zod';
import { fail } from '../core/errors.ts';
import type { Address, UnixMs } from '../core/primitives.ts';
import { type Db, integerColumn, one, type Sql } from './db.ts';
import type { CoordinatorOptions } from './options.ts';
import { type Passage, RateLimit } from './rate-limit.ts';

/** What one consumer may ask of the coordinator. */
export type Quotas = {
  readonly maxOpenJobs: number;
  /** Requests at once, and a second after that. */
  readonly burst: number;
  readonly perSecond: number;
};
export const DEFAULT_QUOTAS: Quotas = { maxOpenJobs: 10_000, burst: 500, perSecond: 100 };

/** A count is believed for so long: other replicas take orders too. */
const BELIEVED_MS = 5_000;
const MAX_KNOWN = 10_000;

const counted = z.object({ open: integerColumn });

const countOpen = async (sql: Sql, consumer: Address, most: number): Promise<number> =>
  (
    await one(
      sql,
      counted,
      `SELECT COUNT(*) AS open FROM (
         SELECT 1 FROM queue WHERE consumer = $1 LIMIT $2) AS found`,
      [consumer, most],
    )
  )?.open ?? 0;

type Asked = { readonly db: Db; readonly options: CoordinatorOptions };

/** Keeps each consumer within its quotas. The number of open jobs is held to within what is ordered elsewhere in a few seconds. */
export class Consumers {
  readonly quotas: Quotas;
  readonly #context: Asked;
  readonly #rate: RateLimit;
  readonly #open = new Map<Address, { count: number; readonly at: UnixMs }>();

  constructor(context: Asked) {
    this.quotas = { ...DEFAULT_QUOTAS, ...context.options.quotas };
    this.#context = context;
    this.#rate = new RateLimit(this.quotas.burst, this.quotas.perSecond);
  }

  request(account: Address): Passage {
    return this.#rate.take(account, this.#context.options.clock.now());
  }

  /** Throws TOO_MANY when so many jobs of the consumer are open already that one more is too many. */
  async beforeOrder(consumer: Address): Promise<void> {
    const { db, options } = this.#context;
    const now = options.clock.now();
    const { maxOpenJobs } = this.quotas;
    const known = this.#open.get(consumer);
    if (known !== undefined && known.count < maxOpenJobs && now - known.at < BELIEVED_MS) {
      known.count += 1;
      return;
    }
    const open = await countOpen(db, consumer, maxOpenJobs);
    if (open >= maxOpenJobs) {
      const message = `${maxOpenJobs} of your jobs are open, and no more may be; order again when some are done`;
      fail('TOO_MANY', message, { retryAfter: 30 });
    }
    if (this.#open.size >= MAX_KNOWN) this.#open.clear();
    this.#open.set(consumer, { count: open + 1, at: now });
  }
}
