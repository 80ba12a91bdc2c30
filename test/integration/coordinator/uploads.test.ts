import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemDetails } from '../../../core/wire.ts';
import { putBlob, TestConsumer } from '../../support/device.ts';
import { TestNetwork } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

const MINUTE = 60_000;
/** Bytes that differ by `seed`. */
const blob = (size: number, seed: number) => new Uint8Array(size).fill(seed);

describe('what an account may have at a coordinator', () => {
  let network: TestNetwork;
  const started = Date.now();
  let ahead = 0;
  beforeAll(async () => {
    network = await TestNetwork.start({
      maxAccountBytes: 100,
      keepBlobsMs: 400,
      leaseMs: 60 * MINUTE,
      clock: { now: () => started + ahead },
    });
  }, 60_000);
  afterAll(() => network.stop());

  const put = async (token: string, data: Uint8Array): Promise<string> => {
    const response = await putBlob(network.url, token, data);
    return response.ok ? 'stored' : problemDetails.parse(await response.json()).code;
  };

  it('is bounded in bytes, also for uploads at once; what is removed makes room again', async () => {
    const consumer = await network.consumer();
    await consumer.access();
    expect(await put(consumer.token, blob(60, 1))).toBe('stored');
    expect(await put(consumer.token, blob(60, 2))).toBe('REFUSED');
    expect(await put(consumer.token, blob(60, 1))).toBe('stored');
    const both = await Promise.all([3, 4].map((seed) => put(consumer.token, blob(30, seed))));
    expect(both.filter((outcome) => outcome === 'stored').length).toBeLessThanOrEqual(1);
    expect(await put(consumer.token, blob(11, 5))).toBe(both.includes('stored') ? 'REFUSED' : 'stored');
    const other = new TestConsumer(network.url, network.coordinator.network);
    await other.access();
    expect(await put(other.token, blob(60, 2))).toBe('stored');

    ahead = MINUTE;
    await until('room', async () => (await put(consumer.token, blob(95, 6))) === 'stored');
  });

  it('is, for a device, the outputs of its leases only', async () => {
    const consumer = await network.consumer();
    const device = await network.device();
    expect(await put(device.token, blob(10, 11))).toBe('REFUSED');
    await consumer.submit('echo', blob(5, 12));
    const lease = await device.nextLease();
    expect(await put(device.token, blob(1_000_001, 13))).toBe('REFUSED');
    expect(await put(device.token, blob(60, 14))).toBe('stored');
    expect(await put(device.token, blob(60, 15))).toBe('REFUSED');
    await device.finish(lease, blob(60, 14));
    await device.told('verdict');
    expect(await put(device.token, blob(10, 16))).toBe('REFUSED');

    // A result no longer counts: the next one of the same size has room.
    const from = device.messages.length;
    device.send({ type: 'ready', lane: 'cpu', slots: 1 });
    await consumer.submit('echo', blob(5, 17));
    await device.nextLease(from);
    expect(await put(device.token, blob(60, 18))).toBe('stored');
    await device.hangUp();
  });
});
