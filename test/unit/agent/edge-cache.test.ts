import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ChannelRequest } from '../../../agent/channel/routes.ts';
import { type EdgeSession, edgeRoutes, offerOf } from '../../../agent/edge/cache.ts';
import type { ChunkOf, EdgeDoor } from '../../../agent/edge/door.ts';
import { fail } from '../../../core/errors.ts';
import { inOne, readAll } from '../../support/edge.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';

const [hash, content, channelId] = [randomHex32(), randomHex32(), randomHex32()];
const data = randomBytes(1_000);

/** An edge that has one chunk, and notes what it was asked and whether answers were let go of. */
function stage(allow: () => Promise<void> = async () => undefined) {
  const asked: ChunkOf[] = [];
  const served: { session: EdgeSession; bytes: number }[] = [];
  let open = 0;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < data.length; at += 100) yield data.subarray(at, at + 100);
  }
  const body = (): AsyncIterable<Uint8Array> => {
    open += 1;
    const source = pieces();
    let closed = false;
    const close = (): void => {
      if (!closed) open -= 1;
      closed = true;
    };
    return {
      [Symbol.asyncIterator]: () => ({
        async next() {
          const step = await source.next();
          if (step.done === true) close();
          return step;
        },
        async return() {
          close();
          return await source.return(undefined);
        },
      }),
    };
  };
  const nothing = async () => fail('INTERNAL', 'not in this test');
  const door: EdgeDoor = {
    async get(chunk) {
      asked.push(chunk);
      return { bytes: data.length, body: body() };
    },
    put: async () => true,
    ...{ missing: async () => [hash], remove: nothing, usage: nothing, resize: nothing },
  };
  let serving: EdgeDoor | null = door;
  const rest = (): void => {
    serving = null;
  };
  const routes = edgeRoutes({
    door: () => serving,
    network: () => null,
    now: () => 1,
    meter: { allow, served: (session, bytes) => void served.push({ session, bytes }) },
  });
  const consumer = randomAddress();
  const request = (method: string, path: string, change: Partial<ChannelRequest> = {}) => {
    const route = routes.find((one) => one.method === method && one.path === path);
    return (route?.handle ?? nothing)({
      ...{ consumer, channelId, params: { hash, content }, headers: { 'idlemesh-content': content } },
      ...{ body: inOne(data), signal: new AbortController().signal },
      ...change,
    });
  };
  const get = (change: Partial<ChannelRequest> = {}) => request('GET', '/v1/chunks/:hash', change);
  return { asked, served, consumer, request, get, open: () => open, rest };
}

describe('what a device answers of published content', () => {
  it('is metered: allowed before, and told once when it is over', async () => {
    const { get, served, asked, consumer, open } = stage();
    const { body, headers } = await get();
    expect(headers).toEqual({ 'content-length': '1000' });
    expect(await readAll(body as AsyncIterable<Uint8Array>)).toEqual(data);
    const session = { channelId, consumer, content };
    expect(served).toEqual([{ session, bytes: 1_000 }]);
    // Without a grant it can only be its own.
    expect(asked).toEqual([{ hash, content, publisher: consumer }]);
    expect(open()).toBe(0);
  });

  it('is told with what was passed on, when its reader leaves in the middle or at once', async () => {
    const { get, served, open } = stage();
    for (const parts of [3, 0]) {
      const { body } = await get();
      const source = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
      for (let at = 0; at < parts; at++) await source.next();
      await source.return?.();
      await source.return?.();
    }
    expect(served.map(({ bytes }) => bytes)).toEqual([300, 0]);
    expect(open()).toBe(0);
  });

  it('is not given when it is not allowed, and holds nothing then', async () => {
    const { get, served, open } = stage(async () => fail('INSUFFICIENT_FUNDS', 'too much is unsigned'));
    await expect(get()).rejects.toMatchObject({ code: 'INSUFFICIENT_FUNDS' });
    expect([served.length, open()]).toEqual([0, 0]);
  });

  it('is refused before the edge hears of it, when it is not well asked for', async () => {
    const { get, request, asked, rest } = stage();
    await expect(get({ headers: {} })).rejects.toMatchObject({ code: 'BAD_INPUT' });
    await expect(get({ params: { hash: '../../etc/passwd' } })).rejects.toMatchObject({ code: 'BAD_INPUT' });
    const headers = { 'idlemesh-content': content, 'idlemesh-grant': 'x' };
    await expect(get({ headers })).rejects.toMatchObject({ code: 'BAD_INPUT' });
    await expect(request('PUT', '/v1/chunks/:hash')).rejects.toMatchObject({ code: 'BAD_INPUT' });
    expect(asked).toEqual([]);
    rest();
    await expect(get()).rejects.toMatchObject({ code: 'REFUSED' });
  });

  it('is offered as what is free, and what gives way', () => {
    const usage = { usedBytes: 30, budgetBytes: 100, chunks: 1, evicted: 0, corrupt: 0 };
    expect(offerOf(usage)).toEqual({ freeBytes: 70, usedBytes: 30 });
    expect(offerOf({ ...usage, budgetBytes: 10 })).toEqual({ freeBytes: 0, usedBytes: 10 });
  });

  it('never comes from anywhere else: nothing there can dial', () => {
    const root = join(import.meta.dirname, '../../..');
    const files = ['agent/edge', 'workloads/edge'].flatMap((folder) =>
      readdirSync(join(root, folder)).flatMap((name) => (/\.m?[jt]s$/.test(name) ? [join(root, folder, name)] : [])),
    );
    expect(files.length).toBeGreaterThan(4);
    for (const file of files) {
      // Types in comments are not imported.
      const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
      const imports = [...text.matchAll(/from '([^']+)'/g)].map(([, name]) => name ?? '');
      const dials = imports.filter((name) =>
        /^(node:)?(net|tls|http|https|dgram|dns|child_process|undici|ws)\b/.test(name),
      );
      expect([file, dials]).toEqual([file, []]);
      expect(/\b(fetch|connect|WebSocket|XMLHttpRequest|import)\s*\(/.test(text)).toBe(false);
    }
  });
});
