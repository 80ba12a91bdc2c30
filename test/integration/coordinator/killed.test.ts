import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { parseTokens } from '../../../core/money.ts';
import { networkInfo } from '../../../core/wire.ts';
import { ChildCoordinator } from '../../support/child-coordinator.ts';
import { sha256, TestConsumer, TestDevice } from '../../support/device.ts';
import { GpuProver, KNOWN } from '../../support/gpu-prover.ts';
import { WORKLOAD } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

/** `kill -9` in the middle of what is done beside settling. */
const bytes = (text: string) => new TextEncoder().encode(text);
let coordinator: ChildCoordinator;
afterEach(() => coordinator.stop());
const network = async () => networkInfo.parse(await (await fetch(`${coordinator.url}/v1/network`)).json());

it('while a verifier runs: it is asked anew, and both who gave the same answer are paid', async () => {
  coordinator = await ChildCoordinator.start({ scene: 'compared' });
  const [hold, asked] = ['hold', 'asked'].map((name) => join(coordinator.dataDir, name)) as [string, string];
  writeFileSync(hold, '');
  const consumer = new TestConsumer(coordinator.url, await network());
  await coordinator.chain.deposit(consumer.account, parseTokens('10'));
  const job = await until('the job', () => consumer.submit(WORKLOAD.id, bytes('in')).catch(() => null));
  const held = [];
  for (const answer of ['Answer', 'answer']) {
    const device = new TestDevice(coordinator.url, await network());
    await device.enrol();
    await device.connect([WORKLOAD]);
    device.send({ type: 'ready', lane: 'cpu', slots: 1 });
    const lease = await device.nextLease();
    await device.finish(lease, bytes(answer));
    await device.told('result-stored');
    held.push({ device, lease });
  }
  await until('the verifier to be asked', () => existsSync(asked) && readFileSync(asked, 'utf8') === '.');
  await coordinator.kill();
  rmSync(hold);
  await coordinator.again();
  for (const { device, lease } of held) {
    await device.connect([WORKLOAD], [lease.leaseId]);
    expect((await device.told('verdict')).verdict.kind).toBe('accepted');
  }
  const done = await consumer.follow(job.jobId, ['done', 'failed']);
  expect(done).toMatchObject({ state: 'done', outputHash: sha256(bytes('Answer')) });
  expect(readFileSync(asked, 'utf8')).toBe('..');
  for (const { device } of held) await device.hangUp();
}, 60_000);

it('after a GPU’s commitment: the same rows are asked for, and it is proven', async () => {
  coordinator = await ChildCoordinator.start({ scene: 'gpus' });
  const device = new TestDevice(coordinator.url, await network());
  await device.enrol();
  await device.connect(KNOWN);
  const prover = new GpuProver(device);
  prover.say();
  const asked = await prover.challenged();
  prover.commit(asked);
  const { rows } = await device.told('gpu-openings');
  await coordinator.kill();
  await coordinator.again();
  const from = device.messages.length;
  await device.connect(KNOWN);
  prover.say();
  expect(await prover.open(asked, from)).toEqual(rows);
  expect((await prover.judged(asked)).kind).toBe('proven');
  await device.hangUp();
}, 60_000);
