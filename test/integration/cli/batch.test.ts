import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type BatchOptions, orderBatch } from '../../../cli/batch.ts';
import { Consumer, identify } from '../../../cli/consumer.ts';
import { patiently } from '../../../cli/patience.ts';
import { fail } from '../../../core/errors.ts';
import type { TestConsumer } from '../../support/device.ts';
import { PRICE, TestNetwork } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

let network: TestNetwork;
let account: TestConsumer['account'];
let consumer: Consumer;
let folder: string;
let said: string[];

beforeAll(async () => {
  network = await TestNetwork.start();
  ({ account } = await network.consumer());
  consumer = await Consumer.connect(network.url, account.privateKey);
}, 60_000);
afterAll(() => network.stop());
beforeEach(async () => {
  said = [];
  folder = await mkdtemp(join(tmpdir(), 'idlemesh-batch-'));
  await mkdir(join(folder, 'in'));
  await mkdir(join(folder, 'out'));
  for (const name of ['a', 'b', 'c']) await writeFile(join(folder, 'in', name), `${folder} ${name}`);
  return () => rm(folder, { recursive: true, force: true });
});

const order = (change: Partial<BatchOptions>) =>
  orderBatch({
    ...{ consumer, workload: 'echo', inputs: [join(folder, 'in')], params: {}, maxPrice: null, webhook: null },
    ...{ out: null, overwrite: false, wait: false, confirm: async () => true, say: (line) => said.push(line) },
    ...{ stream: new PassThrough() as unknown as NodeJS.WriteStream, signal: new AbortController().signal },
    ...change,
  });

/** A device that answers every lease with what it was given. */
async function echoes(jobs: number): Promise<() => Promise<void>> {
  const device = await network.device(jobs);
  for (let done = 0; done < jobs; done++) {
    const lease = await until('a lease', () => {
      const leases = device.messages.flatMap((message) =>
        message.type === 'lease' ? [message.lease] : message.type === 'leases' ? message.leases : [],
      );
      return leases[done];
    });
    await device.finish(lease, Buffer.from(`echo ${lease.inputHash}`));
  }
  return () => device.hangUp();
}

test('each file of a folder is ordered, followed and fetched, and says what came of it', async () => {
  const working = echoes(3);
  const results = await order({ out: join(folder, 'out'), wait: true });
  await (await working)();
  expect(results.map(({ state, charged }) => [state, charged])).toEqual(Array(3).fill(['done', PRICE]));
  expect((await readdir(join(folder, 'out'))).sort()).toEqual(['a.out', 'b.out', 'c.out']);
  const { hash } = await identify(join(folder, 'in', 'b'));
  expect(await readFile(join(folder, 'out', 'b.out'), 'utf8')).toBe(`echo ${hash}`);
  expect(said).toContain('b: done');
});

test('an output is never written over a file, and nothing is ordered then', async () => {
  await writeFile(join(folder, 'out', 'b.out'), 'mine');
  const before = (await network.books(account.address)).deposit;
  await expect(order({ out: join(folder, 'out'), wait: true })).rejects.toMatchObject({ code: 'CONFLICT' });
  expect((await network.books(account.address)).deposit).toBe(before);
  expect(await readFile(join(folder, 'out', 'b.out'), 'utf8')).toBe('mine');
});

test('a file that came while the job ran is kept', async () => {
  const working = echoes(1);
  const input = join(folder, 'in', 'a');
  const ordered = order({ inputs: [input], out: join(folder, 'late'), wait: true });
  await until('the order', () => said.some((line) => line.includes('ordered')));
  await writeFile(join(folder, 'late'), 'mine');
  const [result] = await ordered;
  await (await working)();
  expect(result?.failure).toContain('is there already');
  expect(await readFile(join(folder, 'late'), 'utf8')).toBe('mine');
  expect(await readdir(folder)).not.toContain('late.part');
});

test('nothing is ordered above the limit, or when the question is answered with no', async () => {
  await expect(order({ maxPrice: PRICE * 3n - 1n })).rejects.toMatchObject({ code: 'REFUSED' });
  await expect(order({ confirm: async () => false })).rejects.toMatchObject({ code: 'CANCELLED' });
  expect((await consumer.jobs({ state: 'open' })).jobs).toEqual([]);
});

test('who stops waiting leaves the jobs running, and can cancel them later', async () => {
  const stopping = new AbortController();
  const ordered = order({ wait: true, signal: stopping.signal });
  await until('three orders', async () => (await consumer.jobs({ state: 'open' })).jobs.length === 3);
  stopping.abort();
  const results = await ordered;
  expect(results.map(({ state, failure }) => [state, failure])).toEqual(Array(3).fill(['queued', null]));
  for (const { jobId } of results) if (jobId !== null) await consumer.cancel(jobId);
  expect(await consumer.account()).toMatchObject({ held: 0n, openJobs: 0 });
});

test('an API key orders and fetches without the account’s own key', async () => {
  const made = await consumer.createKey({ name: 'batch', rights: ['read', 'submit'], cap: PRICE, expiresAt: null });
  const program = await Consumer.connect(network.url, { apiKey: made.secret });
  expect(program.address).toBe(account.address);
  const working = echoes(1);
  const input = join(folder, 'in', 'a');
  const results = await order({ consumer: program, inputs: [input], out: join(folder, 'out', 'x'), wait: true });
  await (await working)();
  expect(results).toMatchObject([{ state: 'done', output: join(folder, 'out', 'x') }]);
  const second = await order({ consumer: program, inputs: [join(folder, 'in', 'b')] });
  expect(second).toMatchObject([{ state: 'refused', failure: expect.stringContaining('this key may spend 0 more') }]);
  await expect(program.keys()).rejects.toMatchObject({ code: 'UNAUTHORISED' });
});

test('who is told to come back later comes back then', async () => {
  let asked = 0;
  const started = performance.now();
  const answer = await patiently({ waiting: (line) => said.push(line) }, async () => {
    asked += 1;
    return asked === 1 ? fail('TOO_MANY', 'slow down', { retryAfter: 1 }) : 'at last';
  });
  expect(answer).toBe('at last');
  expect(performance.now() - started).toBeGreaterThanOrEqual(990);
  expect(said).toEqual(['slow down']);
});
