import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { API } from '../../../core/api.ts';
import type { Endpoint } from '../../../core/endpoint.ts';
import { encodeWire } from '../../../core/wire.ts';
import { putBlob, type TestConsumer } from '../../support/device.ts';
import { TestNetwork } from '../../support/network.ts';

const INPUT = Buffer.from('described');
const content = z.record(z.string(), z.object({ schema: z.record(z.string(), z.unknown()) }));
const operation = z
  .object({ responses: z.record(z.string(), z.object({ content: content.optional() }).loose()) })
  .loose();
const openApi = z.object({ openapi: z.string(), paths: z.record(z.string(), z.record(z.string(), operation)) }).loose();

let network: TestNetwork;
let consumer: TestConsumer;
let text: string;
let document: z.output<typeof openApi>;
beforeAll(async () => {
  network = await TestNetwork.start();
  consumer = await network.consumer();
  await consumer.access();
  await putBlob(network.url, consumer.token, INPUT);
  text = await (await fetch(`${network.url}/v1/openapi.json`)).text();
  document = openApi.parse(JSON.parse(text));
}, 60_000);
afterAll(() => network.stop());

const pathOf = ({ path }: Endpoint): string => path.replaceAll(/:([a-zA-Z0-9]+)/g, '{$1}');
const operationOf = (endpoint: Endpoint) => document.paths[pathOf(endpoint)]?.[endpoint.method.toLowerCase()];

it('the document is valid OpenAPI 3.1', async () => {
  const found = await new Validator().validate(JSON.parse(text));
  expect(found.errors ?? []).toEqual([]);
  expect(found.valid).toBe(true);
});

it('every endpoint that is described is served, and says so', async () => {
  for (const [name, endpoint] of Object.entries<Endpoint>(API)) {
    expect(operationOf(endpoint), name).toBeDefined();
    const url = `${network.url}${endpoint.path.replaceAll(/:[a-zA-Z0-9]+/g, `0x${'0'.repeat(64)}`)}`;
    const answer = await fetch(url, { method: endpoint.method });
    expect(await answer.text(), name).not.toContain('there is nothing at this address');
  }
});

describe('a real answer fits its schema', () => {
  const ajv = new Ajv2020({ strict: false });

  async function check(endpoint: Endpoint, path: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(`${network.url}${path}`, {
      method: endpoint.method,
      headers: {
        authorization: `Bearer ${consumer.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: encodeWire(body) }),
    });
    const value: unknown = await answer.json();
    const described = operationOf(endpoint)?.responses[String(answer.status)]?.content?.['application/json'];
    if (described === undefined) throw new Error(`${answer.status} is not described: ${JSON.stringify(value)}`);
    const fits = ajv.compile(described.schema);
    expect(fits(value), JSON.stringify(fits.errors)).toBe(true);
    return value;
  }

  it('of what everybody may ask', async () => {
    await check(API.health, '/healthz');
    await check(API.ready, '/readyz');
    await check(API.network, '/v1/network');
    await check(API.workloads, '/v1/workloads');
    await check(API.quote, '/v1/quotes', { workload: 'echo', inputBytes: 1, params: {} });
    await check(API.books, `/v1/owners/${consumer.account.address}`);
  });

  it('of orders, lists and keys', async () => {
    const order = await consumer.makeOrder('echo', INPUT);
    const job = z
      .object({ jobId: z.string() })
      .loose()
      .parse(await check(API.order, '/v1/jobs', order));
    await check(API.orderMany, '/v1/jobs/batch', { orders: [order, { ...order, params: { mode: 'loud' } }] });
    await check(API.job, `/v1/jobs/${job.jobId}`);
    await check(API.jobs, '/v1/jobs?limit=1');
    await check(API.account, '/v1/account');
    await check(API.cancel, `/v1/jobs/${job.jobId}/cancel`);
    await check(API.createKey, '/v1/keys', { name: 'a', rights: ['read'], cap: '5' });
    await check(API.keys, '/v1/keys');
    await check(API.webhooks, '/v1/webhooks');
    await check(API.renewWebhookSecret, '/v1/webhooks/secret');
  });

  it('of a refusal', async () => {
    const answer = await fetch(`${network.url}/v1/jobs`);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    const components = z.object({ schemas: z.object({ Problem: z.record(z.string(), z.unknown()) }) }).loose();
    const { schemas } = components.parse(document['components']);
    const value: unknown = await answer.json();
    expect(ajv.validate(schemas.Problem, value), JSON.stringify(ajv.errors)).toBe(true);
    expect(value).toMatchObject({ type: 'https://idlemesh.org/docs/errors#unauthorised', status: 401 });
  });
});
