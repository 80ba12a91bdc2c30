import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { insertJob } from '../../../coordinator/jobs.ts';
import { findLease, insertLeases } from '../../../coordinator/leases.ts';
import { account, hold } from '../../../coordinator/ledger.ts';
import { Overdue } from '../../../coordinator/overdue.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { newAccount } from '../../support/chain.ts';
import { WORKLOAD } from '../../support/network.ts';
import { randomHex32 } from '../../support/random.ts';
import { VerifyWorld } from '../../support/verify-world.ts';

/** More than are looked at in one go. */
const MANY = 201;
const HOLD = 3n;

describe('what cannot be taken back', () => {
  let world: VerifyWorld;
  beforeEach(async () => {
    world = await VerifyWorld.open(null);
  }, 60_000);
  afterEach(() => world.close());

  /** `kept`: whether the books have its hold; a job without it cannot end. */
  async function job(createdAt: number, kept: boolean): Promise<Hex32> {
    const jobId = randomHex32();
    const consumer = world.consumer.address;
    const what = { job_id: jobId, consumer, workload: WORKLOAD.id, version: '1.0.0', image: WORKLOAD.image } as const;
    const work = { lane: 'cpu', params: {}, input_hash: randomHex32(), input_bytes: 1 } as const;
    const money = { price: 1n, pay: 1n, dust: 0n, hold: HOLD, replicas: 1, priority: 0 } as const;
    await insertJob(world.db, { ...what, ...work, ...money }, createdAt);
    if (kept) await hold(world.db, consumer, jobId, HOLD, createdAt);
    return jobId;
  }

  async function lease(jobId: Hex32, deadline: number): Promise<Hex32> {
    const leaseId = randomHex32();
    const [device, owner] = [newAccount().address, newAccount().address];
    await insertLeases(world.db, [{ lease_id: leaseId, job_id: jobId, copy: 0, device, owner, deadline }], 1);
    return leaseId;
  }

  const stateOf = async (leaseId: Hex32) => (await findLease(world.db, leaseId))?.state;
  const said = () => world.logged.filter((line) => line.startsWith('not-taken-back')).length;

  it('keeps no lease that is overdue behind it, and is not forgotten', async () => {
    await world.db.exec(
      `CREATE FUNCTION refuse_lease() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''it is broken''; END'`,
    );
    await world.db.exec('CREATE TABLE broken (lease_id TEXT PRIMARY KEY)');
    await world.db.exec(
      `CREATE FUNCTION is_broken(id TEXT) RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT 1 FROM broken WHERE lease_id = id)'`,
    );
    await world.db.exec(
      `CREATE TRIGGER leases_refused BEFORE UPDATE ON leases FOR EACH ROW WHEN (is_broken(OLD.lease_id))
         EXECUTE FUNCTION refuse_lease()`,
    );
    const first = world.now - MANY - 10;
    const broken: Hex32[] = [];
    for (let n = 0; n < MANY; n++) broken.push(await lease(await job(world.now - 1_000, true), first + n));
    await world.db.exec('INSERT INTO broken SELECT unnest($1::text[])', [broken]);
    const sound = await lease(await job(world.now - 1_000, true), world.now - 1);

    await world.sessions.expire();
    world.now += 1_000;
    await world.sessions.expire();
    expect(await stateOf(sound)).toBe('gone');
    expect(said()).toBe(MANY);
    // As after a restart: what is written down has not passed them either.
    const found = await new Overdue().next(world.db, world.now);
    expect(found[0]?.lease_id).toBe(broken[0]);

    await world.db.exec('DELETE FROM broken');
    for (let n = 0; n < 2; n++) {
      world.now += 11_000;
      await world.sessions.expire();
    }
    expect(await Promise.all(broken.map(stateOf))).toEqual(broken.map(() => 'gone'));
  });

  it('keeps no job that is too old behind it', async () => {
    const long = world.now - 2 * world.context.options.keepJobsMs;
    for (let n = 0; n < MANY; n++) await job(long + n, false);
    const sound = await job(long + MANY, true);
    await world.sessions.expire();
    world.now += 1_000;
    await world.sessions.expire();
    expect(await world.count(`FROM jobs WHERE job_id = $1 AND state = 'failed'`, [sound])).toBe(1);
    expect(await world.balance(account.hold(sound))).toBe(0n);
    expect(said()).toBe(MANY);
  });
});
