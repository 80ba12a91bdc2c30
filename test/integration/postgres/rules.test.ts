import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Coordinator, startCoordinator } from '../../../coordinator/index.ts';
import type { AdminAction } from '../../../core/admin.ts';
import { parseTokens } from '../../../core/money.ts';
import { adminOrder } from '../../support/admin.ts';
import { newAccount, startTestChain, type TestChain } from '../../support/chain.ts';
import { post, TestConsumer, TestDevice } from '../../support/device.ts';
import { coordinatorOptions, WORKLOAD } from '../../support/network.ts';
import { newStore, type Store } from '../../support/store.ts';
import { until } from '../../support/wait.ts';

const INPUT = Buffer.from('in');

describe('an order of an admin to one of several coordinators', () => {
  const admin = newAccount();
  let chain: TestChain;
  let dataDir: string;
  let store: Store;
  let here: Coordinator;
  let there: Coordinator;
  let consumer: TestConsumer;
  beforeAll(async () => {
    chain = await startTestChain();
    dataDir = await mkdtemp(join(tmpdir(), 'idlemesh-rules-'));
    store = await newStore();
    const databaseUrl = store.databaseUrl ?? expect.unreachable();
    const options = coordinatorOptions(dataDir, chain, { databaseUrl, admins: [admin.address] });
    [here, there] = await Promise.all([startCoordinator(options), startCoordinator(options)]);
    consumer = new TestConsumer(here.url, here.network);
    await chain.deposit(consumer.account, parseTokens('100'));
    await until('the deposit', () =>
      consumer.submit('echo', INPUT).then(
        () => true,
        () => false,
      ),
    );
  }, 60_000);
  afterAll(async () => {
    await here.close();
    await there.close();
    await chain.stop();
    await store.drop();
    await rm(dataDir, { recursive: true, force: true });
  });

  async function order(action: AdminAction, subject: string): Promise<void> {
    const body = await adminOrder(here.network, admin, { action, subject, why: 'a test', issuedAt: Date.now() });
    expect((await post(`${here.url}/v1/admin/actions`, body)).status).toBe(200);
  }
  async function deviceThere(): Promise<TestDevice> {
    const device = new TestDevice(there.url, there.network);
    await device.enrol();
    await device.connect([WORKLOAD]);
    return device;
  }

  it('takes work back from devices of the others, and none of them hands out any until it is enabled', async () => {
    const device = await deviceThere();
    device.send({ type: 'ready', lane: 'cpu', slots: 1 });
    const lease = await device.nextLease();
    for (let at = 0; at < 20; at++) await consumer.submit('echo', INPUT);
    await order('disable-now', 'echo@1.0.0');
    // The order is answered when it holds: from here on no lease is written, whoever has heard of it.
    const from = device.messages.length;
    device.send({ type: 'ready', lane: 'cpu', slots: 30 });
    await device.told('cancel', ({ leaseId }) => leaseId === lease.leaseId);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(device.messages.slice(from).filter(({ type }) => type.startsWith('lease'))).toEqual([]);
    await until('the others to refuse quotes', async () => {
      const asked = await post(`${there.url}/v1/quotes`, { workload: 'echo', inputBytes: 2, params: {} });
      return asked.status === 422;
    });
    await order('enable', 'echo@1.0.0');
    await until('work', () => device.messages.slice(from).some(({ type }) => type.startsWith('lease')));
    await device.hangUp();
  });

  it('ends sessions at the others', async () => {
    const [one, other] = [await deviceThere(), await deviceThere()];
    await order('ban', one.owner.address);
    await one.ended();
    expect(one.closeCode).toBe(1008);
    expect(other.closeCode).toBeNull();
    await other.hangUp();
  });
});
