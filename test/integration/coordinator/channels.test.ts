import { createHash, randomBytes } from 'node:crypto';
import { connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dialRelay } from '../../../agent/adapters/relay.ts';
import type { ChannelRoute } from '../../../agent/channel/routes.ts';
import { openChannel } from '../../../cli/channel.ts';
import { channelTo } from '../../../cli/channels.ts';
import { Consumer } from '../../../cli/consumer.ts';
import { API } from '../../../core/api.ts';
import { fail } from '../../../core/errors.ts';
import { newAccount } from '../../support/chain.ts';
import { heeding, keepChannels } from '../../support/channel.ts';
import type { TestDevice } from '../../support/device.ts';
import { TestNetwork } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

const MIB = 1024 * 1024;

async function* zeros(pieces: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < pieces; at++) yield new Uint8Array(64 * 1024);
}

let taken = 0;
const routes: readonly ChannelRoute[] = [
  {
    method: 'GET',
    path: '/v1/echo/:word',
    handle: async ({ params, consumer }) => ({
      status: 200,
      headers: { 'x-consumer': consumer },
      body: Buffer.from(params['word'] ?? ''),
    }),
  },
  {
    method: 'PUT',
    path: '/v1/hash',
    async handle({ body }) {
      const hash = createHash('sha256');
      for await (const part of body) {
        hash.update(part);
        taken += part.length;
      }
      return { status: 201, body: hash.digest() };
    },
  },
  { method: 'GET', path: '/v1/zeros', handle: async () => ({ status: 200, body: zeros(4_096) }) },
  { method: 'GET', path: '/v1/refused', handle: async () => fail('DISK_FULL', 'no room is left') },
  { method: 'GET', path: '/v1/broken', handle: async () => Promise.reject(new Error('a secret of ours')) },
];

const read = async (body: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
};

describe('a channel between a consumer and a device', () => {
  let network: TestNetwork;
  let device: TestDevice;
  let consumer: Consumer;
  let kept: ReturnType<typeof keepChannels>;
  beforeAll(async () => {
    network = await TestNetwork.start({ relay: { perAccount: 3 } });
    device = await network.device(0);
    kept = keepChannels(device, routes);
    consumer = await Consumer.connect(network.url, newAccount().privateKey);
  }, 120_000);
  afterAll(async () => {
    await kept.keeper.close();
    await network.stop();
  });

  const open = () => heeding(kept.heed, () => channelTo(consumer, device.key.address, 'storage'));

  it('carries requests both ways, many at a time, with the names of both proven', async () => {
    const channel = await open();
    const words = Array.from({ length: 40 }, (_, at) => `word-${at}`);
    const answers = await Promise.all(
      words.map(async (word) => {
        const { status, headers, body } = await channel.request({ method: 'GET', path: `/v1/echo/${word}` });
        expect(status).toBe(200);
        expect(headers['x-consumer']).toBe(consumer.address);
        return (await read(body)).toString();
      }),
    );
    expect(answers).toEqual(words);
    const data = randomBytes(5 * MIB);
    const { status, body } = await channel.request({ method: 'PUT', path: '/v1/hash', body: data });
    expect(status).toBe(201);
    expect(await read(body)).toEqual(createHash('sha256').update(data).digest());
    expect((await read((await channel.request({ method: 'GET', path: '/v1/zeros' })).body)).length).toBe(256 * MIB);
    channel.close();
    expect(await channel.ended).toBeNull();
    await until('the device has let go', async () => kept.keeper.open() === 0);
  });

  it('tells the failures of the device, and nothing of its inner faults', async () => {
    const channel = await open();
    const ask = (path: string) => channel.request({ method: 'GET', path });
    await expect(ask('/v1/refused')).rejects.toMatchObject({ code: 'DISK_FULL', message: 'no room is left' });
    await expect(ask('/v1/nowhere')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const fault = await ask('/v1/broken').catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: 'INTERNAL' });
    expect(String(fault)).not.toContain('secret');
    expect((await read((await ask('/v1/echo/still')).body)).toString()).toBe('still');
    channel.close();
  });

  it('is held back by who reads slowly, end to end', async () => {
    const channel = await open();
    taken = 0;
    let given = 0;
    async function* flood(): AsyncGenerator<Uint8Array> {
      for (; given < 64 * MIB; given += 64 * 1024) yield new Uint8Array(64 * 1024);
    }
    const { body } = await channel.request({ method: 'GET', path: '/v1/zeros' });
    const sent = channel.request({ method: 'PUT', path: '/v1/hash', body: flood() });
    const first = await body[Symbol.asyncIterator]().next();
    expect(first.done).toBe(false);
    // The unread answer holds nothing else up.
    expect((await read((await sent).body)).length).toBe(32);
    expect(taken).toBe(64 * MIB);
    channel.close();
  });

  it('is refused to who has no ticket, comes twice, or comes as somebody else', async () => {
    const grant = await consumer.client.call(API.channel, { body: { device: device.key.address, purpose: 'edge' } });
    const { channelId, ticket } = grant;
    await expect(dialRelay(network.url, { channelId, ticket: 'x'.repeat(43) })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    const socket = await dialRelay(network.url, { channelId, ticket });
    await expect(dialRelay(network.url, { channelId, ticket })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const stranger = await Consumer.connect(network.url, newAccount().privateKey);
    const ends = { network: stranger.network, device: device.key.address, channelId, direct: false };
    const opening = openChannel(socket, { ...ends, consumer: stranger.address, sign: stranger.prove });
    await expect(heeding(kept.heed, () => opening)).rejects.toMatchObject({ code: 'UNAUTHORISED' });
    await until('the device has let go', async () => kept.keeper.open() === 0);
  });

  it('shows a relay nothing, and one that changes a byte is found', async () => {
    const spied: Buffer[] = [];
    let spoil = false;
    const spy = createServer((from) => {
      const to = connect(Number(new URL(network.url).port), '127.0.0.1');
      to.pipe(from);
      for (const end of [from, to]) end.on('error', () => undefined);
      from.on('data', (part: Buffer) => {
        spied.push(Buffer.from(part));
        if (spoil) part.writeUInt8(part.readUInt8(part.length - 1) ^ 1, part.length - 1);
        to.write(part);
      });
      from.on('close', () => to.destroy());
    });
    await new Promise<void>((resolve) => spy.listen(0, '127.0.0.1', resolve));
    const { port } = spy.address() as { port: number };
    const grant = await consumer.client.call(API.channel, { body: { device: device.key.address, purpose: 'storage' } });
    const socket = await dialRelay(`http://127.0.0.1:${port}`, grant);
    const ends = { network: consumer.network, device: device.key.address, channelId: grant.channelId, direct: false };
    const channel = await heeding(kept.heed, () =>
      openChannel(socket, { ...ends, consumer: consumer.address, sign: consumer.prove }),
    );
    const secret = 'a shard that nobody else may see'.repeat(64);
    await read((await channel.request({ method: 'PUT', path: '/v1/hash', body: Buffer.from(secret) })).body);
    expect(Buffer.concat(spied).includes(secret.slice(0, 32))).toBe(false);
    spoil = true;
    const broken = channel.request({ method: 'PUT', path: '/v1/hash', body: Buffer.from(secret) });
    await expect(broken).rejects.toMatchObject({ code: 'COORDINATOR_AWAY' });
    expect(await channel.ended).not.toBeNull();
    spy.close();
  });

  it('ends with its other end, and leaves room for others', async () => {
    const channels = [await open(), await open(), await open()];
    await expect(open()).rejects.toMatchObject({ code: 'TOO_MANY' });
    const answer = await channels[0]?.request({ method: 'GET', path: '/v1/zeros' });
    await kept.keeper.close();
    await expect(read(answer?.body ?? zeros(0))).rejects.toMatchObject({ code: 'COORDINATOR_AWAY' });
    for (const channel of channels) expect(await channel.ended).not.toBeNull();
    const again = await until('room at the relay', async () => open().catch(() => undefined));
    again.close();
  });

  it('is not opened to a device that is away', async () => {
    const away = newAccount().address;
    await expect(channelTo(consumer, away, 'edge')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('leaves strangers at the relay with nothing', async () => {
    const address = new URL(network.url);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket: Socket = connect(Number(address.port), address.hostname, () =>
        socket.write(
          `GET /v1/relay/0x${'ab'.repeat(32)} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: idlemesh-relay\r\n\r\n`,
        ),
      );
      socket.once('data', (data) => resolve(String(data)));
      socket.once('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1.1 404 /);
    expect((await fetch(`${network.url}/v1/relay/0x${'ab'.repeat(32)}`)).status).toBe(400);
  });
});
