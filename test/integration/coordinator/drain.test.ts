import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTokens } from '../../../core/money.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { type JobView, type Lease, networkInfo, ownerBooks } from '../../../core/wire.ts';
import { ChildCoordinator } from '../../support/child-coordinator.ts';
import { sha256, TestConsumer, TestDevice } from '../../support/device.ts';
import { earn } from '../../support/earn.ts';
import { PRICE, TestNetwork, WORKLOAD } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

const GOING_DOWN = 1012;

/** A device that does what it is given, and remembers what it was told for good. */
class Worker {
  readonly device: TestDevice;
  readonly stored = new Set<Hex32>();
  readonly leased = new Map<Hex32, Lease>();
  #seen = 0;
  #going: Promise<void> = Promise.resolve();
  #stopping = false;

  constructor(device: TestDevice) {
    this.device = device;
  }

  /** Leases that are not acknowledged yet. */
  get open(): readonly Lease[] {
    return [...this.leased.values()].filter(({ leaseId }) => !this.stored.has(leaseId));
  }

  async begin(): Promise<void> {
    await this.device.connect(
      [WORKLOAD],
      this.open.map(({ leaseId }) => leaseId),
    );
    this.device.send({ type: 'ready', lane: 'cpu', slots: 8 });
    for (const lease of this.open) await this.#finish(lease);
    this.#stopping = false;
    this.#going = this.#work();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#going;
  }

  async #work(): Promise<void> {
    while (!this.#stopping) {
      const fresh = this.device.messages.slice(this.#seen);
      this.#seen += fresh.length;
      const leases: Lease[] = [];
      for (const message of fresh) {
        if (message.type === 'lease') leases.push(message.lease);
        if (message.type === 'leases') leases.push(...message.leases);
        if (message.type === 'result-stored') this.stored.add(message.leaseId);
        if (message.type === 'results-stored') for (const leaseId of message.leaseIds) this.stored.add(leaseId);
      }
      for (const lease of leases) this.leased.set(lease.leaseId, lease);
      // The coordinator may be gone in between: the lease stays open, and is named when it is back.
      for (const lease of leases) await this.#finish(lease).catch(() => undefined);
      if (leases.length > 0) this.device.send({ type: 'ready', lane: 'cpu', slots: 8 });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #finish(lease: Lease): Promise<void> {
    return this.device.finish(lease, Buffer.from(`output of ${lease.jobId}`));
  }
}

describe('SIGTERM to a coordinator under load', () => {
  let coordinator: ChildCoordinator;
  beforeAll(async () => {
    coordinator = await ChildCoordinator.start({ drainMs: 2_000 });
  }, 60_000);
  afterAll(() => coordinator.stop());

  it('loses nothing that was acknowledged, sends devices elsewhere, and ends with 0 soon', async () => {
    const { url, chain } = coordinator;
    const network = networkInfo.parse(await (await fetch(`${url}/v1/network`)).json());
    const deposit = parseTokens('2000');
    const consumer = new TestConsumer(url, network);
    await chain.deposit(consumer.account, deposit);
    const books = async () =>
      ownerBooks.parse(await (await fetch(`${url}/v1/owners/${consumer.account.address}`)).json());
    await until('the deposit', async () => (await books()).deposit === deposit);

    const workers = [1, 2, 3, 4].map(() => new Worker(new TestDevice(url, network)));
    for (const worker of workers) {
      await worker.device.enrol();
      await worker.begin();
    }
    const acknowledged: Hex32[] = [];
    let ordering = true;
    const orders = [1, 2, 3].map(async (line) => {
      for (let at = 0; ordering; at++) {
        const job: JobView | null = await consumer.submit('echo', Buffer.from(`${line} ${at}`)).catch(() => null);
        if (job !== null) acknowledged.push(job.jobId);
        else await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });
    const stored = () => workers.reduce((sum, worker) => sum + worker.stored.size, 0);
    await until('a load', () => stored() > 40);

    coordinator.signal('SIGTERM');
    const exit = coordinator.exit();
    await until('unready', async () => (await fetch(`${url}/v1/ready`)).status === 503);
    // What was being written when the signal came has been told.
    await new Promise((resolve) => setTimeout(resolve, 500));
    const leasedThen = workers.map((worker) => worker.leased.size);
    const acknowledgedThen = acknowledged.length;
    const { code, ms } = await exit;
    expect(code).toBe(0);
    expect(ms).toBeLessThan(12_000);
    for (const worker of workers) {
      await worker.device.ended();
      expect(worker.device.closeCode).toBe(GOING_DOWN);
      await worker.stop();
    }
    // Orders were taken until the end; work was not handed out.
    expect(acknowledged.length).toBeGreaterThan(acknowledgedThen);
    const late = workers.reduce((sum, worker, at) => sum + worker.leased.size - (leasedThen[at] ?? 0), 0);
    expect(late).toBe(0);

    ordering = false;
    await Promise.all(orders);
    const before = stored();
    await coordinator.again();
    for (const worker of workers) await worker.begin();
    for (const jobId of acknowledged) {
      const job = await consumer.follow(jobId, ['done', 'failed']);
      expect(job).toMatchObject({ state: 'done', outputHash: sha256(Buffer.from(`output of ${jobId}`)) });
    }
    expect(before).toBeGreaterThan(40);
    const { deposit: left } = await books();
    expect(left).toBe(deposit - PRICE * BigInt(acknowledged.length));
    // Nothing was done twice: each lease that was acknowledged is of another job.
    const done = workers.flatMap(({ leased, stored: ids }) => [...ids].map((id) => leased.get(id)?.jobId));
    expect(new Set(done).size).toBe(done.length);
    for (const worker of workers) {
      await worker.stop();
      await worker.device.hangUp();
    }
  }, 120_000);

  it('ends at once when it is asked a second time', async () => {
    coordinator.signal('SIGTERM');
    const exit = coordinator.exit();
    await until('unready', async () => (await fetch(`${coordinator.url}/v1/ready`)).status === 503);
    coordinator.signal('SIGTERM');
    const { code, ms } = await exit;
    expect(code).toBe(130);
    expect(ms).toBeLessThan(1_500);
  });
});

it('a root that waits for its block keeps no coordinator from going down, and is published once', async () => {
  const network = await TestNetwork.start();
  try {
    const { chain } = network;
    const consumer = await network.consumer();
    const device = await network.device(0);
    const { item } = await earn(consumer, device, 'to be published');
    await chain.provider.send('evm_setAutomine', [false]);
    await device.report([item]);
    const pending = async () => (await chain.provider.send('txpool_status', [])).pending;
    await until('the root on its way', async () => Number(await pending()) > 0);
    const from = performance.now();
    await network.halt();
    expect(performance.now() - from).toBeLessThan(15_000);
    await chain.provider.send('evm_setAutomine', [true]);
    await chain.provider.send('evm_mine', []);
    await network.restart();
    const owed = async () => (await network.books(device.owner.address)).published;
    await until('the root', async () => (await owed()) === PRICE);
    const roots = await chain.distributorAs(chain.deployer).getFunction('rootCount').staticCall();
    expect(roots).toBe(1n);
  } finally {
    await network.stop();
  }
}, 90_000);
