import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { systemClock } from '../../../../agent/adapters/clock.ts';
import { openService, type Service } from '../../../../agent/service.ts';
import type { Failure } from '../../../../core/errors.ts';
import { serviceRun } from '../../../fakes/service-run.ts';

const MIB = 1024 * 1024;
/** What a peer may cost the agent while it misbehaves. */
const MOST_BYTES = 48 * MIB;
const FLOOD_BYTES = 256 * MIB;
const TYPE = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, windowUpdate: 8, continuation: 9 } as const;
const END_HEADERS = 4;

function frame(type: number, flags: number, stream: number, payload = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}
const settings = (...pairs: readonly (readonly [number, number])[]): Buffer => {
  const payload = Buffer.alloc(pairs.length * 6);
  pairs.forEach(([id, value], at) => {
    payload.writeUInt16BE(id, at * 6);
    payload.writeUInt32BE(value, at * 6 + 2);
  });
  return frame(TYPE.settings, 0, 0, payload);
};
const HELLO = settings();
/** `:status: 200`, indexed (RFC 7541, appendix A). */
const OK = Buffer.from([0x88]);

const get = { method: 'GET', path: '/', maxAnswerBytes: 1000 } as const;

/** A peer that speaks in raw bytes; what the agent writes is read unless it is said not to be. */
function peer(reads = true) {
  const fake = serviceRun();
  if (reads) fake.input.resume();
  const service = openService(fake.run, { clock: systemClock, pingMs: 2_000, pingEveryMs: 500 });
  return { ...fake, service };
}

/** Writes the same bytes over and over until the service has ended. Answers how many. */
async function flood(output: NodeJS.WritableStream, service: Service, bytes: Buffer): Promise<number> {
  let over = false;
  let sent = 0;
  void service.ended.then(() => {
    over = true;
  });
  const block = Buffer.concat(Array.from({ length: Math.ceil(65_536 / bytes.length) }, () => bytes));
  while (!over && sent < FLOOD_BYTES) {
    sent += block.length;
    if (!output.write(block)) await Promise.race([once(output, 'drain'), service.ended]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return sent;
}

/** The end of a service, and what the process grew by at most until then. */
async function measured(service: Service, attack: Promise<unknown>): Promise<Failure | null> {
  globalThis.gc?.();
  const before = used();
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, used() - before);
  }, 5);
  await attack;
  const why = await Promise.race([service.ended, delay(8_000, 'alive' as const)]);
  clearInterval(timer);
  if (why === 'alive') throw new Error('the service goes on');
  expect(most).toBeLessThan(MOST_BYTES);
  return why;
}
const used = (): number => {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

const endless: readonly (readonly [string, Buffer, RegExp])[] = [
  ['garbage', Buffer.from('this is no HTTP/2 at all, but a workload that prints\n'), /HTTP\/2|frames|door/],
  ['settings', settings([3, 100]), /frames|HTTP\/2/],
  ['pings', frame(TYPE.ping, 0, 0, Buffer.alloc(8)), /frames|HTTP\/2/],
  ['empty settings acknowledgements', frame(TYPE.settings, 1, 0), /frames|HTTP\/2/],
  ['window updates', frame(TYPE.windowUpdate, 0, 0, Buffer.from([0, 0, 0, 1])), /frames|HTTP\/2/],
  ['data of a stream that nobody opened', frame(TYPE.data, 0, 1, Buffer.alloc(16_384)), /HTTP\/2/],
  ['frames that nobody knows', frame(0xbe, 0, 0), /frames|HTTP\/2/],
];
for (const [what, bytes, says] of endless) {
  test(`a flood of ${what} ends the service`, async () => {
    const { service, output } = peer();
    output.write(HELLO);
    const why = await measured(service, flood(output, service, bytes));
    expect(why).toMatchObject({ code: 'WORKLOAD_FAILED', message: expect.stringMatching(says) });
  });
}

test('headers without end, too many of them, and too long ones end the request or the service', async () => {
  const long = peer();
  long.output.write(HELLO);
  const answer = long.service.request(get).catch((error: Failure) => error);
  await delay(20);
  long.output.write(frame(TYPE.headers, 0, 1, OK));
  const block = Buffer.concat([Buffer.from([0x00, 0x01, 0x61, 0x7f, 0x80, 0x7f]), Buffer.alloc(16_255, 0x62)]);
  const why = await measured(long.service, flood(long.output, long.service, frame(TYPE.continuation, 0, 1, block)));
  expect(why?.code).toBe('WORKLOAD_FAILED');
  expect(await answer).toMatchObject({ code: 'WORKLOAD_FAILED' });

  const many = peer();
  many.output.write(HELLO);
  const refused = many.service.request(get).catch((error: Failure) => error);
  await delay(20);
  const lines = Buffer.concat(Array.from({ length: 2_000 }, () => Buffer.from([0x00, 0x01, 0x61, 0x01, 0x62])));
  many.output.write(frame(TYPE.headers, END_HEADERS, 1, Buffer.concat([OK, lines])));
  expect(await refused).toMatchObject({ code: 'WORKLOAD_FAILED' });
  many.service.close();
});

test('streams that are reset as soon as they are opened end the service', async () => {
  const { service, output } = peer();
  output.write(HELLO);
  await delay(20);
  const requests = (async () => {
    for (let stream = 1; stream < 400; stream += 2) {
      const answer = service.request(get).catch(() => undefined);
      await delay(1);
      if (!output.writableEnded) output.write(frame(TYPE.reset, 0, stream, Buffer.from([0, 0, 0, 7])));
      await answer;
    }
  })();
  expect(await measured(service, requests)).toMatchObject({ message: expect.stringMatching(/streams off in a row/) });
});

test('an answer that is longer than asked ends the service', async () => {
  const { service, output } = peer();
  output.write(HELLO);
  const answer = service.request(get);
  await delay(20);
  output.write(frame(TYPE.headers, END_HEADERS, 1, OK));
  output.write(frame(TYPE.data, 0, 1, Buffer.alloc(1_001)));
  const { body } = await answer;
  const chunks = body[Symbol.asyncIterator]();
  await expect(chunks.next()).rejects.toMatchObject({ code: 'WORKLOAD_FAILED', message: /more than the 1000 bytes/ });
  expect(await service.ended).toMatchObject({ code: 'WORKLOAD_FAILED' });
});

test('more data than the window allows ends the service, read or unread', async () => {
  const { service, output } = peer();
  output.write(HELLO);
  const answer = service.request({ ...get, maxAnswerBytes: 1024 * MIB });
  await delay(20);
  output.write(frame(TYPE.headers, END_HEADERS, 1, OK));
  await answer;
  const data = frame(TYPE.data, 0, 1, Buffer.alloc(16_384));
  const why = await measured(service, flood(output, service, data));
  expect(why?.code).toBe('WORKLOAD_FAILED');
});

test('a peer that never reads, and promises a window as large as can be, costs next to nothing', async () => {
  const { service, output } = peer(false);
  output.write(settings([4, 0x7fffffff]));
  output.write(frame(TYPE.windowUpdate, 0, 0, Buffer.from([0x7f, 0, 0, 0])));
  async function* much(): AsyncGenerator<Uint8Array> {
    for (;;) yield Buffer.alloc(65_536);
  }
  const requests = Array.from({ length: 200 }, () =>
    service.request({ ...get, method: 'POST', body: much() }).catch((error: Failure) => error.code),
  );
  expect(await measured(service, Promise.resolve())).toMatchObject({
    message: expect.stringMatching(/answered nothing for 2 s/),
  });
  expect(new Set(await Promise.all(requests))).toEqual(new Set(['WORKLOAD_FAILED']));
});

test('whatever bytes come, and wherever they break, the service ends or lives, and nothing is thrown elsewhere', async () => {
  const kinds = [...Object.values(TYPE), 2, 5, 7, 10, 200];
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          ...{
            kind: fc.constantFrom(...kinds),
            flags: fc.nat(255),
            stream: fc.constantFrom(0, 1, 2, 3, 5, 0x7fffffff),
          },
          ...{ payload: fc.uint8Array({ maxLength: 64 }), lie: fc.constantFrom(0, 0, 0, 0, 1, 70_000) },
        }),
        { maxLength: 30 },
      ),
      fc.integer({ min: 1, max: 40 }),
      async (frames, cut) => {
        const { service, output } = peer();
        output.write(HELLO);
        const answers = [service.request(get), service.request({ ...get, silenceMs: 1 })].map((answer) =>
          answer.then(({ body }) => body[Symbol.asyncIterator]().next()).catch((error: unknown) => error),
        );
        await new Promise((resolve) => setImmediate(resolve));
        for (const { kind, flags, stream, payload, lie } of frames) {
          const bytes = frame(kind, flags, stream, Buffer.from(payload));
          bytes.writeUIntBE((payload.length + lie) & 0xffffff, 0, 3);
          for (let at = 0; at < bytes.length && !output.writableEnded; at += cut)
            output.write(bytes.subarray(at, at + cut));
        }
        await new Promise((resolve) => setImmediate(resolve));
        service.close();
        for (const answer of await Promise.all(answers)) expect(answer).toBeDefined();
      },
    ),
    { numRuns: 150 },
  );
});

test('what a service says about itself is bounded', async () => {
  const { service, output, stderr } = peer();
  output.write(HELLO);
  const line = Buffer.from(`${'x'.repeat(1000)}\n`);
  const why = await measured(service, flood(stderr, service, line));
  expect(why?.message).toMatch(/about itself/);
  expect(why?.message.length).toBeLessThan(1_000);
});
