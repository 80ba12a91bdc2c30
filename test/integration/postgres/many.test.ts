import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { integerColumn } from '../../../coordinator/db.ts';
import { type Coordinator, startCoordinator } from '../../../coordinator/index.ts';
import { parseTokens } from '../../../core/money.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { type NetworkInfo, ownerBooks } from '../../../core/wire.ts';
import { startTestChain, type TestChain } from '../../support/chain.ts';
import { sha256, TestConsumer, TestDevice } from '../../support/device.ts';
import { coordinatorOptions, PRICE, WORKLOAD } from '../../support/network.ts';
import { cutConnections } from '../../support/postgres.ts';
import { newStore, openStore, type Store } from '../../support/store.ts';
import { until } from '../../support/wait.ts';

const SCRIPT = join(import.meta.dirname, '../../support/coordinator-process.ts');
const bytes = (text: string) => new TextEncoder().encode(text);

describe('coordinators that share a database', () => {
  let chain: TestChain;
  let dataDir: string;
  let store: Store;
  const coordinators: Coordinator[] = [];
  const children: ChildProcess[] = [];
  let consumer: TestConsumer;
  let network: NetworkInfo;
  const urlOf = (at: number): string => coordinators[at]?.url ?? expect.unreachable();

  /** The blobs are in one folder, as they would be in one bucket. */
  const start = async () => {
    const database = { databaseUrl: store.databaseUrl ?? expect.unreachable(), epochEveryMs: 100 };
    coordinators.push(await startCoordinator(coordinatorOptions(dataDir, chain, database)));
  };
  beforeAll(async () => {
    chain = await startTestChain();
    dataDir = await mkdtemp(join(tmpdir(), 'idlemesh-many-'));
    store = await newStore();
    await Promise.all([start(), start(), start()]);
    network = coordinators[0]?.network ?? expect.unreachable();
    consumer = new TestConsumer(urlOf(0), network);
    await chain.deposit(consumer.account, parseTokens('100'));
    await until('the deposit', async () => (await books(consumer.account.address)).deposit > 0n);
  }, 60_000);
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    for (const coordinator of coordinators) await coordinator.close();
    await chain.stop();
    await store.drop();
    await rm(dataDir, { recursive: true, force: true });
  });

  const books = async (owner: string) => ownerBooks.parse(await (await fetch(`${urlOf(0)}/v1/owners/${owner}`)).json());
  const deviceAt = async (url: string, slots = 1): Promise<TestDevice> => {
    const device = new TestDevice(url, network);
    await device.enrol();
    await device.connect([WORKLOAD]);
    device.send({ type: 'ready', lane: 'cpu', slots });
    return device;
  };
  /** The same device, connected to another coordinator. */
  const moved = (device: TestDevice, url: string): TestDevice => {
    const there = new TestDevice(url, network, device.ownerAccount, device.deviceAccount);
    there.lastReport = device.lastReport;
    return there;
  };
  const orderAt = (url: string) => {
    const elsewhere = new TestConsumer(url, network, consumer.account);
    return (text: string) => elsewhere.submit('echo', bytes(text));
  };

  it('are one network: they started at once and are the same', () => {
    expect(new Set(coordinators.map((coordinator) => coordinator.network.networkId)).size).toBe(1);
  });

  it('hand out at one what was ordered at another, and wake at the third who waits for it', async () => {
    const device = await deviceAt(urlOf(1));
    const watcher = new TestConsumer(urlOf(2), network, consumer.account);
    const job = await orderAt(urlOf(0))('across');
    const lease = await device.nextLease();
    expect(lease.jobId).toBe(job.jobId);
    const began = performance.now();
    const done = watcher.follow(job.jobId, ['done']);
    await device.finish(lease, bytes('across!'));
    expect(await done).toMatchObject({ state: 'done', charged: PRICE });
    // A poll that nobody woke would take 25 s.
    expect(performance.now() - began).toBeLessThan(10_000);
    await device.hangUp();
  });

  it('let a device go on at another one, with its lease, its report and a receipt of either', async () => {
    const device = await deviceAt(urlOf(0));
    await orderAt(urlOf(2))('wander');
    const lease = await device.nextLease();
    await device.hangUp();
    const there = moved(device, urlOf(1));
    const welcome = await there.connect([WORKLOAD], [lease.leaseId]);
    expect(welcome.leases).toEqual([lease.leaseId]);
    await there.finish(lease, bytes('wander!'));
    expect((await there.told('verdict')).verdict.kind).toBe('accepted');
    const receipt = await there.report([
      { leaseId: lease.leaseId, outputHash: sha256(bytes('wander!')), amount: PRICE },
    ]);
    await there.hangUp();
    const third = moved(there, urlOf(2));
    const last = await third.connect([WORKLOAD]);
    expect(last.lastReport).toEqual({ sequence: 1, reportHash: receipt.value.reportHash });
    expect(await third.sendReport(there.lastReport ?? expect.unreachable())).toEqual(receipt);
    await until('publishing', async () => (await books(device.owner.address)).published === PRICE);
    await third.told('epoch');
    await third.hangUp();
  });

  it('end the older session of a device that has a newer one at another', async () => {
    const device = await deviceAt(urlOf(0));
    const newer = moved(device, urlOf(1));
    await newer.connect([WORKLOAD]);
    await device.ended();
    newer.send({ type: 'ready', lane: 'cpu', slots: 1 });
    await orderAt(urlOf(0))('newer');
    await newer.finish(await newer.nextLease(), bytes('newer!'));
    expect((await newer.told('verdict')).verdict.kind).toBe('accepted');
    await newer.hangUp();
  });

  it('tell a device at one what was decided at another', async () => {
    const device = await deviceAt(urlOf(0));
    await orderAt(urlOf(0))('overdue');
    const lease = await device.nextLease();
    // Whichever of them looks for what is overdue, it is not always the one where the device is.
    const db = await openStore(store, dataDir);
    // Behind what was looked at, which ends with now.
    await db.exec('UPDATE leases SET deadline = $2 WHERE lease_id = $1', [lease.leaseId, Date.now() + 100]);
    await db.close();
    expect((await device.told('cancel')).leaseId).toBe(lease.leaseId);
    await device.hangUp();
    const second = await deviceAt(urlOf(2));
    await second.finish(await second.nextLease(), bytes('overdue!'));
    expect((await second.told('verdict')).verdict.kind).toBe('accepted');
    await second.hangUp();
  });

  it('notice after their connections were cut what they could not hear meanwhile', async () => {
    const device = await deviceAt(urlOf(0));
    await orderAt(urlOf(0))('unheard');
    const lease = await device.nextLease();
    const db = await openStore(store, dataDir);
    // As a replica leaves it that dies between its commit and its word.
    await db.exec(`UPDATE leases SET state = 'gone', why = 'unheard', issued_at = 0 WHERE lease_id = $1`, [
      lease.leaseId,
    ]);
    await db.close();
    await new Promise((resolve) => setTimeout(resolve, 5_500));
    expect(device.messages.filter(({ type }) => type === 'cancel')).toEqual([]);
    await cutConnections(store.databaseUrl ?? expect.unreachable());
    expect((await device.told('cancel')).leaseId).toBe(lease.leaseId);
    const from = device.messages.length;
    device.send({ type: 'ready', lane: 'cpu', slots: 1 });
    await device.finish(await device.nextLease(from), bytes('unheard!'));
    await device.told('verdict', () => true, from);
    await device.hangUp();
  }, 60_000);

  it('lose nothing and give nothing out twice while one of them is killed again and again', async () => {
    const { rpcUrl, chainId, token, distributor, publisher } = chain;
    const options = {
      dataDir,
      databaseUrl: store.databaseUrl,
      port: 0,
      rpcUrl,
      chainId,
      token,
      distributor,
      publisher,
    };
    const open = async (): Promise<{ readonly child: ChildProcess; readonly url: string }> => {
      const child = spawn(process.execPath, [SCRIPT, JSON.stringify(options)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.push(child);
      const [line] = await once(createInterface(child.stdout ?? expect.unreachable()), 'line');
      return { child, url: String(line) };
    };
    const jobs: Hex32[] = [];
    const worked: { readonly leaseId: Hex32; readonly outputHash: Hex32; readonly amount: bigint }[] = [];
    let device = await deviceAt(urlOf(1), 0);
    for (const point of ['ordered', 'leased', 'finished', 'reported'] as const) {
      const victim = await open();
      await device.hangUp();
      device = moved(device, victim.url);
      await device.connect([WORKLOAD]);
      const kill = async (held: readonly Hex32[]) => {
        victim.child.kill('SIGKILL');
        await once(victim.child, 'exit');
        await device.hangUp();
        device = moved(device, urlOf(2));
        await device.connect([WORKLOAD], held);
      };
      const job = await orderAt(victim.url)(point);
      jobs.push(job.jobId);
      if (point === 'ordered') await kill([]);
      device.send({ type: 'ready', lane: 'cpu', slots: 1 });
      const lease = await device.nextLease();
      expect(lease.jobId).toBe(job.jobId);
      if (point === 'leased') await kill([lease.leaseId]);
      await device.finish(lease, bytes(`${point}!`));
      await device.told('result-stored', ({ leaseId }) => leaseId === lease.leaseId);
      if (point === 'finished') await kill([lease.leaseId]);
      await device.told('verdict', ({ verdict }) => verdict.leaseId === lease.leaseId);
      const item = { leaseId: lease.leaseId, outputHash: sha256(bytes(`${point}!`)), amount: PRICE };
      worked.push(item);
      const stored = await device.makeReport([item]);
      device.lastReport = stored;
      device.send({ type: 'report', ...stored, items: [...stored.items] });
      if (point === 'reported') await kill([]);
      expect((await device.sendReport(stored)).value.cumulative).toBe(PRICE * BigInt(worked.length));
      victim.child.kill('SIGKILL');
    }
    await device.hangUp();
    const owed = PRICE * BigInt(jobs.length);
    for (const jobId of jobs) expect(await consumer.follow(jobId, ['done', 'failed'])).toMatchObject({ state: 'done' });
    await until('all of it published', async () => (await books(device.owner.address)).published === owed);
    const db = await openStore(store, dataDir);
    const twice = await db.query(
      z.object({ count: integerColumn }),
      `SELECT COUNT(*) AS count FROM leases WHERE state <> 'gone' GROUP BY job_id HAVING COUNT(*) > 1`,
    );
    await db.close();
    expect(twice).toEqual([]);
  }, 120_000);

  it('publish each epoch once, whoever does it', async () => {
    const db = await openStore(store, dataDir);
    const rows = await db.query(
      z.object({ epoch: integerColumn, tx_hash: z.string().nullable() }),
      'SELECT epoch, tx_hash FROM epochs ORDER BY epoch',
    );
    await db.close();
    const distributor = chain.distributorAs(chain.deployer);
    expect(await distributor.getFunction('rootCount').staticCall()).toBe(BigInt(rows.length));
    expect(new Set(rows.map((row) => row.tx_hash)).size).toBe(rows.length);
    expect(rows.length).toBeGreaterThan(1);
  });
});
