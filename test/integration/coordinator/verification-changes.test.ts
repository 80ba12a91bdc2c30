import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { insertLeases } from '../../../coordinator/leases.ts';
import { account } from '../../../coordinator/ledger.ts';
import { refundJob } from '../../../coordinator/refund.ts';
import { rulesOf } from '../../../coordinator/results.ts';
import { settle } from '../../../coordinator/settle.ts';
import { hex32 } from '../../../core/primitives.ts';
import { newAccount } from '../../support/chain.ts';
import { PRICE } from '../../support/network.ts';
import { randomHex32 } from '../../support/random.ts';
import { HOUR_MS, POLICY, VerifyWorld } from '../../support/verify-world.ts';

let world: VerifyWorld;
afterEach(() => world.close());

/** As after a restart with other options, with all that is under way. */
function turn(on: boolean, secret = 'kept'): void {
  Object.assign(world.context, { verification: on ? { policy: POLICY, secret } : null });
  Object.assign(world.context.options, { verification: on ? POLICY : null });
}

describe('verification that is turned off', () => {
  it('takes back for the network what the network paid for', async () => {
    world = await VerifyWorld.open(POLICY, 'kept');
    await world.fundChecks();
    const devices = [await world.device(), await world.device()];
    for (const device of devices) device.holds = true;
    const before = await world.balance(account.deposit(world.consumer.address));
    const checks = await world.balance(account.checks);
    const [jobId] = await world.order(1);
    if (jobId === undefined) expect.unreachable();
    await world.settle();
    devices.find(({ leases }) => leases.length > 0)?.release();
    await world.settle();
    expect(await world.balance(account.checks)).toBe(checks - PRICE);
    turn(false);
    for (const device of devices) device.release();
    await world.settle();
    await world.report();
    expect(await world.count('FROM credits WHERE by_checks')).toBe(1);
    await world.db.tx((sql) => refundJob(sql, world.context.signer, jobId, 'a test', world.now));
    expect(await world.balance(account.deposit(world.consumer.address))).toBe(before);
    expect(await world.balance(account.checks)).toBe(checks);
    expect(await world.count('FROM jobs WHERE charged < 0')).toBe(0);
    await world.epoch();
  });

  it('lets go of a lane whose rechecks ended meanwhile, once it is on again', async () => {
    world = await VerifyWorld.open(POLICY, 'kept');
    await world.fundChecks();
    const devices = await world.standing(4);
    await world.report();
    const [suspected] = devices;
    if (suspected === undefined) expect.unreachable();
    await suspect(suspected.address);
    for (const device of devices) device.holds = true;
    await world.sessions.verify();
    await world.settle();
    expect(await openRechecks()).toBeGreaterThan(0);
    turn(false);
    for (const device of devices) device.release();
    await world.settle();
    expect(await openRechecks()).toBe(0);
    expect(await world.count(UNTOLD)).toBe(0);
    turn(true);
    for (let rounds = 0; (await world.suspected()) > 0 && rounds < 20; rounds++) await world.settle();
    expect(await world.suspected()).toBe(0);
    expect(await world.clawed(suspected)).toBe(0);
    await world.report();
    world.now += 60 * HOUR_MS;
    await world.epoch();
    expect(await world.count('FROM credit_holds')).toBe(0);
  }, 120_000);
});

describe('two devices of one owner', () => {
  it('confirm nothing to each other, though a replica that knew less gave the second a copy', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    const owner = newAccount();
    const [one, two] = [await world.device({ owner }), await world.device({ owner })];
    const [jobId] = await world.order(1);
    if (jobId === undefined) expect.unreachable();
    await world.settle();
    const [had, not] = one.leases.length > 0 ? [one, two] : [two, one];
    const lease = { lease_id: randomHex32(), job_id: jobId, copy: 1, deadline: world.now * 2 };
    const by = { device: not.address, owner: not.owner.address };
    await insertLeases(world.db, [{ ...lease, ...by, network: 'another line' }], world.now);
    await world.db.exec(
      `UPDATE leases SET state = 'finished', output_hash = had.output_hash, output_bytes = had.output_bytes
       FROM leases AS had WHERE had.device = $1 AND leases.lease_id = $2`,
      [had.address, lease.lease_id],
    );
    const look = { kind: 'look', jobId } as const;
    await world.db.tx((sql) => settle(sql, [look], rulesOf(world.context), world.now));
    expect(await world.count(`FROM leases WHERE state = 'finished'`)).toBe(2);
    expect(await world.count(`FROM jobs WHERE state = 'queued'`)).toBe(1);
    await world.device();
    await world.settle();
    expect(await world.count(`FROM leases WHERE state = 'accepted'`)).toBe(3);
    // Of the pair each had one partner, the stranger; he had one, though there were two copies.
    expect(await world.count('FROM trust WHERE valid = 1')).toBe(3);
    expect(await world.count('FROM trust WHERE partners LIKE $1', [`%${one.owner.address}%`])).toBe(1);
    await world.epoch();
  });
});

describe('a job of the network’s own', () => {
  it('costs and pays what an order of its input would now, whatever its origin did', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    const devices = [...(await world.standing(4)), await world.device()];
    const before = devices.map(({ leases }) => leases.length);
    Object.assign(world.context.options, { feeBps: 1000 });
    const pay = (PRICE * 85n) / 100n;
    for (let tries = 0; tries < 4; tries++) {
      await world.order(40);
      await world.settle();
    }
    const [suspected] = devices;
    if (suspected === undefined) expect.unreachable();
    await suspect(suspected.address);
    for (let rounds = 0; (await world.suspected()) > 0 && rounds < 20; rounds++) await world.settle();
    const sent = devices.flatMap(({ leases }, at) => leases.slice(before[at]));
    const own = `FROM jobs WHERE about IS NOT NULL AND pay = $1::numeric AND job_id = ANY ($2::text[])`;
    const params = [pay.toString(), sent.map(({ jobId }) => jobId)] as const;
    expect(await world.count(`${own} AND suspect IS NULL`, params)).toBeGreaterThan(0);
    expect(await world.count(`${own} AND suspect IS NOT NULL`, params)).toBeGreaterThan(0);
    expect(new Set(sent.map(({ price }) => price))).toEqual(new Set([pay]));
    await world.report();
    await world.epoch();
  }, 120_000);

  it('goes to no device of who ordered its input, however many canaries that could fill', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    const own = await world.device({ owner: world.consumer });
    const others = await world.standing(3);
    for (let tries = 0; tries < 4; tries++) {
      await world.order(40);
      await world.settle();
    }
    expect(await world.isTrusted(own)).toBe(true);
    expect(own.leases.length).toBeGreaterThan(20);
    const canaries = 'FROM leases JOIN jobs USING (job_id) WHERE about IS NOT NULL AND device = ANY ($1::text[])';
    expect(await world.count(canaries, [others.map(({ address }) => address)])).toBeGreaterThan(0);
    expect(await world.count(canaries, [[own.address]])).toBe(0);
  }, 120_000);
});

describe('a recheck that ends without an answer', () => {
  it('says nothing of its suspect, is tried again, and in the end nobody is paid or struck for it', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    const devices = await world.standing(4);
    await world.order(20);
    await world.settle();
    await world.report();
    const [suspected] = devices;
    if (suspected === undefined) expect.unreachable();
    const right = 'FROM accruals WHERE device = $1 AND checked IS NOT NULL';
    const open = 'FROM accruals WHERE device = $1 AND checked IS NULL';
    await suspect(suspected.address);
    const known = await world.count(right, [suspected.address]);
    const doubted = await world.count(open, [suspected.address]);
    expect(doubted).toBeGreaterThan(0);
    for (const device of devices) device.holds = true;
    let rounds = 0;
    for (; (await world.suspected()) > 0 && rounds < 40; rounds++) {
      await world.sessions.verify();
      await endRechecks();
      expect(await world.count(right, [suspected.address])).toBe(known);
    }
    expect(rounds).toBeGreaterThanOrEqual(3);
    expect(await world.suspected()).toBe(0);
    expect(await world.count(open, [suspected.address])).toBe(0);
    expect(await world.count(`FROM jobs WHERE suspect IS NOT NULL AND state = 'failed'`)).toBe(3 * doubted);
    const lost = await world.count(`FROM credits WHERE device = $1 AND state = 'clawed'`, [suspected.address]);
    expect(lost).toBe(doubted);
    expect(await world.count('FROM conduct WHERE bad > 0')).toBe(0);
    expect(await world.isTrusted(suspected)).toBe(true);
    world.now += 60 * HOUR_MS;
    await world.epoch();
    expect(await world.count('FROM credit_holds')).toBe(0);
  }, 120_000);
});

/** As if nobody had done them for too long. */
async function endRechecks(): Promise<void> {
  const rows = await world.db.query(
    z.object({ job_id: hex32 }),
    `SELECT job_id FROM jobs WHERE suspect IS NOT NULL AND state = 'queued'`,
  );
  const aged = rows.map(({ job_id: jobId }) => ({ kind: 'age', jobId, before: world.now * 2 }) as const);
  await world.db.tx((sql) => settle(sql, aged, rulesOf(world.context), world.now));
}

const UNTOLD = 'FROM accruals JOIN jobs ON jobs.suspect = accruals.lease_id WHERE checked IS NULL';
const openRechecks = (): Promise<number> => world.count(`FROM jobs WHERE suspect IS NOT NULL AND state = 'queued'`);

/** As a bad result of the lane would, with two others of it that were not compared. */
async function suspect(device: string): Promise<void> {
  await world.db.exec(
    `UPDATE accruals SET checked = NULL FROM (SELECT lease_id FROM accruals WHERE device = $1 ORDER BY ordinal DESC LIMIT 2) AS last
     WHERE accruals.lease_id = last.lease_id`,
    [device],
  );
  await world.db.exec('UPDATE lanes SET suspicion = $2, judged = events WHERE device = $1', [
    device,
    `0x${'5'.repeat(64)}`,
  ]);
}
