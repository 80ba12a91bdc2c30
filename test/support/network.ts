import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Db } from '../../coordinator/db.ts';
import { type Coordinator, type CoordinatorOptions, startCoordinator } from '../../coordinator/index.ts';
import { catalogue } from '../../core/catalogue.ts';
import { parseTokens } from '../../core/money.ts';
import { type OwnerBooks, ownerBooks } from '../../core/wire.ts';
import { startTestChain, type TestChain } from './chain.ts';
import { TestConsumer, TestDevice } from './device.ts';
import { putEmptyBooks } from './empty-books.ts';
import { keepBooks, newStore, openStore, type Store } from './store.ts';
import { until } from './wait.ts';

export const PRICE = parseTokens('0.5');
export const WORKLOAD = { id: 'echo', image: `sha256:${'ab'.repeat(32)}` } as const;

const testCatalogue = catalogue.parse({
  version: 1,
  entries: [
    {
      id: WORKLOAD.id,
      version: '1.0.0',
      lane: 'cpu',
      title: { en: 'Echo', ja: 'エコー' },
      limits: {
        cpuCores: 1,
        memoryBytes: 1e8,
        pids: 8,
        scratchBytes: 1e6,
        seconds: 60,
        maxInputBytes: 1_000_000,
        maxOutputBytes: 1_000_000,
      },
      network: 'none',
      comparison: 'exact',
      price: { base: PRICE.toString(), perInputMiB: '0' },
      params: { mode: ['plain', 'loud'] },
      image: WORKLOAD.image,
    },
  ],
});

export const coordinatorOptions = (
  dataDir: string,
  chain: Pick<TestChain, 'rpcUrl' | 'chainId' | 'token' | 'distributor' | 'publisher'>,
  change: Partial<CoordinatorOptions> = {},
): CoordinatorOptions => ({
  dataDir,
  host: '127.0.0.1',
  port: 0,
  name: 'Test',
  tokenSymbol: 'TEST',
  catalogue: testCatalogue,
  release: null,
  chain: {
    rpcUrl: chain.rpcUrl,
    chainId: chain.chainId,
    token: chain.token,
    distributor: chain.distributor,
    privateKey: chain.publisher.privateKey,
  },
  replicas: 0,
  reportEveryMs: 1_000,
  epochEveryMs: 300,
  leaseMs: 60_000,
  maxAttempts: 3,
  keepJobsMs: 86_400_000,
  keepBlobsMs: 3_600_000,
  maxAccountBytes: 4 * 2 ** 30,
  clock: { now: () => Date.now() },
  log: () => undefined,
  ...change,
});

/** A real chain and a real coordinator on it, with their consumers and devices. */
export class TestNetwork {
  readonly chain: TestChain;
  readonly dataDir: string;
  coordinator: Coordinator;
  readonly #options: CoordinatorOptions;
  readonly #store: Store;
  readonly #devices: TestDevice[] = [];
  #halted = false;

  private constructor(
    chain: TestChain,
    dataDir: string,
    coordinator: Coordinator,
    options: CoordinatorOptions,
    store: Store,
  ) {
    this.#store = store;
    this.chain = chain;
    this.dataDir = dataDir;
    this.coordinator = coordinator;
    this.#options = options;
  }

  static async start(change: Partial<CoordinatorOptions> = {}): Promise<TestNetwork> {
    const chain = await startTestChain();
    const dataDir = await mkdtemp(join(tmpdir(), 'idlemesh-coordinator-'));
    const store = await newStore();
    const { drop: _drop, ...database } = store;
    if (store.databaseUrl === undefined) await putEmptyBooks(dataDir);
    const options = coordinatorOptions(dataDir, chain, { ...database, ...change });
    return new TestNetwork(chain, dataDir, await startCoordinator(options), options, store);
  }

  /** Where the books are. */
  get store(): Store {
    return this.#store;
  }
  get url(): string {
    return this.coordinator.url;
  }

  /** Closes the coordinator; `restart` or `stop` follows. */
  async halt(): Promise<void> {
    if (!this.#halted) await this.coordinator.close();
    this.#halted = true;
  }

  /** Closes the coordinator and opens it again on the same folder. */
  async restart(): Promise<void> {
    await this.halt();
    this.#halted = false;
    this.coordinator = await startCoordinator(this.#options);
  }

  /** The books of a coordinator that is halted; close them before it starts again. */
  openBooks(): Promise<Db> {
    return openStore(this.#store, this.dataDir);
  }

  /** Keeps the books of a coordinator that is halted; what it answers brings them back. */
  keepBooks(): Promise<() => Promise<void>> {
    return keepBooks(this.#store, this.dataDir);
  }

  /** An enrolled, connected device that would take `slots` leases. */
  async device(slots = 1, owner?: TestDevice['ownerAccount']): Promise<TestDevice> {
    const device = new TestDevice(this.url, this.coordinator.network, owner);
    this.#devices.push(device);
    await device.enrol();
    await device.connect([WORKLOAD]);
    device.send({ type: 'ready', lane: 'cpu', slots });
    return device;
  }

  /** A consumer whose deposit is booked. */
  async consumer(amount = parseTokens('10')): Promise<TestConsumer> {
    const consumer = new TestConsumer(this.url, this.coordinator.network);
    await this.chain.deposit(consumer.account, amount);
    await until(
      'the deposit to be booked',
      async () => (await this.books(consumer.account.address)).deposit === amount,
    );
    return consumer;
  }

  async books(owner: string): Promise<OwnerBooks> {
    return ownerBooks.parse(await (await fetch(`${this.url}/v1/owners/${owner}`)).json());
  }

  async stop(): Promise<void> {
    for (const device of this.#devices) await device.hangUp();
    await this.halt();
    await this.chain.stop();
    await this.#store.drop();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}
