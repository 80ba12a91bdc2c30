import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ChannelRoute } from '../../../agent/channel/routes.ts';
import type { Traffic } from '../../../agent/ports.ts';
import { channelTo } from '../../../cli/channels.ts';
import { Consumer } from '../../../cli/consumer.ts';
import { flowOf, NO_USAGE, totalSince } from '../../../core/traffic.ts';
import { FakeTrafficStore, trafficOf } from '../../fakes/traffic.ts';
import { newAccount } from '../../support/chain.ts';
import { heeding, keepChannels } from '../../support/channel.ts';
import type { TestDevice } from '../../support/device.ts';
import { TestNetwork } from '../../support/network.ts';

const KIB = 1024;
const BYTES = 1_536 * KIB;

async function* zeros(): AsyncGenerator<Uint8Array> {
  for (let left = BYTES; left > 0; left -= 64 * KIB) yield new Uint8Array(64 * KIB);
}
const taken: number[] = [];
const routes: readonly ChannelRoute[] = [
  { method: 'GET', path: '/v1/zeros', handle: async () => ({ status: 200, body: zeros() }) },
  {
    method: 'PUT',
    path: '/v1/zeros',
    async handle({ body }) {
      let bytes = 0;
      for await (const part of body) bytes += part.length;
      taken.push(bytes);
      return { status: 201 };
    },
  },
];

let network: TestNetwork;
let device: TestDevice;
let consumer: Consumer;
const store = new FakeTrafficStore();
let traffic: Traffic;
let kept: ReturnType<typeof keepChannels>;
beforeAll(async () => {
  network = await TestNetwork.start();
  device = await network.device(0);
  traffic = trafficOf(undefined, store);
  kept = keepChannels(device, routes, {
    pace: () => ({ passage: () => traffic.passage('storage'), piece: traffic.piece }),
    passed(_purpose, beside) {
      traffic.add('session', 'in', beside.in);
      traffic.add('session', 'out', beside.out);
    },
  });
  consumer = await Consumer.connect(network.url, newAccount().privateKey);
}, 120_000);
afterAll(async () => {
  await kept.keeper.close();
  await network.stop();
});

it('keeps to the rates of the owner both ways, and counts each byte once', async () => {
  const channel = await heeding(kept.heed, () => channelTo(consumer, device.key.address, 'storage'));
  traffic.limit({ in: flowOf(8), out: flowOf(8) });
  const began = performance.now();
  let got = 0;
  const answer = await channel.request({ method: 'GET', path: '/v1/zeros' });
  for await (const part of answer.body) got += part.length;
  const down = performance.now() - began;
  await channel.request({ method: 'PUT', path: '/v1/zeros', body: zeros() });
  const up = performance.now() - began - down;
  expect([got, taken]).toEqual([BYTES, [BYTES]]);
  // 1,572,864 bytes at 1,000,000 a second, less a full bucket; a machine that is busy may only be slower.
  expect(down).toBeGreaterThan(1_400);
  expect(up).toBeGreaterThan(1_400);
  channel.close();
  await kept.keeper.close();
  await traffic.close();
  const usage = store.usage ?? NO_USAGE;
  const [day] = usage.days;
  expect(day?.carriers.storage).toEqual({ in: BYTES, out: BYTES });
  // TLS, frames and the relay's own words, of which there are some, and few.
  for (const beside of Object.values(day?.carriers.session ?? {})) {
    expect(beside).toBeGreaterThan(1_000);
    expect(beside).toBeLessThan(BYTES / 20);
  }
  expect(totalSince(usage, '').in).toBeGreaterThan(BYTES);
}, 60_000);
