import type { Context } from './context.ts';
import type { Effects } from './effects.ts';
import { forgetAgreed } from './extra-jobs.ts';
import { fundableJobs, isShort, topUp } from './funding.ts';
import { judgeLanes, returnBonds } from './lanes.ts';
import { rulesOf } from './results.ts';
import { settle } from './settle.ts';

/** What the network does for its own, one replica at a time. */

/** Times of it between two at which a lack of money is told. */
const TELL_EVERY = 60;

/** Pays for checks and judges lanes. */
export class House {
  readonly #context: Context;
  readonly #apply: (effects: Effects) => void;
  /** How often it was done here, and which lane was judged last when there were more. */
  #round = 0;
  #last: Awaited<ReturnType<typeof judgeLanes>>['last'] = null;

  constructor(context: Context, apply: (effects: Effects) => void) {
    this.#context = context;
    this.#apply = apply;
  }

  async keep(): Promise<void> {
    const { db, options, verification, signer, changes } = this.#context;
    if (verification === null) return;
    const tells = this.#round++ % TELL_EVERY === 0;
    await db.alone('lanes', async () => {
      const now = options.clock.now();
      await db.tx((sql) => topUp(sql, signer.address, now));
      const jobs = (await fundableJobs(db)).map((jobId) => ({ kind: 'look', jobId }) as const);
      if (jobs.length > 0) this.#apply(await db.tx((sql) => settle(sql, jobs, rulesOf(this.#context), now)));
      if (tells && (await isShort(db))) {
        const message = `results wait for their checks: deposit more for ${signer.address}`;
        options.log('warn', 'checks-not-paid', { message });
      }
      const { effects, work, last } = await judgeLanes(this.#context, this.#last);
      this.#last = last;
      this.#apply(effects);
      if (work) changes.work();
    });
  }
}

/** Seldom. */
export async function tidyHouse(context: Context): Promise<void> {
  const { db, verification } = context;
  if (verification === null) return;
  await db.alone('lanes', async () => {
    await returnBonds(context);
    await forgetAgreed(db);
  });
}
