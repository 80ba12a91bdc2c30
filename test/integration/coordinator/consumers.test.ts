import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, API } from '../../../core/api.ts';
import type { Endpoint } from '../../../core/endpoint.ts';
import { parseTokens } from '../../../core/money.ts';
import { encodeWire, problemDetails } from '../../../core/wire.ts';
import { putBlob, randomHex32, type TestConsumer } from '../../support/device.ts';
import { PRICE, TestNetwork } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

let network: TestNetwork;
beforeAll(async () => {
  network = await TestNetwork.start({ quotas: { maxOpenJobs: 6, burst: 200, perSecond: 20 } });
}, 60_000);
afterAll(() => network.stop());

type Ask = { readonly token?: string; readonly body?: unknown; readonly at?: string };

const send = (endpoint: Endpoint, { token, body, at }: Ask): Promise<Response> =>
  fetch(`${network.url}${at ?? endpoint.path}`, {
    method: endpoint.method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: encodeWire(body) }),
  });

async function ask<E extends Endpoint>(endpoint: E, what: Ask): Promise<Answer<E>> {
  const response = await send(endpoint, what);
  const text = await response.text();
  if (response.status !== endpoint.status || typeof endpoint.answer === 'string') throw new Error(text);
  return endpoint.answer.parse(JSON.parse(text)) as Answer<E>;
}

async function refusal(endpoint: Endpoint, what: Ask) {
  const response = await send(endpoint, what);
  return { ...problemDetails.parse(await response.json()), headers: response.headers };
}

/** A consumer with a token and its input uploaded. */
async function buyer(amount = parseTokens('10')): Promise<TestConsumer> {
  const consumer = await network.consumer(amount);
  await consumer.access();
  await putBlob(network.url, consumer.token, INPUT);
  return consumer;
}
const INPUT = Buffer.from('what is to be echoed');

describe('a job that is cancelled', () => {
  it('gives its whole hold back when nothing was computed, and again changes nothing', async () => {
    const consumer = await buyer();
    const job = await consumer.submit('echo', INPUT);
    const at = `/v1/jobs/${job.jobId}/cancel`;
    const first = await ask(API.cancel, { token: consumer.token, at });
    expect(first).toMatchObject({ state: 'cancelled', charged: 0n });
    expect(await ask(API.cancel, { token: consumer.token, at })).toEqual(first);
    expect((await network.books(consumer.account.address)).deposit).toBe(parseTokens('10'));
  });

  it('is taken from the device that holds it, and that is not held against it', async () => {
    const consumer = await buyer();
    const device = await network.device();
    const job = await consumer.submit('echo', INPUT);
    const lease = await device.nextLease();
    await ask(API.cancel, { token: consumer.token, at: `/v1/jobs/${job.jobId}/cancel` });
    const told = await device.told('cancel', ({ leaseId }) => leaseId === lease.leaseId);
    expect(told.reason).toBe('cancelled by its consumer');
    await device.hangUp();
  });

  it('says that it is done when it is, and stays so', async () => {
    const consumer = await buyer();
    const device = await network.device();
    const job = await consumer.submit('echo', INPUT);
    await device.finish(await device.nextLease(), Buffer.from('echo'));
    const done = await consumer.follow(job.jobId, ['done']);
    expect(await ask(API.cancel, { token: consumer.token, at: `/v1/jobs/${job.jobId}/cancel` })).toEqual(done);
    await device.hangUp();
  });

  it('is not another’s to cancel', async () => {
    const [mine, other] = [await buyer(), await buyer()];
    const job = await mine.submit('echo', INPUT);
    const at = `/v1/jobs/${job.jobId}/cancel`;
    expect(await refusal(API.cancel, { token: other.token, at })).toMatchObject({ status: 404 });
    expect(await mine.job(job.jobId)).toMatchObject({ state: 'queued' });
    await ask(API.cancel, { token: mine.token, at });
  });
});

describe('the list of jobs', () => {
  it('shows only the caller’s own, newest first, page by page, and what is filtered for', async () => {
    const [mine, other] = [await buyer(), await buyer()];
    await other.submit('echo', INPUT);
    const ordered: string[] = [];
    for (let at = 0; at < 5; at++) ordered.unshift((await mine.submit('echo', INPUT)).jobId);
    await ask(API.cancel, { token: mine.token, at: `/v1/jobs/${ordered[4]}/cancel` });

    const seen: string[] = [];
    let next: string | null = '';
    for (let pages = 0; next !== null; pages++) {
      expect(pages).toBeLessThan(4);
      const before: string = next === '' ? '' : `&before=${next}`;
      const page: Answer<typeof API.jobs> = await ask(API.jobs, { token: mine.token, at: `/v1/jobs?limit=2${before}` });
      seen.push(...page.jobs.map(({ jobId }) => jobId));
      next = page.next;
    }
    expect([...seen].sort()).toEqual([...ordered].sort());
    const { jobs } = await ask(API.jobs, { token: mine.token });
    expect(jobs.map(({ createdAt }) => createdAt)).toEqual(
      jobs.map(({ createdAt }) => createdAt).sort((a, b) => b - a),
    );
    const cancelled = await ask(API.jobs, { token: mine.token, at: '/v1/jobs?state=cancelled' });
    expect(cancelled.jobs.map(({ jobId, state }) => [jobId, state])).toEqual([[ordered[4], 'cancelled']]);
    const open = await ask(API.jobs, { token: mine.token, at: '/v1/jobs?state=open' });
    expect(open.jobs).toHaveLength(4);
  });

  it('is nobody’s without a token', async () => {
    expect(await refusal(API.jobs, {})).toMatchObject({ status: 401, code: 'UNAUTHORISED' });
  });
});

describe('many orders in one request', () => {
  it('each have their own answer: a bad one does not spoil the others', async () => {
    const consumer = await buyer();
    const good = await consumer.makeOrder('echo', INPUT);
    const missing = await consumer.makeOrder('echo', Buffer.from('never uploaded'));
    const dear = await consumer.makeOrder('echo', INPUT, { maxPrice: 1n });
    const { answers } = await ask(API.orderMany, { body: { orders: [missing, good, dear, good] } });
    expect(answers.map((one) => (one.ok ? one.job.state : one.code))).toEqual([
      'NOT_FOUND',
      'queued',
      'REFUSED',
      'queued',
    ]);
    expect((await network.books(consumer.account.address)).deposit).toBe(parseTokens('10') - PRICE);
  });

  it('are at most a hundred', async () => {
    const consumer = await buyer();
    const orders = Array.from({ length: 101 }, () => ({}));
    expect(await refusal(API.orderMany, { token: consumer.token, body: { orders } })).toMatchObject({ status: 400 });
  });
});

describe('an API key', () => {
  const create = async (consumer: TestConsumer, change: object = {}) =>
    await ask(API.createKey, { token: consumer.token, body: { name: 'ci', rights: ['read', 'submit'], ...change } });
  const unsigned = async (consumer: TestConsumer) => {
    const { value, params } = await consumer.makeOrder('echo', INPUT);
    return { value, params };
  };

  it('orders for its consumer without a signature, up to its cap, and gets back what was not spent', async () => {
    const consumer = await buyer();
    const { key, secret } = await create(consumer, { cap: (PRICE * 2n).toString() });
    const jobs = [
      await ask(API.order, { token: secret, body: await unsigned(consumer) }),
      await ask(API.order, { token: secret, body: await unsigned(consumer) }),
    ];
    const third = await unsigned(consumer);
    expect(await refusal(API.order, { token: secret, body: third })).toMatchObject({ code: 'REFUSED' });
    await ask(API.cancel, { token: secret, at: `/v1/jobs/${jobs[0]?.jobId}/cancel` });
    expect(await ask(API.order, { token: secret, body: third })).toMatchObject({ state: 'queued' });
    const { keys } = await ask(API.keys, { token: consumer.token });
    expect(keys).toMatchObject([{ id: key.id, spent: PRICE * 2n }]);
  });

  it('has no more rights than it was given, and never those of its account', async () => {
    const consumer = await buyer();
    const { secret } = await create(consumer, { rights: ['read'] });
    expect(await ask(API.account, { token: secret })).toMatchObject({ account: consumer.account.address });
    const body = await unsigned(consumer);
    expect(await refusal(API.order, { token: secret, body })).toMatchObject({ code: 'UNAUTHORISED' });
    const signed = await consumer.makeOrder('echo', INPUT);
    expect(await refusal(API.order, { token: secret, body: signed })).toMatchObject({ code: 'UNAUTHORISED' });
    const another = { name: 'more', rights: ['submit'] };
    expect(await refusal(API.createKey, { token: secret, body: another })).toMatchObject({ code: 'UNAUTHORISED' });
    expect(await refusal(API.webhookSecret, { token: secret })).toMatchObject({ code: 'UNAUTHORISED' });
    expect((await putBlob(network.url, secret, Buffer.from('x'))).status).toBe(401);
  });

  it('orders for nobody else', async () => {
    const [mine, other] = [await buyer(), await buyer()];
    const { secret } = await create(mine);
    expect(await refusal(API.order, { token: secret, body: await unsigned(other) })).toMatchObject({ status: 401 });
    expect((await network.books(other.account.address)).deposit).toBe(parseTokens('10'));
  });

  it('ends when it is revoked, and when it expires', async () => {
    const consumer = await buyer();
    const { key, secret } = await create(consumer);
    const brief = await create(consumer, { name: 'brief', expiresAt: Date.now() + 1_000 });
    await ask(API.revokeKey, { token: consumer.token, at: `/v1/keys/${key.id}` });
    expect(await refusal(API.account, { token: secret })).toMatchObject({ status: 401 });
    await until('the key to expire', async () => (await send(API.account, { token: brief.secret })).status === 401);
  });

  it('has one name among the live ones of its account', async () => {
    const consumer = await buyer();
    await create(consumer);
    const body = { name: 'ci', rights: ['read'] };
    expect(await refusal(API.createKey, { token: consumer.token, body })).toMatchObject({ code: 'CONFLICT' });
  });
});

describe('limits of an account', () => {
  it('refuse one open job too many, and say when to come back', async () => {
    const consumer = await buyer();
    for (let at = 0; at < 6; at++) await consumer.submit('echo', INPUT);
    const refused = await refusal(API.order, { body: await consumer.makeOrder('echo', INPUT) });
    expect(refused).toMatchObject({ status: 429, code: 'TOO_MANY', type: expect.stringContaining('#too_many') });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await ask(API.account, { token: consumer.token })).toMatchObject({ openJobs: 6, held: PRICE * 6n });
  });

  it('slow down who asks too much, and nobody else', async () => {
    const [busy, calm] = [await buyer(), await buyer()];
    const statuses = new Set<number>();
    for (let round = 0; round < 6; round++) {
      const many = await Promise.all(Array.from({ length: 60 }, () => send(API.account, { token: busy.token })));
      for (const { status } of many) statuses.add(status);
    }
    expect([...statuses].sort()).toEqual([200, 429]);
    const refused = await until('a refusal', async () => {
      const answer = await Promise.all(Array.from({ length: 60 }, () => send(API.account, { token: busy.token })));
      return answer.find(({ status }) => status === 429);
    });
    expect(refused.headers.get('ratelimit')).toMatch(/^"account";r=0;t=\d+$/);
    expect((await send(API.account, { token: calm.token })).status).toBe(200);
  });
});

it('an order without a signature and without a token is nobody’s', async () => {
  const consumer = await buyer();
  const { value, params } = await consumer.makeOrder('echo', INPUT, { nonce: randomHex32() });
  expect(await refusal(API.order, { body: { value, params } })).toMatchObject({ status: 401 });
});
