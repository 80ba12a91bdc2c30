import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../../../agent/adapters/clock.ts';
import { openService, type Service, type ServiceAnswer, type ServiceOptions } from '../../../../agent/service.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import { serviceRun } from '../../../fakes/service-run.ts';

const MIB = 1024 * 1024;
const opened: Service[] = [];
afterEach(() => {
  for (const service of opened.splice(0)) service.close();
});

type Handler = (stream: ServerHttp2Stream, path: string) => void;

function stage(handle: Handler, options: Partial<ServiceOptions> = {}) {
  const fake = serviceRun();
  const server: Http2Server = createServer();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    handle(stream, String(headers[':path']));
  });
  server.on('sessionError', () => undefined);
  fake.inside.on('error', () => undefined);
  server.emit('connection', fake.inside);
  const service = openService(fake.run, { clock: systemClock, ...options });
  opened.push(service);
  return { fake, service };
}

const echo: Handler = (stream) => {
  stream.respond({ ':status': 200, 'x-kind': 'echo' });
  stream.pipe(stream);
};

async function* pieces(count: number, bytes: number, fill = 7): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < count; at++) yield Buffer.alloc(bytes, fill + at);
}

async function whole({ body }: ServiceAnswer): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const get = { method: 'GET', path: '/', maxAnswerBytes: 64 * MIB } as const;

test('what goes in comes out, with its status and headers', async () => {
  const { service } = stage(echo);
  const answer = await service.request({ ...get, method: 'POST', body: pieces(40, 30_000) });
  expect(answer).toMatchObject({ status: 200, headers: { 'x-kind': 'echo' } });
  const sent: Uint8Array[] = [];
  for await (const piece of pieces(40, 30_000)) sent.push(piece);
  expect((await whole(answer)).equals(Buffer.concat(sent))).toBe(true);
});

test('many streams at once keep apart, and more than may be open wait for their turn', async () => {
  let most = 0;
  let now = 0;
  const { service } = stage((stream, path) => {
    most = Math.max(most, ++now);
    stream.once('close', () => {
      now -= 1;
    });
    stream.respond({ ':status': 200 });
    setImmediate(() => stream.end(path.repeat(500)));
  });
  const answers = await Promise.all(
    Array.from({ length: 400 }, async (_, at) =>
      (await whole(await service.request({ ...get, path: `/${at}` }))).toString(),
    ),
  );
  expect(answers).toEqual(Array.from({ length: 400 }, (_, at) => `/${at}`.repeat(500)));
  expect(most).toBeGreaterThan(32);
  expect(most).toBeLessThanOrEqual(64);
});

test('a reader that stops holds the service back, and nobody else', async () => {
  let given = 0;
  const { service } = stage((stream, path) => {
    stream.respond({ ':status': 200 });
    if (path === '/small') return void stream.end('small');
    const more = (): void => {
      while (given < 32 * MIB) {
        given += 65_536;
        if (!stream.write(Buffer.alloc(65_536))) return void stream.once('drain', more);
      }
      stream.end();
    };
    more();
  });
  const slow = (await service.request({ ...get, path: '/large' })).body[Symbol.asyncIterator]();
  await slow.next();
  await delay(200);
  expect(given).toBeLessThan(2 * MIB);
  expect((await whole(await service.request({ ...get, path: '/small' }))).toString()).toBe('small');
  let bytes = 0;
  for (let step = await slow.next(); step.done !== true; step = await slow.next()) bytes += step.value.length;
  expect(bytes).toBeGreaterThan(31 * MIB);
});

test('a service that does not read holds its sender back', async () => {
  const { service } = stage((stream) => stream.respond({ ':status': 200 }));
  let taken = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      taken += 65_536;
      yield Buffer.alloc(65_536);
    }
  }
  const over = new AbortController();
  await service.request({ ...get, method: 'POST', body: endless(), signal: over.signal });
  await delay(200);
  expect(taken).toBeLessThan(1 * MIB);
  over.abort();
  await expect(service.ping()).resolves.toBeGreaterThanOrEqual(0);
});

test('a request is cancelled before its answer, within it, and by leaving off', async () => {
  const codes: number[] = [];
  let silent = 0;
  const { service } = stage((stream, path) => {
    if (path === '/silent') silent += 1;
    stream.once('close', () => codes.push(stream.rstCode ?? -1));
    if (path === '/silent') return;
    stream.respond({ ':status': 200 });
    stream.write(Buffer.alloc(1000));
  });
  const first = new AbortController();
  const answer = service.request({ ...get, path: '/silent', signal: first.signal });
  await expect.poll(() => silent).toBe(1);
  first.abort();
  await expect(answer).rejects.toMatchObject({ code: 'CANCELLED' });
  const second = new AbortController();
  const { body } = await service.request({ ...get, signal: second.signal });
  const chunks = body[Symbol.asyncIterator]();
  await chunks.next();
  const next = chunks.next();
  second.abort();
  await expect(next).rejects.toMatchObject({ code: 'CANCELLED' });
  for await (const _ of (await service.request(get)).body) break;
  await (await service.request(get)).body[Symbol.asyncIterator]().return?.();
  await service.ping();
  await expect.poll(() => codes).toEqual([8, 8, 8, 8]);
  const third = AbortSignal.abort();
  await expect(service.request({ ...get, signal: third })).rejects.toMatchObject({ code: 'CANCELLED' });
});

test('a failing body is the request’s failure, and ends nothing else', async () => {
  const { service } = stage((stream) => stream.resume());
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(10);
    throw new Error('the file is gone');
  }
  const answer = service.request({ ...get, method: 'POST', body: broken() });
  await expect(answer).rejects.toMatchObject({ message: 'the file is gone' });
  expect(await service.ping()).toBeGreaterThanOrEqual(0);
});

test('silence ends a request, and frozen time is no silence', async () => {
  const clock = new FakeClock();
  const { service } = stage(() => undefined, { clock, pingEveryMs: 3_600_000 });
  let ended = '';
  const answer = service.request({ ...get, silenceMs: 10_000 }).catch((error: { code: string; message: string }) => {
    ended = `${error.code} ${error.message}`;
  });
  await clock.advance(5_000);
  service.frozen(true);
  await clock.advance(3_600_000);
  expect(ended).toBe('');
  service.frozen(false);
  await clock.advance(4_000);
  expect(ended).toBe('');
  await clock.advance(1_500);
  await answer;
  expect(ended).toBe('TIMEOUT the service did nothing for 10 s');
});

test('a service that answers no ping is over, and a frozen one is not asked', async () => {
  const clock = new FakeClock();
  const fake = serviceRun();
  fake.input.resume();
  const service = openService(fake.run, { clock });
  service.frozen(true);
  await clock.advance(3_600_000);
  service.frozen(false);
  await clock.advance(25_000);
  expect(fake.shuts()).toBe(0);
  await clock.advance(6_000);
  expect(await service.ended).toMatchObject({ code: 'WORKLOAD_FAILED', message: /answered nothing for 20 s/ });
  expect(fake.shuts()).toBeGreaterThan(0);
  expect(clock.pending()).toBe(0);
});

test('the end of the container ends every request, and says what it said', async () => {
  const { fake, service } = stage(() => undefined);
  const answer = service.request(get);
  fake.stderr.write('cannot open the store\n');
  await service.ping();
  fake.exit(3);
  await expect(answer).rejects.toMatchObject({ code: 'WORKLOAD_FAILED' });
  const why = await service.ended;
  expect(why?.message).toMatch(/(exit code 3|closed its door).*cannot open the store/);
  await expect(service.request(get)).rejects.toBe(why);
  await expect(service.ping()).rejects.toBe(why);
});

test('closing ends the input, which ends the container', async () => {
  const { fake, service } = stage(echo);
  await whole(await service.request({ ...get, method: 'POST', body: pieces(1, 100) }));
  service.close();
  expect(await service.ended).toBeNull();
  expect(fake.shuts()).toBeGreaterThan(0);
  await expect(service.request(get)).rejects.toMatchObject({ code: 'CANCELLED' });
});

test('every byte passes the meter, and a passage that holds back holds the stream back', async () => {
  const passed = { in: 0, out: 0 };
  let gate: () => void = () => undefined;
  const { service } = stage(echo, {
    passage: () => async (direction, bytes) => {
      passed[direction] += bytes;
      if (direction === 'out') await new Promise<void>((resolve) => (gate = resolve));
    },
  });
  const answer = await service.request({ ...get, method: 'POST', body: pieces(1, 5_000) });
  const read = whole(answer);
  await expect.poll(() => passed.out).toBeGreaterThan(0);
  const opener = setInterval(() => gate(), 1);
  expect((await read).length).toBe(5_000);
  clearInterval(opener);
  expect(passed).toEqual({ in: 5_000, out: 5_000 });
});
