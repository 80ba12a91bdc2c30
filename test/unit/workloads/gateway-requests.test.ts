import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readConfig, readControl } from '../../../workloads/gateway/config.mjs';
import { readAnswer, readRequest, splitHead } from '../../../workloads/gateway/head.mjs';
import { createMeter } from '../../../workloads/gateway/meter.mjs';
import { createReports } from '../../../workloads/gateway/reports.mjs';
import { FakeClock } from '../../fakes/clock.ts';

const split = (text: string) => splitHead(Buffer.from(text, 'latin1'));
const read = (text: string) => {
  const whole = split(text);
  if (whole === null) throw new Error('no end');
  return readRequest(whole.head);
};
const statusOf = (text: string): number => {
  try {
    read(text);
    return 200;
  } catch (error) {
    return (error as { readonly status: number }).status;
  }
};
const get = (fields: string, target = 'http://a.org/'): string => `GET ${target} HTTP/1.1\r\n${fields}\r\n\r\n`;
const HOST = 'Host: a.org';

test('what goes on is written anew, without the fields of this hop, and asks for one request a connection', () => {
  const fields = [
    ...[
      'HOST: A.org:80',
      'Connection: keep-alive, X-Secret',
      'X-Secret: 1',
      'Keep-Alive: 5',
      'TE: trailers',
      'Upgrade: h2c',
    ],
    ...[
      'Proxy-Authorization: Basic x',
      'Proxy-Connection: close',
      'Expect: 100-continue',
      'Trailer: X',
      'Accept:  */*  ',
    ],
    ...['Content-Length: 3', 'X-Empty:'],
  ];
  const request = read(`POST http://a.org/p?q=1 HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\nabc`);
  expect(request).toMatchObject({ kind: 'plain', target: { host: 'a.org', port: 80 }, bodyBytes: 3 });
  expect(request.kind === 'plain' && request.head.toString('latin1').split('\r\n')).toEqual([
    ...[
      'POST /p?q=1 HTTP/1.1',
      'host: a.org',
      'accept: */*',
      'x-empty: ',
      'content-length: 3',
      'connection: close',
      '',
      '',
    ],
  ]);
  const bare = read(get('Host: a.org:8080', 'http://a.org:8080?q'));
  expect(bare.kind === 'plain' && bare.head.toString('latin1')).toBe(
    'GET /?q HTTP/1.1\r\nhost: a.org:8080\r\nconnection: close\r\n\r\n',
  );
});

test.each<[string, number, string]>([
  ['a plain one', 200, get(HOST)],
  ['CONNECT', 200, 'CONNECT a.org:443 HTTP/1.1\r\nHost: a.org:443\r\n\r\n'],
  ['CONNECT of HTTP/1.0 without a Host', 200, 'CONNECT a.org:443 HTTP/1.0\r\n\r\n'],
  ['CONNECT with a Host without a port', 200, 'CONNECT a.org:443 HTTP/1.1\r\nHost: a.org\r\n\r\n'],
  ['both lengths', 411, get(`${HOST}\r\nContent-Length: 1\r\nTransfer-Encoding: chunked`)],
  ['chunks', 411, get(`${HOST}\r\nTransfer-Encoding: chunked`)],
  ['chunks in other letters', 411, get(`${HOST}\r\ntransfer-ENCODING: xchunked`)],
  ['two lengths', 400, get(`${HOST}\r\nContent-Length: 1\r\nContent-Length: 1`)],
  ['a list of lengths', 400, get(`${HOST}\r\nContent-Length: 1, 1`)],
  ['a signed length', 400, get(`${HOST}\r\nContent-Length: +1`)],
  ['a hexadecimal length', 400, get(`${HOST}\r\nContent-Length: 0x1`)],
  ['a length with a zero before it', 400, get(`${HOST}\r\nContent-Length: 01`)],
  ['a length without a number', 400, get(`${HOST}\r\nContent-Length:`)],
  ['a length without end', 400, get(`${HOST}\r\nContent-Length: 99999999999999999999`)],
  ['no Host', 400, get('Accept: *')],
  ['two Hosts', 400, get(`${HOST}\r\n${HOST}`)],
  ['another Host', 400, get('Host: b.org')],
  ['another port in Host', 400, get('Host: a.org:81')],
  ['an address as Host', 403, get('Host: 127.0.0.1')],
  ['another Host for CONNECT', 400, 'CONNECT a.org:443 HTTP/1.1\r\nHost: b.org:443\r\n\r\n'],
  ['CONNECT with a body', 400, 'CONNECT a.org:443 HTTP/1.1\r\nContent-Length: 1\r\n\r\n'],
  ['CONNECT without a port', 400, 'CONNECT a.org HTTP/1.1\r\n\r\n'],
  ['CONNECT to a whole address', 403, 'CONNECT http://a.org:443/ HTTP/1.1\r\n\r\n'],
  ['a path alone', 400, get(HOST, '/')],
  ['another scheme', 400, get(HOST, 'https://a.org/')],
  ['a user in the address', 403, get(HOST, 'http://a.org@b.org/')],
  ['a backslash in the name', 403, get(HOST, 'http://a.org\\@b.org/')],
  ['a percent sign in the name', 403, get(HOST, 'http://a%2eorg/')],
  ['a fragment', 400, get(HOST, 'http://a.org/#x')],
  ['HTTP/1.0', 400, `GET http://a.org/ HTTP/1.0\r\n${HOST}\r\n\r\n`],
  ['HTTP/2.0', 400, `GET http://a.org/ HTTP/2.0\r\n${HOST}\r\n\r\n`],
  ['two spaces', 400, `GET  http://a.org/ HTTP/1.1\r\n${HOST}\r\n\r\n`],
  ['a tab', 400, `GET\thttp://a.org/ HTTP/1.1\r\n${HOST}\r\n\r\n`],
  ['a folded field', 400, get(`${HOST}\r\n X: y`)],
  ['a space before the colon', 400, get(`${HOST}\r\nContent-Length : 1`)],
  ['a field without a name', 400, get(`${HOST}\r\n: y`)],
  ['a carriage return within a field', 400, get(`${HOST}\r\nX: y\rZ: 1`)],
  ['a line that ends in a line feed alone', 400, get(`${HOST}\nContent-Length: 1`)],
  ['a NUL', 400, get(`${HOST}\r\nX: \0`)],
  ['an empty line first', 400, `\r\n${get(HOST)}`],
  ['too many fields', 431, get(`${HOST}${'\r\nX: y'.repeat(100)}`)],
  ['too long a head', 431, get(`${HOST}\r\nX: ${'y'.repeat(16_384)}`)],
])('a request with %s: %i', (_what, status, text) => {
  expect(statusOf(text)).toBe(status);
});

test('bytes at random are refused, or are a request whose Host is its target', () => {
  const piece = fc.constantFrom(
    'GET ',
    'http://a.org',
    'http://b.org',
    ':80',
    '/',
    ' HTTP/1.1',
    '\r\n',
    'Host: a.org',
    '\n',
    ' ',
    'Content-Length: 1',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 12 }), (pieces) => {
      const text = `${pieces.join('')}\r\n\r\n`;
      if (statusOf(text) !== 200) return true;
      const request = read(text);
      return request.kind === 'connect' || request.head.toString('latin1').includes(`\r\nhost: ${request.target.host}`);
    }),
    { numRuns: 2_000 },
  );
});

test('a head is whole or not there yet, however it is cut, and what follows it stays', () => {
  const text = `${get(HOST)}rest`;
  for (let at = 0; at < text.length - 4; at++) {
    const whole = split(text.slice(0, at));
    expect(whole === null).toBe(at < text.length - 4);
  }
  expect(split(text)?.rest.toString()).toBe('rest');
});

test('an answer goes back without the fields of its hop; an interim one not at all; a change of protocol never', () => {
  const answer = (text: string) => readAnswer(split(text)?.head ?? { first: '', fields: [] })?.toString('latin1');
  expect(answer('HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\nX: y\r\n\r\n')).toBe(
    'HTTP/1.1 200 OK\r\nx: y\r\nconnection: close\r\n\r\n',
  );
  expect(answer('HTTP/1.1 204\r\n\r\n')).toBe('HTTP/1.1 204\r\nconnection: close\r\n\r\n');
  expect(answer('HTTP/1.1 100 Continue\r\n\r\n')).toBeUndefined();
  for (const first of ['HTTP/1.1 101 Switching Protocols', 'SSH-2.0-x', 'HTTP/1.1 999 x', 'HTTP/2 200'])
    expect(() => answer(`${first}\r\n\r\n`)).toThrow();
});

describe('the meter', () => {
  const metered = (options: { readonly maxBytes?: number; readonly bytesPerSecond?: number | null }) => {
    const clock = new FakeClock();
    const meter = createMeter({ maxBytes: 1e9, bytesPerSecond: null, now: clock.now, after: clock.after, ...options });
    let passed = 0;
    const pass = (bytes: number) =>
      void meter.pass('received', bytes).then(
        () => {
          passed += bytes;
        },
        () => undefined,
      );
    return { clock, meter, pass, passed: () => passed };
  };

  test('lets not one byte beyond the cap pass, whatever the pieces and ways, and nothing after the first that did not fit', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(5_000), fc.array(fc.nat(1_000), { maxLength: 20 }), async (maxBytes, pieces) => {
        const { meter } = metered({ maxBytes });
        const ways = ['sent', 'received'] as const;
        let over = false;
        for (const [at, bytes] of pieces.entries()) {
          const passes = await meter.pass(ways[at % 2] ?? 'sent', bytes).then(
            () => true,
            ({ why }: { readonly why: string }) => why !== 'bytes',
          );
          expect(over && passes).toBe(false);
          over ||= !passes;
        }
        const { sent, received } = meter.counted();
        expect(sent + received).toBeLessThanOrEqual(maxBytes);
      }),
    );
  });

  test('holds to a rate that changes, stands still at 0, and makes up for nothing', async () => {
    const { clock, meter, pass, passed } = metered({ bytesPerSecond: 1_000 });
    for (let piece = 0; piece < 100; piece++) pass(100);
    await clock.advance(2_000);
    expect(passed()).toBeGreaterThanOrEqual(1_900);
    expect(passed()).toBeLessThanOrEqual(2_200);
    meter.limit(0);
    const held = passed();
    await clock.advance(10_000);
    expect(passed()).toBe(held);
    meter.limit(500);
    await clock.advance(2_000);
    expect(passed() - held).toBeGreaterThanOrEqual(900);
    expect(passed() - held).toBeLessThanOrEqual(1_200);
    meter.limit(null);
    await clock.advance(1);
    expect(passed()).toBe(10_000);
  });
});

test('reports come at once after a rest, then at a pace, and never more than whoever reads them takes', async () => {
  const clock = new FakeClock();
  const lines: string[] = [];
  const reports = createReports({
    say: (line) => lines.push(line),
    after: clock.after,
    counted: () => ({ sent: 1, received: 2 }),
  });
  for (let second = 0; second < 86_400; second += 1) {
    reports.refused('not-listed', { host: `${'a'.repeat(60)}.org`, port: 443 });
    await clock.advance(1_000);
  }
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    ...{ sent: 1, received: 2, refused: { 'not-listed': 1 } },
    last: { why: 'not-listed', host: `${'a'.repeat(60)}.org`, port: 443 },
  });
  expect(lines.join('\n').length).toBeLessThan(4 * 1024 * 1024);
  expect(lines.length).toBeGreaterThan(1_000);
});

test('a configuration that is not whole is refused, and a later line that is not known means nothing', () => {
  const good = {
    allow: [{ host: 'a.org', ports: [443] }],
    maxBytes: 1,
    maxConnections: 1,
    refuse: ['10.0.0.1/8'],
    bytesPerSecond: null,
  };
  expect(readConfig(JSON.stringify(good))).toMatchObject({ allow: good.allow, refuse: [{ bits: 104 }] });
  const bad = [
    ...[
      { allow: [{ host: 'a.org' }] },
      { allow: [{ host: 'a.org', ports: [0] }] },
      { maxBytes: -1 },
      { maxConnections: 0 },
    ],
    ...[{ refuse: ['10.0.0.1/33'] }, { refuse: ['nonsense'] }, { refuse: null }, { bytesPerSecond: '1' }],
  ];
  for (const change of bad) expect(() => readConfig(JSON.stringify({ ...good, ...change }))).toThrow();
  for (const line of ['', '[]', 'null', '{']) expect(() => readConfig(line)).toThrow();
  for (const line of ['', '[]', 'null', '{', '{"bytesPerSecond":-1}', '{"bytesPerSecond":"1"}'])
    expect(readControl(line)).toEqual({});
  expect(readControl('{"bytesPerSecond":5}')).toEqual({ bytesPerSecond: 5 });
  expect(readControl('{"bytesPerSecond":null}')).toEqual({ bytesPerSecond: null });
});
