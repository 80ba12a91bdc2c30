import { afterEach, describe, expect, it } from 'vitest';
import { account } from '../../../coordinator/ledger.ts';
import { sumTotals } from '../../../coordinator/totals.ts';
import { sum } from '../../../core/money.ts';
import { newAccount } from '../../support/chain.ts';
import { PRICE } from '../../support/network.ts';
import { HOUR_MS, PAY, POLICY, VerifyWorld } from '../../support/verify-world.ts';

let world: VerifyWorld;
afterEach(() => world.close());

describe('a result', () => {
  it('of a new device waits for another owner’s, and the second copy is paid by the network', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    const [one, two] = [await world.device(), await world.device()];
    const before = await world.balance(account.checks);
    const [jobId = ''] = await world.order(1);
    await world.settle();
    expect([one.verdicts, two.verdicts].flat().map(({ kind }) => kind)).toEqual(['accepted', 'accepted']);
    expect(await world.count('FROM leases WHERE job_id = $1', [jobId])).toBe(2);
    expect(before - (await world.balance(account.checks))).toBe(PRICE);
    expect(await world.count(`FROM jobs WHERE job_id = $1 AND hold = charged`, [jobId])).toBe(1);
    await world.report();
    await world.epoch();
  });

  it('is given to nobody else before it has come', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    const [one, two] = [await world.device(), await world.device()];
    for (const device of [one, two]) device.holds = true;
    await world.order(1);
    await world.settle();
    expect(one.leases.length + two.leases.length).toBe(1);
    for (const device of [one, two]) device.release();
    await world.settle();
    expect([one.leases.length, two.leases.length]).toEqual([1, 1]);
  });

  it('of a trusted device stands at once, and is compared now and then', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    await world.standing(4);
    await world.report();
    // With much at stake the record alone says how often.
    await world.db.exec('UPDATE lanes SET earned = earned * 1000');
    const jobs = await world.order(120);
    await world.settle();
    const twice = await world.count(
      'FROM (SELECT job_id FROM leases WHERE job_id = ANY ($1::text[]) GROUP BY job_id HAVING COUNT(*) > 1) AS twice',
      [jobs],
    );
    expect(twice).toBeGreaterThan(0);
    expect(twice).toBeLessThan(80);
    expect(await world.count(`FROM jobs WHERE state = 'done' AND job_id = ANY ($1::text[])`, [jobs])).toBe(120);
  });

  it('of ten identities of one owner, or on one line, is confirmed by none of them', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    const owner = newAccount();
    for (let n = 0; n < 5; n++) await world.device({ owner, network: 'line 0' });
    for (let n = 0; n < 5; n++) await world.device({ network: 'line 0' });
    await world.order(3);
    await world.settle();
    expect(await world.count(`FROM leases WHERE state = 'accepted'`)).toBe(0);
    expect(await world.count(`FROM leases WHERE state = 'finished'`)).toBe(3);
    expect(await world.count('FROM trust WHERE valid > 0')).toBe(0);
    await world.device({ network: 'another line' });
    await world.settle();
    expect(await world.count(`FROM leases WHERE state = 'accepted'`)).toBe(6);
  });

  it('waits while the network cannot pay for its check, and no longer', async () => {
    world = await VerifyWorld.open(POLICY);
    const [one, two] = [await world.device(), await world.device()];
    const jobs = await world.order(3);
    await world.settle();
    expect(await world.count(`FROM leases WHERE state = 'finished'`)).toBe(3);
    expect(await world.count('FROM leases')).toBe(3);
    await world.fundChecks(2n * PRICE);
    await world.settle();
    expect(await world.count(`FROM jobs WHERE state = 'done'`)).toBe(2);
    expect(await world.balance(account.checks)).toBe(0n);
    await world.fundChecks(PRICE);
    await world.settle();
    expect(await world.count(`FROM jobs WHERE state = 'done' AND job_id = ANY ($1::text[])`, [jobs])).toBe(3);
    expect(await world.count('FROM underfunded')).toBe(0);
    expect(one.leases.length + two.leases.length).toBe(6);
    await world.report();
    await world.epoch();
  });

  it('stands as ordered where there is no policy, and a single owner earns', async () => {
    world = await VerifyWorld.open(null);
    const device = await world.device({ network: null });
    await world.order(5);
    await world.settle();
    await world.report();
    await world.epoch();
    expect(await world.balance(account.matured(device.owner.address))).toBe(5n * PRICE);
    for (const table of ['trust', 'conduct', 'lanes', 'accruals', 'agreed']) {
      expect(await world.count(`FROM ${table}`)).toBe(0);
    }
  });
});

describe('credit', () => {
  it('matures by later work of its lane and by age, but the bond not by age', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    const devices = await world.standing(4);
    await world.report();
    world.now += HOUR_MS;
    await world.epoch();
    // Nobody has done forty more.
    expect(await world.count('FROM lanes WHERE latest > 40')).toBe(0);
    expect(await world.sum('matured:%')).toBe(0n);
    world.now += 48 * HOUR_MS;
    await world.epoch();
    const bonds = await world.count('FROM accruals');
    expect(bonds).toBe(devices.length);
    expect(await world.sum('pending:%')).toBe(PAY * BigInt(bonds));
    expect(await world.sum('hold:%')).toBe((PRICE - PAY) * BigInt(bonds));
    await world.order(150);
    await world.settle();
    await world.report();
    world.now += 2 * HOUR_MS;
    await world.epoch();
    expect(await world.count('FROM accruals WHERE ordinal = 1')).toBe(0);
    expect(await world.sum('pending:%')).toBeGreaterThan(0n);
  });

  it('of which receipts and ledger say different things stops the root', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    await world.standing(4);
    await world.report();
    world.now += 49 * HOUR_MS;
    await world.db.exec('CREATE TABLE kept AS SELECT report_hash, terms FROM receipts');
    // A bond that is said to mature by its age; one that is said to need less work than it does.
    for (const change of [
      `replace(terms, '"maturesAt":', '"maturesAt":1,"was":')`,
      `replace(replace(terms, '"earlyAt":', '"earlyAt":1,"was":'), '"needs":', '"needs":1,"had":')`,
    ]) {
      await world.db.exec(`UPDATE receipts SET terms = ${change}`);
      await expect(world.epoch()).rejects.toMatchObject({ code: 'INTERNAL' });
      await world.db.exec(
        'UPDATE receipts SET terms = kept.terms FROM kept WHERE kept.report_hash = receipts.report_hash',
      );
    }
    await world.epoch();
    expect(await world.sum('matured:%')).toBeGreaterThan(0n);
  });

  it('and all else adds up to nothing in the sums that everybody is shown, with what checks are paid from', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    const totals = await sumTotals(world.db);
    expect(totals.checks).toBeGreaterThan(0n);
    expect(totals.checks).toBe(await world.balance(account.checks));
    expect(sum(Object.values(totals))).toBe(0n);
  });

  it('that is a bond somebody left behind goes back', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    const [one] = [await world.device(), await world.device()];
    await world.order(1);
    await world.settle();
    await one.report();
    const paid = await world.sum('deposit:%');
    const checks = await world.balance(account.checks);
    world.now += POLICY.faults.memoryMs + HOUR_MS;
    await world.sessions.tidy();
    await world.epoch();
    expect(await world.count('FROM accruals')).toBe(0);
    expect(await world.sum('deposit:%')).toBe(paid + PRICE);
    expect(await world.balance(account.checks)).toBe(checks + PRICE);
    expect(await world.sum('hold:%')).toBe(0n);
    expect(await world.sum('pending:%')).toBe(0n);
  });
});

describe('a lane under suspicion', () => {
  it('has its turn, however many there are before it that cannot be judged', async () => {
    world = await VerifyWorld.open(POLICY);
    const device = await world.device();
    // Of no device that is enrolled: none of these is ever judged.
    await world.db.exec(
      `INSERT INTO lanes (device, lane, latest, earned, suspicion, events)
       SELECT '0x' || lpad(n::text, 40, '0'), 'cpu', 0, 0, '0x' || repeat('0', 64), 1 FROM generate_series(1, 250) AS n`,
    );
    await world.db.exec(
      `INSERT INTO lanes (device, lane, latest, earned, suspicion, events) VALUES ($1, 'cpu', 0, 0, $2, 1)`,
      [device.address, `0x${'0'.repeat(64)}`],
    );
    for (let round = 0; round < 3; round++) await world.sessions.verify();
    expect(await world.suspected()).toBe(250);
    // And then it is the first ones' turn again.
    await world.db.exec(`UPDATE lanes SET suspicion = NULL WHERE device > '0x' || lpad('1', 40, '0')`);
    const tried = () => world.logged.filter((line) => line.startsWith('lane-not-judged')).length;
    const before = tried();
    await world.sessions.verify();
    expect(tried()).toBe(before + 1);
  });
});
