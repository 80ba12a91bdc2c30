import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../agent/adapters/clock.ts';
import { dockerImages } from '../../../agent/adapters/docker-images.ts';
import { dockerPremises } from '../../../agent/adapters/docker-premises.ts';
import { homeOf, livesAt } from '../../../agent/adapters/home.ts';
import { takeLock } from '../../../agent/adapters/lock.ts';
import { nameOf } from '../../../agent/image-ports.ts';
import { createJanitor } from '../../../agent/janitor.ts';
import type { Address, Hex32 } from '../../../core/primitives.ts';
import { LABEL } from '../../../core/sandbox.ts';
import { engine } from '../../e2e/support/engine.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';
import { type Registry, type Served, startRegistry } from '../../support/registry.ts';
import { until } from '../../support/wait.ts';

type Labels = Readonly<Record<string, string>>;
const device: Address = randomAddress();
const lease: Hex32 = randomHex32();
let registry: Registry;
let image: Served;
let folder: string;
const undo: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'idlemesh-janitor-'));
  registry = await startRegistry();
  image = await registry.serve();
  const quiet = { signal: new AbortController().signal, onProgress: () => undefined };
  await dockerImages({ log: () => undefined, credentials: async () => null }).pull(image, [image.image], quiet);
});
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one().catch(() => undefined);
});
afterAll(async () => {
  await engine.getImage(nameOf(image)).remove();
  await registry.close();
  rmSync(folder, { recursive: true, force: true });
});

const name = (): string => `idlemesh-janitor-test-${randomBytes(5).toString('hex')}`;

async function container(labels: Labels, volume?: string) {
  const Mounts = volume === undefined ? [] : [{ Type: 'volume' as const, Source: volume, Target: '/data' }];
  const made = await engine.createContainer({
    ...{ Image: image.image, Cmd: ['/file-0'], Labels: { ...labels }, name: name() },
    HostConfig: { NetworkMode: 'none', Mounts },
  });
  undo.push(() => made.remove({ force: true }));
  return () => there(made.inspect());
}
async function volume(labels: Labels, own = name()) {
  await engine.createVolume({ Name: own, Labels: { ...labels } });
  undo.push(() => engine.getVolume(own).remove());
  return { own, stays: () => there(engine.getVolume(own).inspect()) };
}
async function network(labels: Labels) {
  const made = await engine.createNetwork({ Name: name(), Internal: true, Labels: { ...labels } });
  undo.push(() => made.remove());
  return () => there(made.inspect());
}
const there = (answer: Promise<unknown>): Promise<boolean> =>
  answer.then(
    () => true,
    () => false,
  );

async function clean(instance = 'now', premises = dockerPremises(), later = 0): Promise<readonly string[]> {
  const said: string[] = [];
  const janitor = createJanitor({
    ports: {
      ...{ premises, lives: livesAt, log: (_level, event) => said.push(event) },
      clock: { ...systemClock, now: () => Date.now() + later },
    },
    budget: () => 0,
    ...{ device, instance, leases: () => new Set([lease]), wake: () => undefined },
    images: { tidy: async () => void said.push('tidied') },
  });
  janitor.consider();
  await until('it has worked', () => said.includes('tidied') || said.includes('janitor'));
  await janitor.close();
  return said;
}
const ours = (labels: Labels = {}): Labels => ({ [LABEL.device]: device, ...labels });

test('after a crash: gateways, volumes and networks of the process that is gone go, and those of this one stay', async () => {
  const before = ours({ [LABEL.instance]: 'before', [LABEL.role]: 'gateway', [LABEL.lease]: lease });
  const now = ours({ [LABEL.instance]: 'now', [LABEL.role]: 'gateway', [LABEL.lease]: lease });
  const gone = [await container(before), (await volume(before)).stays, await network(before)];
  const stay = [await container(now), (await volume(now)).stays, await network(now)];
  await clean();
  expect(await Promise.all(gone.map((one) => one()))).toEqual([false, false, false]);
  expect(await Promise.all(stay.map((one) => one()))).toEqual([true, true, true]);
});

test('after an upgrade: what has labels of an older kind goes once it is old, with its volume when it is free', async () => {
  const old = { [LABEL.device]: device, 'org.idlemesh.kind': 'gateway' };
  const data = await volume(old);
  const served = await container({ ...old, [LABEL.role]: 'gateway' }, data.own);
  await clean('now', dockerPremises(), 0);
  expect([await served(), await data.stays()]).toEqual([true, true]);
  const hour = 3_600_000;
  await clean('now', dockerPremises(), hour);
  expect([await served(), await data.stays()]).toEqual([false, true]);
  await clean('now', dockerPremises(), hour);
  expect(await data.stays()).toBe(false);
});

test('what only looks like ours stays, however old', async () => {
  const likes: Labels[] = [
    {},
    { 'org.idlemesh': device, 'org.idlemesh.devices': device, 'org.idlemesh.instance': 'before' },
    { 'org.idlemesh.device': 'of my own', 'org.idlemesh.instance': 'before' },
    { 'com.example.device': device },
    { [LABEL.device]: randomAddress(), [LABEL.instance]: 'of another agent' },
    { [LABEL.device]: randomAddress(), [LABEL.home]: `elsewhere:${join(folder, 'missing', 'lock')}` },
  ];
  const all = await Promise.all(
    likes.flatMap((labels) => [container(labels), volume(labels).then(({ stays }) => stays), network(labels)]),
  );
  const sameName = await volume({}, `idlemesh-egress-${randomBytes(5).toString('hex')}`);
  // The user's own volume, on a container of ours that goes.
  const mounted = await volume({});
  const gateway = await container(ours({ [LABEL.instance]: 'before', [LABEL.role]: 'gateway' }), mounted.own);
  await clean('now', dockerPremises(), 365 * 24 * 3_600_000);
  expect(await gateway()).toBe(false);
  expect(await Promise.all([...all, sameName.stays, mounted.stays].map((one) => one()))).toEqual(
    Array.from({ length: likes.length * 3 + 2 }, () => true),
  );
});

describe('of another agent on this engine', () => {
  const theirs = (lock: string): Labels => ({
    ...{ [LABEL.device]: randomAddress(), [LABEL.instance]: 'theirs', [LABEL.role]: 'workload' },
    [LABEL.home]: homeOf(lock),
  });
  const everything = async (labels: Labels) => [
    await container(labels),
    (await volume(labels)).stays,
    await network(labels),
  ];
  const stand = (all: readonly (() => Promise<boolean>)[]) => Promise.all(all.map((one) => one()));

  test('nothing goes while it lives; all goes when it was killed, or its data folder is gone', async () => {
    const lock = join(folder, 'living', 'lock');
    const child = spawn(process.execPath, [
      ...['--input-type=module', '-e'],
      `const { takeLock } = await import(${JSON.stringify(import.meta.resolve('../../../agent/adapters/lock.ts'))});
       takeLock(${JSON.stringify(lock)}); console.log('taken'); setInterval(() => undefined, 1000);`,
    ]);
    undo.push(async () => void child.kill('SIGKILL'));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const living = await everything(theirs(lock));
    const removed = await everything(theirs(join(folder, 'never-there', 'lock')));
    await clean();
    expect(await stand(living)).toEqual([true, true, true]);
    expect(await stand(removed)).toEqual([false, false, false]);
    const over = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await over;
    await clean();
    expect(await stand(living)).toEqual([false, false, false]);
  });

  test('nothing goes while this very process holds its lock, and all when it has let go', async () => {
    const lock = join(folder, 'beside', 'lock');
    const release = takeLock(lock);
    const all = await everything(theirs(lock));
    await clean();
    expect(await stand(all)).toEqual([true, true, true]);
    release();
    await clean();
    expect(await stand(all)).toEqual([false, false, false]);
  });
});

test('an engine that goes away is only told of, and nothing is lost', async () => {
  const left = await volume(ours({ [LABEL.instance]: 'before' }));
  const said = await clean('now', dockerPremises({ socketPath: join(folder, 'no.sock') }));
  expect(said).toEqual(['janitor']);
  expect(await left.stays()).toBe(true);
  await clean();
  expect(await left.stays()).toBe(false);
});
