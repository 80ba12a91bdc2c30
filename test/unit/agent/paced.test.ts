import { expect, test } from 'vitest';
import { pacedRoutes } from '../../../agent/channel/paced.ts';
import type { ChannelRequest, ChannelRoute } from '../../../agent/channel/routes.ts';
import { flowOf, totalSince } from '../../../core/traffic.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeTrafficStore, trafficOf } from '../../fakes/traffic.ts';

const KIB = 1024;
async function* parts(count: number, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < count; at++) yield new Uint8Array(size);
}
const request = (body: AsyncIterable<Uint8Array>, signal = new AbortController().signal): ChannelRequest => ({
  ...{ consumer: `0x${'1'.repeat(40)}`, channelId: `0x${'2'.repeat(64)}`, params: {}, headers: {}, body, signal },
});
/** Takes what it is sent and gives as much back. */
const echo: ChannelRoute = {
  method: 'PUT',
  path: '/',
  async handle({ body }) {
    let bytes = 0;
    for await (const part of body) bytes += part.length;
    return { status: 200, body: parts(1, bytes) };
  },
};

function stage(mbps: number) {
  const clock = new FakeClock();
  const store = new FakeTrafficStore();
  const traffic = trafficOf(clock, store);
  traffic.limit({ in: flowOf(mbps), out: flowOf(null) });
  const paced = pacedRoutes([echo], { passage: () => traffic.passage('storage'), piece: traffic.piece });
  const [route = echo] = paced.routes;
  return { clock, store, traffic, paced, route };
}

test('what comes in waits for the rate, and both ways are counted once', async () => {
  const { clock, store, traffic, paced, route } = stage(8);
  let took: number | null = null;
  const began = clock.now();
  const done = (async () => {
    const { body } = await route.handle(request(parts(40, 50 * KIB)));
    if (body === undefined || body instanceof Uint8Array) throw new Error('no body');
    for await (const _part of body);
    took = clock.now() - began;
  })();
  await clock.advance(4_000);
  await done;
  // 2,048,000 bytes at 1,000,000 a second, and a tenth of a second at once.
  expect(took).toBeGreaterThan(1_900);
  expect(took).toBeLessThan(2_100);
  expect(paced.passed()).toEqual({ in: 2_000 * KIB, out: 2_000 * KIB });
  await traffic.close();
  expect(totalSince(store.usage ?? { version: 2, days: [] }, '')).toEqual(paced.passed());
});

test('a consumer that has gone waits for nothing', async () => {
  const { traffic, route } = stage(1);
  const gone = new AbortController();
  const waiting = route.handle(request(parts(100, 50 * KIB), gone.signal));
  gone.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
  await traffic.close();
});
