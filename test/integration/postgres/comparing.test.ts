import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startCoordinator } from '../../../coordinator/index.ts';
import { parseTokens } from '../../../core/money.ts';
import { FakeVerifier } from '../../fakes/verifier.ts';
import { startTestChain } from '../../support/chain.ts';
import { comparedBy } from '../../support/compared.ts';
import { TestConsumer, TestDevice } from '../../support/device.ts';
import { coordinatorOptions, WORKLOAD } from '../../support/network.ts';
import { newStore } from '../../support/store.ts';
import { until } from '../../support/wait.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

it('coordinators that share a database ask one verifier once, and both go by its answer', async () => {
  const chain = await startTestChain();
  const dataDir = await mkdtemp(join(tmpdir(), 'idlemesh-comparing-'));
  const { databaseUrl = expect.unreachable(), drop } = await newStore();
  const verifiers = [new FakeVerifier(), new FakeVerifier()];
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  for (const verifier of verifiers) verifier.held = held;
  const catalogue = comparedBy({ kind: 'verifier', entry: 'letters' });
  const coordinators = await Promise.all(
    verifiers.map(({ run: runVerifier }) =>
      startCoordinator(coordinatorOptions(dataDir, chain, { databaseUrl, replicas: 1, catalogue, runVerifier })),
    ),
  );
  try {
    const network = coordinators[0]?.network ?? expect.unreachable();
    const [here = '', there = ''] = coordinators.map(({ url }) => url);
    const consumer = new TestConsumer(here, network);
    await chain.deposit(consumer.account, parseTokens('100'));
    await until('the deposit', async () => (await consumer.submit('echo', bytes('in')).catch(() => null)) !== null);
    const devices = [here, there].map((url) => new TestDevice(url, network));
    for (const device of devices) {
      await device.enrol();
      await device.connect([WORKLOAD]);
      device.send({ type: 'ready', lane: 'cpu', slots: 1 });
    }
    // Before either answers: who has no room claims no work, so each gets a copy.
    const leases = await Promise.all(devices.map((device) => device.nextLease()));
    for (const [at, device] of devices.entries()) {
      await device.finish(leases[at] ?? expect.unreachable(), bytes(at === 0 ? 'Answer' : 'answer'));
      await device.told('result-stored');
    }
    const asked = () => verifiers.reduce((sum, verifier) => sum + verifier.asked, 0);
    await until('one to be asked', () => asked() > 0);
    // Both look for jobs that wait, each second.
    await new Promise((resolve) => setTimeout(resolve, 3_500));
    release();
    for (const device of devices) expect((await device.told('verdict')).verdict.kind).toBe('accepted');
    expect(asked()).toBe(1);
    for (const device of devices) await device.hangUp();
  } finally {
    release();
    for (const coordinator of coordinators) await coordinator.close();
    await chain.stop();
    await drop();
    await rm(dataDir, { recursive: true, force: true });
  }
}, 120_000);
