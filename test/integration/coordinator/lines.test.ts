import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DEFAULT_POLICY } from '../../../coordinator/verification/policy.ts';
import { TestDevice } from '../../support/device.ts';
import { TestNetwork, WORKLOAD } from '../../support/network.ts';

describe.each([
  { proxies: ['127.0.0.1', '198.51.100.0/24'], said: '203.0.113.7', line: '203.0.113.0/24' },
  { proxies: ['127.0.0.1', '198.51.100.0/24'], said: '192.0.2.1, 203.0.113.7, 198.51.100.9', line: '203.0.113.0/24' },
  { proxies: ['127.0.0.1'], said: '2001:db8:1:2ff:3::4', line: '2001:db8:1:200::/56' },
  { proxies: [], said: '203.0.113.7', line: null },
])('a device of which a proxy says $said, with $proxies trusted', ({ proxies, said, line }) => {
  let network: TestNetwork;
  beforeAll(async () => {
    network = await TestNetwork.start({ trustedProxies: proxies, verification: DEFAULT_POLICY });
  }, 60_000);
  afterAll(() => network.stop());

  it(`counts as one of ${line}`, async () => {
    const device = new TestDevice(network.url, network.coordinator.network);
    device.headers = { 'x-forwarded-for': said };
    await device.enrol();
    await device.connect([WORKLOAD]);
    device.send({ type: 'ready', lane: 'cpu', slots: 1 });
    const consumer = await network.consumer();
    await consumer.submit(WORKLOAD.id, Buffer.from('where from'));
    await device.nextLease();
    await device.hangUp();
    await network.halt();
    const db = await network.openBooks();
    try {
      expect(await db.query(z.object({ network: z.string().nullable() }), 'SELECT network FROM leases')).toEqual([
        { network: line },
      ]);
    } finally {
      await db.close();
    }
  }, 60_000);
});
