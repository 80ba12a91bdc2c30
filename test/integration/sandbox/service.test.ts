import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../agent/adapters/clock.ts';
import { openService, type Service } from '../../../agent/service.ts';
import { type ServiceStage, serviceStage } from '../../support/service.ts';
import { until } from '../../support/wait.ts';

const MIB = 1024 * 1024;
/** A service workload behind the real door, in the sandbox. */
let stage: ServiceStage;
beforeAll(async () => {
  stage = await serviceStage();
}, 300_000);
afterAll(async () => {
  const left = await stage.left();
  await stage.close();
  expect(left).toEqual([]);
});

const get = { method: 'GET', maxAnswerBytes: 256 * MIB } as const;

async function hashOf(body: AsyncIterable<Uint8Array>): Promise<{ bytes: number; hash: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    hash.update(chunk);
  }
  return { bytes, hash: hash.digest('hex') };
}

async function* inPieces(data: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

async function served(use: (service: Service, containerId: string) => Promise<void>): Promise<void> {
  const { run, service } = await stage.open();
  try {
    await use(service, run.containerId);
    service.close();
    expect((await run.exited).code).toBe(143);
  } finally {
    await stage.containers.remove(run.containerId);
  }
}

test('echoes 24 MiB byte for byte, and a second stream beside it', async () => {
  await served(async (service) => {
    const data = randomBytes(24 * MIB);
    const echo = service.request({ ...get, method: 'POST', path: '/echo', body: inPieces(data, 50_000) });
    const small = service.request({ ...get, path: '/bytes?bytes=1000' });
    expect((await hashOf((await small).body)).bytes).toBe(1_000);
    const expected = createHash('sha256').update(data).digest('hex');
    expect(await hashOf((await echo).body)).toEqual({ bytes: data.length, hash: expected });
    expect(await service.ping()).toBeLessThan(1_000);
  });
}, 60_000);

test('a hundred streams at once, and one that nobody reads', async () => {
  await served(async (service) => {
    const unread = await service.request({ ...get, path: `/bytes?bytes=${64 * MIB}` });
    const sizes = Array.from({ length: 100 }, (_, at) => 10_000 + at * 997);
    const answers = sizes.map(async (bytes) => {
      const { body } = await service.request({ ...get, path: `/bytes?bytes=${bytes}` });
      return (await hashOf(body)).bytes;
    });
    expect(await Promise.all(answers)).toEqual(sizes);
    await unread.body[Symbol.asyncIterator]().return?.();
    expect((await service.request({ ...get, path: '/nowhere' })).status).toBe(404);
  });
}, 60_000);

test('a frozen service is waited for, and goes on where it was', async () => {
  await served(async (service, containerId) => {
    const { body } = await service.request({ ...get, path: `/bytes?bytes=${16 * MIB}` });
    const chunks = body[Symbol.asyncIterator]();
    await chunks.next();
    service.frozen(true);
    await stage.containers.freeze(containerId);
    const ping = service.ping();
    await delay(1_500);
    await stage.containers.thaw(containerId);
    service.frozen(false);
    expect(await ping).toBeGreaterThan(1_000);
    let bytes = 0;
    for (let step = await chunks.next(); step.done !== true; step = await chunks.next()) bytes += step.value.length;
    expect(bytes).toBeGreaterThan(15 * MIB);
  });
}, 60_000);

test('the end of its container ends its requests', async () => {
  const { run, service } = await stage.open();
  const { body } = await service.request({ ...get, path: '/hold' });
  const reading = hashOf(body).catch((error: unknown) => error);
  await stage.containers.remove(run.containerId);
  expect(await reading).toMatchObject({ code: 'WORKLOAD_FAILED' });
  expect(await service.ended).toMatchObject({ message: 'the service ended with exit code 137' });
}, 60_000);

test('a workload that prints instead of serving is ended, and its container with it', async () => {
  const run = await stage.start([`PLAIN=${64 * MIB}`]);
  const service = openService(run, { clock: systemClock });
  expect(await service.ended).toMatchObject({ code: 'WORKLOAD_FAILED', message: expect.stringMatching(/HTTP\/2/) });
  await until('its container has ended', async () => (await stage.left()).every(({ state }) => state === 'exited'));
  await stage.containers.remove(run.containerId);
}, 60_000);
