import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Consumer, identify } from '../../../cli/consumer.ts';
import { submit } from '../../../cli/submit.ts';
import { freePort } from '../../support/free-port.ts';
import { TestNetwork, WORKLOAD } from '../../support/network.ts';

let network: TestNetwork;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'idlemesh-submit-'));
  await writeFile(join(folder, 'in'), 'some input');
  network = await TestNetwork.start({ port: await freePort() });
}, 60_000);
afterAll(async () => {
  await network.stop();
  await rm(folder, { recursive: true, force: true });
});

test('a coordinator that restarts in the middle of a job is waited for, and the output is fetched', async () => {
  const device = await network.device();
  const { account } = await network.consumer();
  const said: string[] = [];
  const submitted = submit({
    workload: 'echo',
    input: join(folder, 'in'),
    output: join(folder, 'out'),
    params: {},
    coordinator: network.url,
    privateKey: account.privateKey,
    maxPrice: null,
    say: (line) => said.push(line),
    progressStream: process.stderr,
  });
  submitted.catch(() => undefined);
  const lease = await device.nextLease();
  await network.halt();
  await device.hangUp();
  await expect.poll(() => said.join('\n'), { timeout: 10_000 }).toContain('waiting');
  await network.restart();
  await device.connect([WORKLOAD], [lease.leaseId]);
  await device.finish(lease, Buffer.from('some output'));
  expect(await submitted).toMatchObject({ state: 'done' });
  expect(await readFile(join(folder, 'out'), 'utf8')).toBe('some output');
  expect(said.filter((line) => line.includes('waiting'))).toHaveLength(1);
}, 60_000);

test('who ends the waiting is not kept', async () => {
  const { account } = await network.consumer();
  const consumer = await Consumer.connect(network.url, account.privateKey);
  const quote = await consumer.quote('echo', 4, {});
  await writeFile(join(folder, 'four'), 'four');
  const input = await identify(join(folder, 'four'));
  const job = await consumer.submit({ workload: 'echo', path: join(folder, 'four'), input, quote, now: Date.now() });
  const ending = new AbortController();
  const patience = { signal: ending.signal, waiting: () => ending.abort() };
  const following = (async () => {
    for await (const _view of consumer.follow(job, patience));
  })();
  following.catch(() => undefined);
  await network.halt();
  await expect(following).rejects.toMatchObject({ code: 'COORDINATOR_AWAY' });
  await network.restart();
}, 30_000);
