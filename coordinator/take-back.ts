import { asFailure } from '../core/errors.ts';
import type { Hex32, UnixMs } from '../core/primitives.ts';
import type { Context } from './context.ts';
import type { Effects } from './effects.ts';
import type { Happening } from './happenings.ts';
import { agedJobs } from './jobs.ts';
import { Overdue } from './overdue.ts';
import { Resting } from './resting.ts';
import { rulesOf } from './results.ts';
import { settle } from './settle.ts';

export const DEADLINE_PASSED = 'the deadline passed';

const JOBS_AT_ONCE = 200;

/** Takes back every lease whose deadline has passed, and gives up jobs that nobody did for too long. */
export class TakeBack {
  readonly #context: Context;
  readonly #apply: (effects: Effects) => void;
  readonly #overdue = new Overdue();
  readonly #jobs = new Resting();

  constructor(context: Context, apply: (effects: Effects) => void) {
    this.#context = context;
    this.#apply = apply;
  }

  /** One that cannot be settled is told and rests for a while: it must not keep all others. Throws DATABASE_AWAY. */
  async run(now: UnixMs): Promise<void> {
    const { db, options } = this.#context;
    for (const { lease_id: leaseId, device } of await this.#overdue.next(db, now)) {
      const lost = { kind: 'loss', leaseId, why: DEADLINE_PASSED, loss: 'attempt' } as const;
      await this.#orRest(this.#overdue.resting, leaseId, now, lost, (effects) => {
        // Its result came in the meantime: a cancellation would make the device throw away what it is owed.
        if (effects.jobs.size === 0) return;
        effects.messages.push({ device, message: { type: 'cancel', leaseId, reason: DEADLINE_PASSED } });
        options.log('info', 'lease-expired', { leaseId, device });
        this.#apply(effects);
      });
    }
    const before = now - options.keepJobsMs;
    for (const jobId of this.#jobs.others(await agedJobs(db, before, JOBS_AT_ONCE + this.#jobs.count(now)))) {
      await this.#orRest(this.#jobs, jobId, now, { kind: 'age', jobId, before }, (effects) => {
        if (effects.jobs.size > 0) options.log('info', 'job-given-up', { jobId });
        this.#apply(effects);
      });
    }
  }

  async #orRest(resting: Resting, id: Hex32, now: UnixMs, happening: Happening, then: (effects: Effects) => void) {
    const { db, options } = this.#context;
    try {
      then(await db.tx((sql) => settle(sql, [happening], rulesOf(this.#context), now)));
    } catch (error) {
      const { code, message } = asFailure(error);
      if (code === 'DATABASE_AWAY') throw error;
      resting.add(id, now);
      options.log('error', 'not-taken-back', { kind: happening.kind, id, code, message });
    }
  }
}
