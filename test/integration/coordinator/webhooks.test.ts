import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postOutside } from '../../../coordinator/post.ts';
import { type WebhookEvent, webhookEvent } from '../../../core/api-messages.ts';
import { encodeWire, problemDetails } from '../../../core/wire.ts';
import { putBlob, type TestConsumer } from '../../support/device.ts';
import { TestNetwork } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

const DAY = 24 * 60 * 60_000;
const INPUT = Buffer.from('a job that tells');

type Received = { readonly event: WebhookEvent; readonly headers: IncomingHttpHeaders; readonly body: string };

type Answer = number | 'silence' | 'late';

/** A receiver that answers what `answers` says, in turn; then 204. */
class Receiver {
  readonly received: Received[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<import('node:net').Socket>();

  private constructor(answers: Answer[], location: string) {
    this.#server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        this.received.push({ event: webhookEvent.parse(JSON.parse(body)), headers: request.headers, body });
        const status = answers.shift() ?? 204;
        if (status === 'late') setTimeout(() => response.writeHead(204).end(), 700);
        else if (status !== 'silence') response.writeHead(status, { location }).end();
      });
    });
    this.#server.on('connection', (socket) => this.#sockets.add(socket));
  }

  static async start(answers: Answer[] = [], location = ''): Promise<Receiver> {
    const receiver = new Receiver(answers, location);
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }
  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

let network: TestNetwork;
let skew = 0;
const logged: string[] = [];
beforeAll(async () => {
  network = await TestNetwork.start({
    ...{ loopbackWebhooks: true, clock: { now: () => Date.now() + skew } },
    log: (_level, event, fields) => void logged.push(`${event} ${fields?.['account']}`),
  });
}, 60_000);
afterAll(() => network.stop());

const call = (consumer: TestConsumer, method: string, path: string, body?: unknown): Promise<Response> =>
  fetch(`${network.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${consumer.token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: encodeWire(body) } : {}),
  });

async function ordered(consumer: TestConsumer, webhook: string): Promise<Response> {
  await consumer.access();
  await putBlob(network.url, consumer.token, INPUT);
  return await call(consumer, 'POST', '/v1/jobs', { ...(await consumer.makeOrder('echo', INPUT)), webhook });
}

async function cancelled(consumer: TestConsumer, webhook: string): Promise<string> {
  const { jobId } = await (await ordered(consumer, webhook)).json();
  await call(consumer, 'POST', `/v1/jobs/${jobId}/cancel`);
  return jobId;
}

/** Sent is not yet written down: a clock that is set forward in between would count from there. */
/** Whether a try is written down that failed, and with this answer: the next is so much later than that. */
async function failing(consumer: TestConsumer, status = 500): Promise<boolean> {
  const { webhooks } = await (await call(consumer, 'GET', '/v1/webhooks')).json();
  return webhooks[0]?.failingSince != null && webhooks[0].lastError.includes(String(status));
}

describe('word of a job that is over', () => {
  it('is sent once it is done, signed with the secret of the account', async () => {
    const [consumer, receiver, device] = [await network.consumer(), await Receiver.start(), await network.device()];
    const job = await (await ordered(consumer, receiver.url)).json();
    await device.finish(await device.nextLease(), Buffer.from('out'));
    await until('the word', () => receiver.received[0]);
    const [{ event, headers, body }] = receiver.received as [Received];
    expect(event).toMatchObject({ type: 'job.done', data: { jobId: job.jobId, state: 'done' } });
    const { secret } = await (await call(consumer, 'GET', '/v1/webhooks/secret')).json();
    const seal = createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64'))
      .update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`)
      .digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${seal}`);
    await device.hangUp();
    receiver.stop();
  });

  it('is sent again until it is received, under one name', async () => {
    const [consumer, receiver] = [await network.consumer(), await Receiver.start([500, 503])];
    const jobId = await cancelled(consumer, receiver.url);
    await until('the first try to be written down', () => failing(consumer));
    skew += 10_000;
    await until('the second try to be written down', () => failing(consumer, 503));
    skew += 60_000;
    await until('the third try', () => receiver.received.length === 3);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id']))).toEqual(
      new Set([`msg_${jobId.slice(2)}`]),
    );
    await until('it to be forgotten', async () => {
      const { webhooks } = await (await call(consumer, 'GET', '/v1/webhooks')).json();
      return webhooks[0].waiting === 0 && webhooks[0].failingSince === null;
    });
    receiver.stop();
  });

  it('outlives a restart of the coordinator', async () => {
    const [consumer, receiver] = [await network.consumer(), await Receiver.start([500])];
    await cancelled(consumer, receiver.url);
    await until('the first try to be written down', () => failing(consumer));
    await network.restart();
    skew += 10_000;
    await until('the second try', () => receiver.received.length === 2);
    expect(receiver.received[1]?.event.type).toBe('job.cancelled');
    receiver.stop();
  });

  it('that is on its way when the coordinator goes down arrives, and is not sent again', async () => {
    const [consumer, receiver] = [await network.consumer(), await Receiver.start(['late'])];
    await cancelled(consumer, receiver.url);
    await until('the word', () => receiver.received.length === 1);
    await network.restart();
    const { webhooks } = await (await call(consumer, 'GET', '/v1/webhooks')).json();
    expect(webhooks[0]).toMatchObject({ waiting: 0, failingSince: null });
    receiver.stop();
  });

  it('does not wait behind a receiver of another that is slow', async () => {
    const slow = await Receiver.start(Array.from({ length: 40 }, () => 'silence' as const));
    const [patient, other] = [await network.consumer(), await network.consumer()];
    for (let at = 0; at < 12; at++) await cancelled(patient, slow.url);
    const receiver = await Receiver.start();
    await cancelled(other, receiver.url);
    await until('the word', () => receiver.received.length === 1, 5_000);
    // Of one account so many are under way at once, and no more.
    expect(slow.received.length).toBeLessThanOrEqual(8);
    slow.stop();
    receiver.stop();
  });

  it('does not follow where a receiver sends it', async () => {
    const end = await Receiver.start();
    const [consumer, receiver] = [await network.consumer(), await Receiver.start([307], end.url)];
    await cancelled(consumer, receiver.url);
    await until('it to be refused', async () => {
      const { webhooks } = await (await call(consumer, 'GET', '/v1/webhooks')).json();
      return webhooks[0].lastError === 'it answered 307';
    });
    expect(end.received).toEqual([]);
    end.stop();
    receiver.stop();
  });

  it('is no longer sent where it failed for a day, until that is enabled again', async () => {
    const [consumer, receiver] = [await network.consumer(), await Receiver.start([500, 500])];
    await cancelled(consumer, receiver.url);
    await until('the first try to be written down', () => failing(consumer));
    skew += DAY + 1;
    // Written down, not only sent: a clock that is set back in between would count from there.
    await until('the second try', () => logged.includes(`webhook-disabled ${consumer.account.address.toLowerCase()}`));
    expect(receiver.received).toHaveLength(2);
    // An access token is asked for with the consumer's own clock.
    skew -= DAY + 1;
    await until('the endpoint to be disabled', async () => {
      await consumer.access();
      const { webhooks } = await (await call(consumer, 'GET', '/v1/webhooks')).json();
      return webhooks[0].disabledAt !== null;
    });
    const refused = problemDetails.parse(await (await ordered(consumer, receiver.url)).json());
    expect(refused).toMatchObject({ code: 'REFUSED', detail: expect.stringContaining('disabled') });
    await call(consumer, 'POST', '/v1/webhooks/enable', { url: receiver.url });
    await cancelled(consumer, receiver.url);
    await until('the word', () => receiver.received.length === 3);
    receiver.stop();
  });
});

describe('an address that word is sent to', () => {
  const never = new AbortController().signal;
  const sendTo = (url: string, found: readonly string[]) =>
    postOutside({ url, body: '{}', headers: {}, lookup: async () => found, loopback: false, signal: never });

  it.each([
    ['https://127.0.0.1/', []],
    ['https://[::1]/', []],
    ['https://10.1.2.3/', []],
    ['https://169.254.169.254/latest', []],
    ['https://[::ffff:192.168.0.1]/', []],
    ['https://2130706433/', []],
    ['https://inside.example/', ['192.168.1.1']],
    ['https://mixed.example/', ['93.184.216.34', '127.0.0.1']],
    ['https://wrapped.example/', ['64:ff9b::7f00:1']],
  ])('is refused when it is not of the public internet: %s', async (url, found) => {
    await expect(sendTo(url, found)).rejects.toMatchObject({ code: 'REFUSED' });
  });

  it('is https, without a password', async () => {
    const consumer = await network.consumer();
    for (const url of ['http://example.org/', 'https://user:secret@example.org/']) {
      expect((await ordered(consumer, url)).status).toBe(400);
    }
  });
});
