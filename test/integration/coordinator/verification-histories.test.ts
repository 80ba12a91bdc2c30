import { afterEach, describe, expect, it } from 'vitest';
import { account } from '../../../coordinator/ledger.ts';
import { Random } from '../../support/sim/random.ts';
import type { WorldDevice } from '../../support/verify-device.ts';
import { HOUR_MS, POLICY, VerifyWorld } from '../../support/verify-world.ts';

let world: VerifyWorld;
afterEach(() => world.close());

/** What must hold whenever nothing is under way. */
async function check(): Promise<void> {
  // Both calculators, and the sum of every account.
  await world.epoch();
  // What a lane has at stake is what of it is not mature.
  const lame = `FROM lanes LEFT JOIN lane_cuts USING (device, lane)
    LEFT JOIN (SELECT device, lane, SUM(amount) AS amount FROM accruals GROUP BY device, lane) AS own USING (device, lane)
    WHERE earned - COALESCE(released, 0) <> COALESCE(own.amount, 0)`;
  expect(await world.count(lame)).toBe(0);
  // No owner and no line had one input twice.
  for (const party of ['owner', 'network']) {
    const twice = `FROM (SELECT 1 FROM leases JOIN jobs USING (job_id) WHERE leases.state <> 'gone' AND leases.${party} IS NOT NULL
      GROUP BY COALESCE(about, job_id), leases.${party} HAVING COUNT(*) > 1) AS twice`;
    expect(await world.count(twice)).toBe(0);
  }
  // A consumer pays what its jobs were charged, and none more than its hold.
  expect(await world.count(`FROM jobs WHERE charged > hold OR charged < 0`)).toBe(0);
  // What is over has in its hold what is accepted and not yet reported or mature, and nothing else.
  const holds = `FROM jobs LEFT JOIN accounts ON account = 'hold:' || job_id
    LEFT JOIN (
      SELECT accruals.job_id, SUM(CASE WHEN credits.lease_id IS NULL THEN price ELSE fee + credits.dust END) AS left_there
      FROM accruals JOIN jobs USING (job_id) LEFT JOIN credits ON credits.lease_id = accruals.lease_id GROUP BY 1
    ) AS own USING (job_id)
    WHERE state <> 'queued' AND COALESCE(balance, 0) <> COALESCE(left_there, 0)`;
  expect(await world.count(holds)).toBe(0);
}

describe('some hundred jobs of honest and lying devices, with kills and jumps of time', () => {
  it.each([1, 2, 3])(
    'keep the books, and leave the honest with more than the liars (seed %i)',
    async (seed) => {
      const random = new Random(seed, 'verification');
      world = await VerifyWorld.open(POLICY);
      await world.fundChecks();
      const start = await world.sum('deposit:%');
      const honest: WorldDevice[] = [];
      for (let n = 0; n < 5; n++) honest.push(await world.device());
      const liars = [
        await world.device({ lies: () => true }),
        await world.device({ lies: () => random.chance(0.3) }),
        // Only what is not looked at on probation.
        await world.device(),
      ];
      const sleeper = liars[2];
      for (let step = 0; step < 12; step++) {
        await world.order(10 + random.below(25));
        if (step === 4 && sleeper !== undefined) sleeper.lies = () => true;
        if (random.chance(0.2)) world.judging = false;
        await world.settle();
        if (random.chance(0.3)) await world.restart();
        world.judging = true;
        if (random.chance(0.8)) await world.report();
        world.now += random.below(6) * HOUR_MS;
        if (random.chance(0.5)) await check();
      }
      const waiting = () => world.count(`FROM jobs WHERE state = 'queued'`);
      await world.resolve();
      await world.settle();
      await world.report();
      await check();
      expect(await world.suspected()).toBe(0);
      // A check that everybody honest has had is nobody's any more: it ends with its time, and by nothing else.
      expect(await world.unseen(honest), await world.tell()).toEqual([]);
      for (let days = 0; days < 4 && (await waiting()) > 0; days++) {
        world.now += 24 * HOUR_MS;
        await world.settle();
      }
      await world.report();
      await check();
      expect(await waiting(), await world.tell()).toBe(0);

      world.now += 60 * HOUR_MS;
      await check();
      const spent = start - (await world.balance(account.deposit(world.consumer.address)));
      expect(spent).toBe(await world.charged());
      const payOf = ({ owner }: WorldDevice) => world.balance(account.matured(owner.address));
      const fair = (await Promise.all(honest.map(payOf))).reduce((a, b) => a + b) / BigInt(honest.length);
      for (const device of honest) expect(await world.clawed(device)).toBe(0);
      for (const liar of liars) expect(await payOf(liar)).toBeLessThan(fair);
    },
    240_000,
  );
});
