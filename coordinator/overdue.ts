import type { UnixMs } from '../core/primitives.ts';
import type { Sql } from './db.ts';
import { type LeaseRow, OVER_KEY, overdue } from './leases.ts';
import { readMeta, writeMeta } from './meta.ts';
import { Resting } from './resting.ts';

/** How often it is written down how far was looked. */
const KEEP_EVERY_MS = 60_000;
const AT_ONCE = 200;

/**
 * Finds leases that are held behind their deadline without an index of what is held: every lease with a deadline before a time is
 * over, and only what lies behind that time is looked at. Clocks of replicas must agree to within the time of a lease.
 */
export class Overdue {
  /** Those that could not be taken back. They are not over, so the time before which all are does not pass them. */
  readonly resting = new Resting();
  #over: UnixMs | null = null;
  #kept: UnixMs = 0;

  /** The first of them; they are looked at again until they are over. */
  async next(sql: Sql, now: UnixMs): Promise<readonly LeaseRow[]> {
    if (this.#over === null) {
      this.#kept = Number((await readMeta(sql, OVER_KEY)) ?? 0);
      this.#over = this.#kept;
    }
    // A clock that was set back gives out leases that are due earlier than what was looked at.
    if (this.#over > now) this.#over = 0;
    const found = await overdue(sql, this.#over, now, AT_ONCE + this.resting.count(now));
    const [first] = found;
    this.#over = (first?.deadline ?? now) - 1;
    if (Math.abs(this.#over - this.#kept) >= KEEP_EVERY_MS) {
      await writeMeta(sql, OVER_KEY, String(this.#over));
      this.#kept = this.#over;
    }
    return found.filter(({ lease_id: leaseId }) => !this.resting.has(leaseId));
  }
}
