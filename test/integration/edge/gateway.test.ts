import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Gateway, startGateway } from '../../../cli/edge/gateway.ts';
import { networkPlaces } from '../../../cli/edge/places.ts';
import { publishFolder } from '../../../cli/edge/publish.ts';
import { openContent } from '../../../cli/edge/reader.ts';
import { fail } from '../../../core/errors.ts';
import { ANYBODY } from '../../../core/grant.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { EdgeStage } from '../../support/edge-stage.ts';
import { until } from '../../support/wait.ts';

const MIB = 1024 * 1024;
const film = randomBytes(5 * MIB + 321);
const files: Readonly<Record<string, Uint8Array | string>> = {
  'index.html': '<h1>front</h1>',
  'about/index.html': '<h1>about</h1>',
  'film.mp4': film,
  'data/日本 1.json': '{"a":1}',
  'empty.txt': '',
  unknown: 'plain',
};

describe('the gateway', () => {
  let stage: EdgeStage;
  let gateway: Gateway;
  let content: Hex32;
  let work: string;
  beforeAll(async () => {
    stage = await EdgeStage.start(2);
    const publisher = await stage.publisher();
    work = await mkdtemp(join(tmpdir(), 'idlemesh-gateway-'));
    for (const [path, data] of Object.entries(files)) {
      await mkdir(dirname(join(work, path)), { recursive: true });
      await writeFile(join(work, path), data);
    }
    const asked = { places: publisher.places, publisher: publisher.address, folder: work, copies: 2 };
    ({ content } = await publishFolder({ ...asked, signal: new AbortController().signal }));
    gateway = await open(await publisher.grant(content, ANYBODY));
  }, 120_000);
  afterEach(() => {
    for (const edge of stage.edges) edge.instead = [];
    stage.meter = async () => undefined;
  });
  afterAll(async () => {
    await gateway.close();
    await stage.stop();
    await rm(work, { recursive: true, force: true });
  });

  async function open(grant: string): Promise<Gateway> {
    const places = networkPlaces(await stage.reader());
    const payer = { received: () => undefined, settle: async () => undefined };
    return await startGateway({ open: (name) => openContent(name, { places, payer, grant }), port: 0 });
  }
  /** A gateway that has nothing in memory. */
  async function fresh(): Promise<Gateway> {
    const publisher = await stage.publisher();
    const folder = await mkdtemp(join(work, 'fresh-'));
    await writeFile(join(folder, 'film.mp4'), film);
    await writeFile(join(folder, 'one'), randomBytes(32));
    const asked = { places: publisher.places, publisher: publisher.address, folder, copies: 2 };
    ({ content: other } = await publishFolder({ ...asked, signal: new AbortController().signal }));
    return await open(await publisher.grant(other, ANYBODY));
  }
  let other: Hex32;
  const get = (path: string, init: RequestInit = {}, from = gateway) =>
    fetch(`${from.url}/${path}`, { redirect: 'manual', ...init });
  const range = (value: string, more: Record<string, string> = {}) => ({ headers: { range: value, ...more } });

  it('serves files with their type, their tag, and nothing that reaches other content', async () => {
    const page = await get(`${content}/`);
    expect([page.status, await page.text()]).toEqual([200, '<h1>front</h1>']);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toMatch(/^sandbox/);
    expect(page.headers.get('access-control-allow-origin')).toBeNull();
    const hash = `"0x${createHash('sha256').update('<h1>front</h1>').digest('hex')}"`;
    expect(page.headers.get('etag')).toBe(hash);
    expect((await get(`${content}/index.html`, { headers: { 'if-none-match': hash } })).status).toBe(304);
    expect((await get(`${content}/index.html`, { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
    const json = await get(`${content}/data/${encodeURIComponent('日本 1.json')}?x=1`);
    expect([json.headers.get('content-type'), await json.json()]).toEqual([
      'application/json; charset=utf-8',
      { a: 1 },
    ]);
    expect((await get(`${content}/unknown`)).headers.get('content-type')).toBe('application/octet-stream');
    expect((await get(content)).headers.get('location')).toBe(`/${content}/`);
    expect((await get(`${content}/about`)).headers.get('location')).toBe('./about/');
    expect(await (await get(`${content}/about/`)).text()).toBe('<h1>about</h1>');
    const empty = await get(`${content}/empty.txt`, range('bytes=0-5'));
    expect([empty.status, await empty.text()]).toEqual([416, '']);
    expect((await get(`${content}/empty.txt`)).status).toBe(200);
  });

  it('serves whole files and ranges of them byte for byte', async () => {
    const whole = await get(`${content}/film.mp4`);
    expect(whole.headers.get('content-type')).toBe('video/mp4');
    expect(film.equals(Buffer.from(await whole.arrayBuffer()))).toBe(true);
    const ranges = [
      [0, 0],
      [MIB - 1, MIB],
      [MIB, 2 * MIB - 1],
      [12_345, 4 * MIB + 1],
      [film.length - 1, film.length + 100],
    ] as const;
    for (const [from, to] of ranges) {
      const part = await get(`${content}/film.mp4`, range(`bytes=${from}-${to}`));
      const last = Math.min(to, film.length - 1);
      expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes ${from}-${last}/${film.length}`]);
      expect(film.subarray(from, last + 1).equals(Buffer.from(await part.arrayBuffer()))).toBe(true);
    }
    const tail = await get(`${content}/film.mp4`, range('bytes=-7'));
    expect(Buffer.from(await tail.arrayBuffer())).toEqual(film.subarray(-7));
    const beyond = await get(`${content}/film.mp4`, range(`bytes=${film.length}-`));
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${film.length}`]);
    const head = await get(`${content}/film.mp4`, { method: 'HEAD', ...range('bytes=5-9') });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([206, '5', '']);
    const tag = head.headers.get('etag') ?? '';
    expect((await get(`${content}/film.mp4`, range('bytes=0-4', { 'if-range': tag }))).status).toBe(206);
    const changed = await get(`${content}/film.mp4`, range('bytes=0-4', { 'if-range': '"other"' }));
    expect(changed.status).toBe(200);
    await changed.body?.cancel();
  });

  it('asks for a chunk once, however many want parts of it', async () => {
    const own = await fresh();
    const asked = () =>
      stage.edges.reduce(
        (sum, { served }) => sum + served.filter(({ session }) => session.content === other).length,
        0,
      );
    const parts = Array.from({ length: 30 }, (_, at) =>
      get(`${other}/film.mp4`, range(`bytes=${at * 100}-${at * 100 + 99}`), own),
    );
    for (const part of await Promise.all(parts)) expect((await part.arrayBuffer()).byteLength).toBe(100);
    await until('what was served to be told', () => asked() === 2);
    await own.close();
  });

  it('passes on nothing of a wrong chunk', async () => {
    const own = await fresh();
    expect((await get(`${other}/one`, {}, own)).status).toBe(200);
    const marked = Buffer.from('not what was asked for');
    for (const edge of stage.edges) {
      edge.instead = [
        {
          ...{ method: 'GET', path: '/v1/chunks/:hash' },
          async handle({ params, headers }) {
            const name = {
              hash: params['hash'],
              content: headers['idlemesh-content'],
              publisher: headers['idlemesh-grant']?.split('.')[1],
            };
            const { bytes } = await edge.edge.door.get(name as Parameters<typeof edge.edge.door.get>[0]);
            return { status: 200, body: Buffer.alloc(bytes, marked) };
          },
        },
      ];
    }
    const got = await get(`${other}/film.mp4`, range(`bytes=${MIB}-${MIB + 50}`), own);
    expect(got.status).toBe(502);
    expect(await got.text()).not.toContain(marked.toString());
    await own.close();
  });

  it('ends an answer short when a later chunk cannot be had, and never fills it up', async () => {
    const own = await fresh();
    // What is in memory is good; whatever comes from now on is not.
    expect((await get(`${other}/film.mp4`, range('bytes=0-0'), own)).status).toBe(206);
    for (const edge of stage.edges) {
      edge.instead = [
        {
          ...{ method: 'GET', path: '/v1/chunks/:hash' },
          handle: async () => ({ status: 200, body: Buffer.alloc(MIB, 7) }),
        },
      ];
    }
    const received = await new Promise<Buffer>((resolve, reject) => {
      const parts: Buffer[] = [];
      const asking = request(`${own.url}/${other}/film.mp4`, (answer) => {
        if (answer.statusCode !== 200) reject(new Error(`it answered ${answer.statusCode}`));
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => reject(new Error('it looked like a whole file')));
        answer.on('error', () => resolve(Buffer.concat(parts)));
      });
      asking.on('error', reject);
      asking.end();
    });
    expect(film.subarray(0, MIB).equals(received)).toBe(true);
    await own.close();
  });

  it('goes on when a device dies in the middle', async () => {
    const own = await fresh();
    const answer = await get(`${other}/film.mp4`, {}, own);
    const [dying] = stage.edges;
    await dying?.keeper.close();
    expect(film.equals(Buffer.from(await answer.arrayBuffer()))).toBe(true);
    await own.close();
  });

  it('tells who does not pay, and serves nothing then', async () => {
    const own = await fresh();
    expect((await get(`${other}/one`, {}, own)).status).toBe(200);
    const before = stage.edges.map(({ served }) => served.length);
    stage.meter = async () => fail('INSUFFICIENT_FUNDS', 'too much is unsigned');
    const answer = await get(`${other}/film.mp4`, {}, own);
    expect([answer.status, await answer.text()]).toEqual([402, expect.stringContaining('too much is unsigned')]);
    expect(stage.edges.map(({ served }) => served.length)).toEqual(before);
    await own.close();
  });

  it('answers nobody but this machine, and nothing but what is asked for', async () => {
    const raw = (headers: Record<string, string>, path = `/${content}/`, method = 'GET') =>
      new Promise<number>((resolve, reject) => {
        request({ host: '127.0.0.1', port: Number(new URL(gateway.url).port), path, method, headers }, (answer) => {
          answer.resume();
          resolve(answer.statusCode ?? 0);
        })
          .on('error', reject)
          .end();
      });
    expect(await raw({ host: 'evil.example' })).toBe(421);
    expect(await raw({ host: 'localhost:1' })).toBe(200);
    expect(await raw({ host: '127.0.0.1' }, `/${content}/`, 'POST')).toBe(405);
    expect(await raw({ host: '127.0.0.1' }, 'http://example.com/')).toBe(404);
    expect(await raw({ host: '127.0.0.1' }, `/${content}/%ff`)).toBe(400);
    expect(await raw({ host: '127.0.0.1' }, `/${content}/../../etc/passwd`)).toBe(404);
    expect(await raw({ host: '127.0.0.1' }, `/${content}/constructor`)).toBe(404);
    expect((await get(`0x${'00'.repeat(32)}/`)).status).toBe(404);
    expect((await get('favicon.ico')).status).toBe(404);
    const port = Number(new URL(gateway.url).port);
    await expect(startGateway({ open: () => fail('INTERNAL', 'never'), port })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
  });
});
