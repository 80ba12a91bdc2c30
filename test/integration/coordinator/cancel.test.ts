import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseTokens } from '../../../core/money.ts';
import { jobView } from '../../../core/wire.ts';
import type { TestConsumer } from '../../support/device.ts';
import { PRICE, TestNetwork } from '../../support/network.ts';

let network: TestNetwork;
beforeAll(async () => {
  network = await TestNetwork.start({ replicas: 1 });
}, 60_000);
afterAll(() => network.stop());

const cancel = async (consumer: TestConsumer, jobId: string) => {
  const headers = { authorization: `Bearer ${consumer.token}` };
  return jobView.parse(
    await (await fetch(`${network.url}/v1/jobs/${jobId}/cancel`, { method: 'POST', headers })).json(),
  );
};

test('a copy that waits for another to agree is paid when its job is cancelled, and its lease is accepted', async () => {
  const consumer = await network.consumer();
  const device = await network.device();
  const job = await consumer.submit('echo', Buffer.from('one'));
  const lease = await device.nextLease();
  await device.finish(lease, Buffer.from('computed'));
  await device.told('result-stored');
  expect(await cancel(consumer, job.jobId)).toMatchObject({ state: 'cancelled', charged: PRICE, outputHash: null });
  expect((await network.books(consumer.account.address)).deposit).toBe(parseTokens('10') - PRICE);
  const { verdict } = await device.told('verdict');
  expect(verdict).toEqual({ leaseId: lease.leaseId, kind: 'accepted', amount: PRICE });
  await device.hangUp();
});

test('copies that differ are not paid, and none is held against its device', async () => {
  const consumer = await network.consumer();
  const devices = [await network.device(), await network.device()];
  const job = await consumer.submit('echo', Buffer.from('two'));
  for (const [at, device] of devices.entries()) {
    await device.finish(await device.nextLease(), Buffer.from(`answer ${at}`));
    await device.told('result-stored');
  }
  expect(await cancel(consumer, job.jobId)).toMatchObject({ state: 'cancelled', charged: 0n });
  expect((await network.books(consumer.account.address)).deposit).toBe(parseTokens('10'));
  for (const device of devices) {
    await device.told('cancel');
    expect(device.messages.filter(({ type }) => type === 'verdict')).toEqual([]);
    await device.hangUp();
  }
});
