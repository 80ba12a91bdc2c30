import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTokens } from '../../../core/money.ts';
import { sha256, type TestConsumer } from '../../support/device.ts';
import { PRICE, TestNetwork } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('a chain that goes away', () => {
  let network: TestNetwork;
  let consumer: TestConsumer;
  const events: string[] = [];
  beforeAll(async () => {
    network = await TestNetwork.start({ log: (_level, event) => events.push(event) });
    consumer = await network.consumer(parseTokens('5'));
  }, 60_000);
  afterAll(() => network.stop());

  it('stops no work; what was earned meanwhile is published when it is back, after a restart too', async () => {
    const device = await network.device();
    await network.chain.halt();
    const job = await consumer.submit('echo', bytes('offline'));
    const lease = await device.nextLease();
    await device.finish(lease, bytes('done'));
    await device.told('verdict');
    const item = { leaseId: lease.leaseId, outputHash: sha256(bytes('done')), amount: PRICE };
    expect((await device.report([item])).value.credited).toBe(PRICE);
    expect((await consumer.follow(job.jobId, ['done', 'failed'])).state).toBe('done');
    await until('the complaint', () => events.includes('epoch-not-published'));
    expect(await network.books(device.owner.address)).toMatchObject({ credited: PRICE, published: 0n });

    await network.restart();
    expect(await network.books(device.owner.address)).toMatchObject({ credited: PRICE, published: 0n });
    await network.chain.restart();
    await until('the root', async () => (await network.books(device.owner.address)).published === PRICE);
    const distributor = network.chain.distributorAs(network.chain.deployer);
    expect(await distributor.getFunction('rootCount').staticCall()).toBe(1n);

    await network.chain.deposit(consumer.account, 7n);
    const left = parseTokens('5') - PRICE + 7n;
    await until('the deposit', async () => (await network.books(consumer.account.address)).deposit === left);
    await device.hangUp();
  });
});
