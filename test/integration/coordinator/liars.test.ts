import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { account } from '../../../coordinator/ledger.ts';
import { lookAtJob } from '../../../coordinator/views.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { encodeWire, type Lease } from '../../../core/wire.ts';
import { HOUR_MS, PAY, POLICY, VerifyWorld } from '../../support/verify-world.ts';

let world: VerifyWorld;
afterEach(() => world.close());

describe('a device that lies once it is trusted', () => {
  it('is found, checked backwards and loses all that is not mature, with the books in balance', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    const [liar, ...others] = await world.standing(4);
    if (liar === undefined) expect.unreachable();
    await world.report();
    const earned = await world.balance(account.pending(liar.owner.address));
    expect(earned).toBeGreaterThan(0n);
    world.deceive(liar);
    await world.untilFound(liar);
    await world.resolve();
    expect(await world.suspected()).toBe(0);
    expect(await world.clawed(liar)).toBeGreaterThan(0);
    await world.report();
    await world.epoch();
    expect(await world.balance(account.pending(liar.owner.address))).toBe(0n);
    expect(await world.sum(`matured:${liar.owner.address}`)).toBe(0n);
    expect(await world.isTrusted(liar)).toBe(false);
    for (const other of others) expect(await world.clawed(other)).toBe(0);

    // It is given nothing for a while.
    const had = liar.leases.length;
    await world.order(12);
    await world.settle();
    expect(liar.leases).toHaveLength(had);
  }, 120_000);

  it('loses it also when the coordinator is killed between the bad result and the judgement', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    const [liar] = await world.standing(4);
    if (liar === undefined) expect.unreachable();
    await world.report();
    world.deceive(liar);
    world.judging = false;
    await world.untilFound(liar);
    expect(await world.suspected()).toBe(1);
    expect(await world.clawed(liar)).toBe(0);
    // Whoever lets mature what is due holds that lane, though nobody has judged it.
    world.now += 20 * HOUR_MS;
    await world.epoch();
    expect(await world.sum(`matured:${liar.owner.address}`)).toBe(0n);
    await world.restart();
    // It dies again in the midst of its judgement, as often as it comes to its last statement.
    const lost = await world.cutOff();
    expect(lost).toBeGreaterThan(0);
    expect(await world.suspected()).toBe(1);
    expect(await world.clawed(liar)).toBe(0);
    world.judging = true;
    await world.resolve();
    expect(await world.clawed(liar)).toBeGreaterThan(0);
    await world.report();
    await world.epoch();
    expect(await world.balance(account.pending(liar.owner.address))).toBe(0n);
  }, 120_000);
});

describe('a machine that errs once', () => {
  it('loses that one result and is paid for all the others', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    const [faulty] = await world.standing(4);
    if (faulty === undefined) expect.unreachable();
    await world.report();
    faulty.lies = () => faulty.lied.size === 0;
    await world.order(40);
    await world.settle();
    await world.resolve();
    const [fault] = faulty.lied;
    if (fault === undefined) expect.unreachable('it had no work');
    // Its one wrong result is looked at, whatever the draw said.
    await doubt(fault);
    await world.resolve();
    expect(await world.suspected()).toBe(0);
    await world.report();
    const owner = faulty.owner.address;
    const lost = await world.count(`FROM leases WHERE device = $1 AND state = 'rejected'`, [faulty.address]);
    const taken = await world.count(`FROM credits WHERE device = $1 AND state = 'clawed'`, [faulty.address]);
    expect(lost + taken).toBe(1);
    world.now += 60 * HOUR_MS;
    await world.epoch();
    const paid = (await world.sum(`matured:${owner}`)) + (await world.sum(`pending:${owner}`));
    const accepted = await world.count(`FROM leases WHERE device = $1 AND state = 'accepted'`, [faulty.address]);
    expect(accepted).toBeGreaterThan(4);
    expect(paid).toBe(PAY * BigInt(accepted - taken));
  }, 120_000);
});

describe('a lane that is held', () => {
  it('is let go when nothing of it is left to be checked, whoever took that away', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    const [device] = await world.standing(4);
    if (device === undefined) expect.unreachable();
    await world.report();
    const held = `UPDATE lanes SET suspicion = $2, judged = events WHERE device = $1`;
    await world.db.exec(held, [device.address, `0x${'5'.repeat(64)}`]);
    await world.resolve();
    expect(await world.suspected()).toBe(0);
    expect(await world.clawed(device)).toBe(0);
    // All of it was seen: what was not compared before was done again by others.
    expect(await world.count('FROM accruals WHERE device = $1 AND checked IS NULL', [device.address])).toBe(0);
    await world.report();
    world.now += 60 * HOUR_MS;
    await world.epoch();
    expect(await world.balance(account.matured(device.owner.address))).toBeGreaterThan(0n);
  }, 120_000);
});

/** As a bad result of the lane would, if the draw has not done so. */
async function doubt(leaseId: Hex32): Promise<void> {
  await world.db.exec(
    `UPDATE lanes SET suspicion = $1, events = events + 1 FROM accruals
     WHERE accruals.lease_id = $1 AND accruals.checked IS NULL AND accruals.device = lanes.device AND suspicion IS NULL`,
    [leaseId],
  );
}

describe('a canary', () => {
  it('differs in nothing from work, and goes to nobody who has seen its input', async () => {
    world = await VerifyWorld.open(POLICY);
    await world.fundChecks();
    const devices = await world.standing(6);
    await world.order(60);
    await world.settle();
    const canaries = await world.db.query(
      z.object({ job_id: z.string() }),
      'SELECT job_id FROM jobs WHERE known_copies = 2',
    );
    expect(canaries.length).toBeGreaterThan(0);
    const ids = new Set(canaries.map(({ job_id }) => job_id));
    const all = devices.flatMap(({ leases }) => leases);
    const isCanary = ({ jobId }: Lease) => ids.has(jobId);
    const shape = (lease: Lease) => {
      const { leaseId, jobId, inputHash, inputBytes, deadline, ...rest } = lease;
      for (const id of [leaseId, jobId, inputHash]) expect(id).toMatch(/^0x[0-9a-f]{64}$/);
      expect(deadline).toBeGreaterThan(0);
      expect(inputBytes).toBeGreaterThan(70);
      return encodeWire([Object.keys(lease), rest]);
    };
    expect(new Set(all.map(shape)).size).toBe(1);
    expect(all.some(isCanary) && !all.every(isCanary)).toBe(true);
    expect(new Set(all.map(({ jobId }) => jobId)).size).toBeGreaterThan(60);
    for (const device of devices) {
      const inputs = device.leases.map(({ inputHash }) => inputHash);
      expect(new Set(inputs).size).toBe(inputs.length);
    }
    // The raw messages have the same fields in the same order, too.
    const lines = devices.flatMap(({ heard }) => heard).filter((text) => text.includes('"type":"lease"'));
    const skeleton = (text: string) =>
      text.replaceAll(/0x[0-9a-f]{64}/g, 'id').replaceAll(/"(deadline|inputBytes)":\d+/g, '');
    expect(new Set(lines.map(skeleton)).size).toBe(1);

    // Whoever asks for the job by its id sees what he sees of work.
    const views = await Promise.all(
      all.map(async (lease) => ({ lease, view: await lookAtJob(world.db, lease.jobId) })),
    );
    const seen = (which: boolean) =>
      new Set(
        views.flatMap(({ lease, view }) =>
          isCanary(lease) === which && view !== null
            ? [JSON.stringify([Object.keys(view), view.state, view.hold.toString(), view.charged?.toString()])]
            : [],
        ),
      );
    expect(seen(true)).toEqual(seen(false));
    await world.report();
    await world.epoch();
  }, 120_000);
});
