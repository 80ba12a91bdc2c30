import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AdminAction } from '../../../core/admin.ts';
import { adminAnswer, shownActions } from '../../../core/admin.ts';
import { parseTokens } from '../../../core/money.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { encodeWire, problemDetails } from '../../../core/wire.ts';
import { adminOrder } from '../../support/admin.ts';
import { type Account, newAccount } from '../../support/chain.ts';
import { post, type TestConsumer, TestDevice } from '../../support/device.ts';
import { earn } from '../../support/earn.ts';
import { PRICE, TestNetwork, WORKLOAD } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

const HOUR = 3_600_000;
/** 8 % of the price. */
const FEE = (PRICE * 8n) / 100n;
const INPUT = Buffer.from('in');

describe('an admin', () => {
  const admin = newAccount();
  let network: TestNetwork;
  let ahead = 0;
  beforeAll(async () => {
    network = await TestNetwork.start({
      ...{ admins: [admin.address], feeBps: 800, maturityMs: HOUR, leaseMs: 10 * HOUR },
      clock: { now: () => Date.now() + ahead },
    });
  }, 60_000);
  afterAll(() => network.stop());

  type Change = { readonly by?: Account; readonly issuedAt?: number; readonly networkId?: Hex32 };
  const signed = (action: AdminAction, subject: string, why: string, { by = admin, ...change }: Change = {}) =>
    adminOrder(network.coordinator.network, by, { action, subject, why, issuedAt: Date.now() + ahead, ...change });
  const send = (body: unknown) => post(`${network.url}/v1/admin/actions`, body);
  async function ask(action: AdminAction, subject: string, why = 'a test') {
    const response = await send(await signed(action, subject, why));
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return adminAnswer.parse(JSON.parse(text));
  }
  async function refused(body: unknown) {
    return problemDetails.parse(await (await send(body)).json());
  }
  async function cancel(consumer: TestConsumer, jobId: Hex32): Promise<void> {
    const headers = { authorization: `Bearer ${consumer.token}` };
    const done = await fetch(`${network.url}/v1/jobs/${jobId}/cancel`, { method: 'POST', headers });
    expect(done.status).toBe(200);
  }
  const log = async () => shownActions.parse(await (await fetch(`${network.url}/v1/admin/actions`)).json()).actions;
  const quote = () => post(`${network.url}/v1/quotes`, { workload: 'echo', inputBytes: 3, params: {} });
  const fees = async () => BigInt((await ask('recount', '')).result['fees'] ?? 'none');

  it('is whom the coordinator names, by a signature for this network and this moment; nothing else is done or kept', async () => {
    const before = await log();
    const stranger = newAccount();
    const subject = 'echo@1.0.0';
    expect(await refused(await signed('disable', subject, 'x', { by: stranger }))).toMatchObject({ status: 401 });
    expect(await refused(await signed('disable', subject, 'x', { networkId: `0x${'1'.repeat(64)}` }))).toMatchObject({
      code: 'UNAUTHORISED',
    });
    expect(await refused(await signed('disable', subject, 'x', { issuedAt: Date.now() - HOUR }))).toMatchObject({
      code: 'UNAUTHORISED',
      detail: expect.stringContaining('clock'),
    });
    const good = await signed('disable', subject, 'x');
    expect(await refused({ ...good, value: { ...good.value, subject: 'other@1.0.0' } })).toMatchObject({ status: 401 });
    expect(await refused({ ...good, value: { ...good.value, action: 'explode' } })).toMatchObject({ status: 400 });
    expect((await quote()).status).toBe(200);
    expect(await log()).toEqual(before);
  });

  describe('who disables a version of a workload', () => {
    it('must name one that exists', async () => {
      expect(await refused(await signed('disable', 'ecko@1.0.0', 'x'))).toMatchObject({
        code: 'NOT_FOUND',
        detail: expect.stringContaining('echo@1.0.0'),
      });
      expect(await refused(await signed('disable', 'echo', 'x'))).toMatchObject({ code: 'BAD_INPUT' });
      expect(await refused(await signed('enable', 'echo@1.0.0', 'x'))).toMatchObject({ code: 'NOT_FOUND' });
    });

    it('stops orders and hand-out at once and lets go on what runs, until it is enabled', async () => {
      const consumer = await network.consumer();
      const device = await network.device(1);
      await consumer.submit('echo', INPUT);
      const running = await device.nextLease();
      const order = await consumer.makeOrder('echo', INPUT);
      const waiting = await consumer.submit('echo', INPUT);
      await ask('disable', 'echo@1.0.0', 'fails on some cards');

      expect(problemDetails.parse(await (await quote()).json())).toMatchObject({ code: 'REFUSED' });
      expect(await refused(order)).toBeDefined();
      expect((await post(`${network.url}/v1/jobs`, order)).status).toBe(422);
      const offered = await (await fetch(`${network.url}/v1/workloads`)).json();
      expect(offered).toEqual({ workloads: [] });

      await device.finish(running, Buffer.from('out'));
      await device.told('verdict', ({ verdict }) => verdict.leaseId === running.leaseId);
      const from = device.messages.length;
      device.send({ type: 'ready', lane: 'cpu', slots: 3 });
      const other = await network.device(3);
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(other.messages.filter(({ type }) => type.startsWith('lease'))).toEqual([]);
      expect(device.messages.slice(from).filter(({ type }) => type.startsWith('lease'))).toEqual([]);
      await other.hangUp();

      await ask('enable', 'echo@1.0.0', 'mended');
      expect((await device.nextLease(from)).jobId).toBe(waiting.jobId);
      expect((await quote()).status).toBe(200);
      await device.hangUp();
      await cancel(consumer, waiting.jobId);
    });

    it('now, also takes back what runs, and nobody is blamed', async () => {
      const consumer = await network.consumer();
      const device = await network.device(1);
      const job = await consumer.submit('echo', INPUT);
      const lease = await device.nextLease();
      const from = device.messages.length;
      const body = await signed('disable-now', 'echo@1.0.0', 'it eats disks');
      const done = adminAnswer.parse(await (await send(body)).json());
      const told = await device.told('cancel', ({ leaseId }) => leaseId === lease.leaseId, from);
      expect(told.reason).toBe('withdrawn by the network: it eats disks');
      expect(await consumer.job(job.jobId)).toMatchObject({ state: 'queued', failure: null });
      // The same again is the same.
      expect(adminAnswer.parse(await (await send(body)).json())).toEqual(done);
      expect((await log()).filter(({ why }) => why === 'it eats disks')).toHaveLength(1);
      // A late result is refused, and does not end the job.
      await device.finish(lease, Buffer.from('late'));
      await device.told('verdict', ({ verdict }) => verdict.kind === 'rejected', from);
      device.send({ type: 'ready', lane: 'cpu', slots: 1 });
      const then = device.messages.length;
      await ask('enable', 'echo@1.0.0');
      const again = await device.nextLease(then);
      expect(again.jobId).toBe(job.jobId);
      // Nor does it take back what runs since it was enabled.
      expect(adminAnswer.parse(await (await send(body)).json())).toEqual(done);
      expect(device.messages.slice(then).filter(({ type }) => type === 'cancel')).toEqual([]);
      await device.finish(again, Buffer.from('out'));
      await consumer.follow(job.jobId, ['done']);
      await device.hangUp();
    });

    it('has it disabled still when the coordinator was started anew', async () => {
      await ask('disable', 'echo@1.0.0');
      await network.restart();
      expect((await quote()).status).toBe(422);
      await ask('enable', 'echo@1.0.0');
      expect((await quote()).status).toBe(200);
    });
  });

  describe('who bans', () => {
    it('an owner ends the sessions of all its devices, whose work goes to others, and none of them enrols again', async () => {
      const consumer = await network.consumer();
      const owner = newAccount();
      const [one, two] = [await network.device(1, owner), await network.device(0, owner)];
      const job = await consumer.submit('echo', INPUT);
      const lease = await one.nextLease();
      const honest = await network.device(1);
      await ask('ban', owner.address, 'sells what it was lent');
      for (const device of [one, two]) {
        await device.ended();
        expect(device.closeCode).toBe(1008);
        const { message } = await device.told('error');
        expect(message).toContain('sells what it was lent');
      }
      const taken = await honest.nextLease();
      expect(taken.jobId).toBe(lease.jobId);
      await honest.finish(taken, Buffer.from('out'));
      await consumer.follow(job.jobId, ['done']);

      await one.hello([WORKLOAD]);
      await one.ended();
      const fresh = new TestDevice(network.url, network.coordinator.network, owner);
      for (const device of [one, two, fresh]) expect((await device.enrol()).status).toBe(422);
      await ask('unban', owner.address);
      expect((await fresh.enrol()).status).toBe(201);
      expect((await one.connect([WORKLOAD])).owner).toBe(owner.address);
      for (const device of [one, honest]) await device.hangUp();
    });

    it('a device bans that one alone', async () => {
      const owner = newAccount();
      const [one, two] = [await network.device(0, owner), await network.device(0, owner)];
      await ask('ban', one.key.address);
      await one.ended();
      expect((await one.enrol()).status).toBe(422);
      expect((await two.enrol()).status).toBe(201);
      expect(await refused(await signed('ban', 'everybody', 'x'))).toMatchObject({ code: 'BAD_INPUT' });
      expect(await refused(await signed('unban', two.key.address, 'x'))).toMatchObject({ code: 'NOT_FOUND' });
      await two.hangUp();
    });
  });

  describe('who refunds a job', () => {
    const TEN = parseTokens('10');
    const deposit = async (consumer: TestConsumer) => (await network.books(consumer.account.address)).deposit;

    it('claws back what is not mature, and again changes nothing', async () => {
      const consumer = await network.consumer(TEN);
      const device = await network.device(0);
      const { job, item } = await earn(consumer, device, 'pending');
      await device.report([item]);
      expect(await deposit(consumer)).toBe(TEN - PRICE);
      const first = await ask('refund', job.jobId, 'the output was wrong');
      expect(first.result).toEqual({ clawedBack: PRICE.toString(), fromFees: '0' });
      expect(await deposit(consumer)).toBe(TEN);
      expect((await consumer.job(job.jobId)).charged).toBe(0n);
      expect(await network.books(device.owner.address)).toMatchObject({ credited: 0n, clawedBack: PRICE - FEE });
      expect((await ask('refund', job.jobId, 'once more')).result).toEqual({ clawedBack: '0', fromFees: '0' });
      expect(await deposit(consumer)).toBe(TEN);
      await device.hangUp();
    });

    it('that is open, or is none, is refused', async () => {
      const consumer = await network.consumer();
      const job = await consumer.submit('echo', INPUT);
      expect(await refused(await signed('refund', job.jobId, 'x'))).toMatchObject({ code: 'CONFLICT' });
      await cancel(consumer, job.jobId);
      const nothing = `0x${'9'.repeat(64)}`;
      expect(await refused(await signed('refund', nothing, 'x'))).toMatchObject({ code: 'NOT_FOUND' });
      expect(await refused(await signed('refund', 'all', 'x'))).toMatchObject({ code: 'BAD_INPUT' });
    });

    it('takes what is mature out of the fees, and is refused when they do not hold as much', async () => {
      const consumer = await network.consumer(parseTokens('100'));
      const device = await network.device(0);
      const items = [];
      const jobs: Hex32[] = [];
      for (let at = 0; at < 13; at++) {
        const { job, item } = await earn(consumer, device, `mature ${at}`);
        items.push(item);
        jobs.push(job.jobId);
      }
      await device.report(items);
      const had = await fees();
      ahead += HOUR + 1;
      await until('the fees', async () => (await fees()) >= had + 13n * FEE);
      const before = await deposit(consumer);
      const afterwards = await fees();
      const [first, ...rest] = jobs;
      const enough = Number(afterwards / PRICE);
      // Thirteen times 8 % of a price pay for one job.
      expect(enough).toBe(1);
      const done = await ask('refund', first ?? expect.unreachable());
      expect(done.result).toEqual({ clawedBack: '0', fromFees: PRICE.toString() });
      expect(await deposit(consumer)).toBe(before + PRICE);
      expect(await fees()).toBe(afterwards - PRICE);
      // What the provider earned stays its own.
      expect((await network.books(device.owner.address)).credited).toBe(13n * (PRICE - FEE));

      const second = rest[0] ?? expect.unreachable();
      const problem = await refused(await signed('refund', second, 'again'));
      expect(problem).toMatchObject({ code: 'INSUFFICIENT_FUNDS', detail: expect.stringContaining('nothing was') });
      expect(await deposit(consumer)).toBe(before + PRICE);
      expect((await consumer.job(second)).charged).toBe(PRICE);
      await device.hangUp();
    });
  });

  it('has the books counted, and they balance', async () => {
    const { result } = await ask('recount', '');
    const { owners, balanced, ...totals } = result;
    expect(balanced).toBe('yes');
    expect(Number(owners)).toBeGreaterThan(0);
    expect(Object.values(totals).reduce((sum, amount) => sum + BigInt(amount), 0n)).toBe(0n);
  });

  it('leaves a record that everybody reads, that names no job and no person, and that nobody changes', async () => {
    const actions = await log();
    expect(actions[0]).toMatchObject({ action: 'recount', admin: admin.address });
    expect(actions.map(({ at }) => at)).toEqual(actions.map(({ at }) => at).sort((a, b) => b - a));
    expect(new Set(actions.filter(({ subject }) => subject !== null).map(({ subject }) => subject))).toEqual(
      new Set(['echo@1.0.0']),
    );
    for (const action of ['ban', 'unban', 'refund'] as const)
      expect(actions.map((one) => one.action)).toContain(action);
    expect(encodeWire(actions)).not.toMatch(/0x[0-9a-f]{64}/);
    await network.halt();
    const db = await network.openBooks();
    for (const change of [`UPDATE admin_actions SET why = ''`, 'DELETE FROM admin_actions', 'TRUNCATE admin_actions']) {
      await expect(db.exec(change)).rejects.toThrow('append-only');
    }
    await db.close();
    await network.restart();
  });
});
