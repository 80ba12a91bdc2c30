import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dockerContainers } from '../../../agent/adapters/docker.ts';
import { runCoordinator } from '../../../cli/coordinator.ts';
import { JUDGE, type Judge, openJudge } from '../../../cli/verifier.ts';
import { type Catalogue, type Verifier, verifierOf } from '../../../core/catalogue.ts';
import { parseTokens } from '../../../core/money.ts';
import type { Lease } from '../../../core/wire.ts';
import { verifierBehaviour } from '../../behaviors/verifier.ts';
import { buildImage } from '../../support/build-image.ts';
import { startTestChain } from '../../support/chain.ts';
import { comparedBy, LIMITS } from '../../support/compared.ts';
import { post, sha256, type TestDevice } from '../../support/device.ts';
import { TestNetwork, WORKLOAD } from '../../support/network.ts';
import { doorEntry } from '../../support/transcode.ts';

/** Verifiers on a real engine, as a coordinator runs them. */
const containers = dockerContainers({ log: () => undefined });
const left = async (): Promise<number> => (await containers.list(JUDGE)).length;
let image = '';
let list: Catalogue;
beforeAll(async () => {
  image = await buildImage(join(import.meta.dirname, '../../images/verifier'), 'idlemesh/test-verifier:0.1.0');
  const door = await doorEntry();
  list = { ...comparedBy({ kind: 'verifier', entry: 'letters' }), minimums: [] };
  list = { ...list, entries: list.entries.map((entry) => ({ ...entry, image })).concat(door) };
}, 300_000);
afterAll(() => containers.close());

const open = (of: Catalogue): Promise<Judge> => openJudge({ catalogue: of, log: () => undefined });
const verifierIn = (of: Catalogue): Verifier => {
  const entry = of.entries.find(({ id }) => id === 'echo') ?? expect.fail('no workload');
  return verifierOf(of, entry) ?? expect.fail('no verifier');
};

verifierBehaviour('an image of its own, on a real engine', async () => {
  const { runVerifier, close } = await open(list);
  return { run: runVerifier, verifier: verifierIn(list), left, close: async () => close() };
});

const asked = (one: string, other: string) => ({
  outputs: [one, other].map((text) => ({
    bytes: text.length,
    async *read() {
      yield Buffer.from(text);
    },
  })) as [{ bytes: number; read: () => AsyncGenerator<Buffer> }, { bytes: number; read: () => AsyncGenerator<Buffer> }],
});

test('the workload’s own image is begun with the program that the catalogue names', async () => {
  const limits = { ...LIMITS };
  const program = ['/bin/sh', '-c', 'echo \'{"done":true}\' >&2; exit 1'];
  const own: Catalogue = {
    ...list,
    entries: list.entries.map((entry) =>
      entry.id === 'echo' ? { ...entry, comparison: { kind: 'verifier', program, limits } } : entry,
    ),
  };
  const judge = await open(own);
  try {
    const verifier = verifierIn(own);
    expect(verifier).toMatchObject({ image, program, limits });
    expect(await judge.runVerifier({ verifier, ...asked('a', 'a') }, new AbortController().signal)).toBe(1);
    expect(await left()).toBe(0);
  } finally {
    judge.close();
  }
}, 60_000);

test('a coordinator with an engine settles by it, and the consumer gets what the first lease gave', async () => {
  const judge = await open(list);
  const network = await TestNetwork.start({ replicas: 1, catalogue: list, runVerifier: judge.runVerifier });
  try {
    const consumer = await network.consumer(parseTokens('10'));
    const job = await consumer.submit(WORKLOAD.id, Buffer.from('in'));
    const held: { readonly device: TestDevice; readonly lease: Lease; readonly answer: Buffer }[] = [];
    for (const answer of ['An Answer', 'an answer']) {
      const device = await network.device(0);
      await device.hangUp();
      await device.connect([{ id: WORKLOAD.id, image }]);
      device.send({ type: 'ready', lane: 'cpu', slots: 1 });
      held.push({ device, lease: await device.nextLease(), answer: Buffer.from(answer) });
    }
    for (const { device, lease, answer } of held) await device.finish(lease, answer);
    for (const { device } of held) expect((await device.told('verdict')).verdict.kind).toBe('accepted');
    const done = await consumer.follow(job.jobId, ['done', 'failed']);
    expect(done).toMatchObject({ state: 'done', outputHash: sha256(Buffer.from('An Answer')) });
    expect(await left()).toBe(0);
  } finally {
    await network.stop();
    judge.close();
  }
}, 120_000);

test('an operator names an engine in the configuration, and work with a verifier can be ordered', async () => {
  const chain = await startTestChain();
  const folder = await mkdtemp(join(tmpdir(), 'idlemesh-judge-'));
  const { rpcUrl, chainId, token, distributor, publisher } = chain;
  const keyFile = join(folder, 'key');
  await writeFile(keyFile, publisher.privateKey, { mode: 0o600 });
  const quoteWith = async (more: object): Promise<number> => {
    const contracts = { rpcUrl, chainId, token, distributor, keyFile };
    const coordinator = await runCoordinator({
      configText: JSON.stringify({ name: 'Judged', port: 0, tokenSymbol: 'T', chain: contracts, ...more }),
      dataDir: join(folder, 'data'),
      catalogue: { catalogue: list, envelope: '{}', expiresAt: Date.now() + 86_400_000 },
      ...{ env: {}, signal: new AbortController().signal, log: () => undefined },
    });
    try {
      return (await post(`${coordinator.url}/v1/quotes`, { workload: WORKLOAD.id, inputBytes: 1, params: {} })).status;
    } finally {
      await coordinator.close();
    }
  };
  try {
    expect(await quoteWith({ engine: {} })).toBe(200);
    expect(await quoteWith({})).toBe(422);
    await expect(quoteWith({ engine: { socket: '/nowhere/docker.sock' } })).rejects.toMatchObject({
      code: 'ENGINE_AWAY',
    });
  } finally {
    await chain.stop();
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);

test('an image that the engine does not hold, and that is nowhere to be had, is no answer', async () => {
  const judge = await open(list);
  try {
    const verifier = { ...verifierIn(list), image: `sha256:${'0'.repeat(64)}` };
    const asking = judge.runVerifier({ verifier, ...asked('a', 'a') }, new AbortController().signal);
    await expect(asking).rejects.toMatchObject({ code: 'NOT_FOUND' });
  } finally {
    judge.close();
  }
}, 60_000);

test('who configures an engine that is not there, or has no supervisor for it, is told so at once', async () => {
  const nowhere = openJudge({ catalogue: list, log: () => undefined, socketPath: '/nowhere/docker.sock' });
  await expect(nowhere).rejects.toMatchObject({ code: 'ENGINE_AWAY' });
  const doorless = { ...list, entries: list.entries.filter(({ purpose }) => purpose !== 'door') };
  await expect(open(doorless)).rejects.toMatchObject({ code: 'REFUSED' });
}, 60_000);
