import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Consumer } from '../../../cli/consumer.ts';
import { type Coordinator, startCoordinator } from '../../../coordinator/index.ts';
import { API } from '../../../core/api.ts';
import { parseTokens } from '../../../core/money.ts';
import { costOf } from '../../../core/receipts.ts';
import { type OwnerBooks, ownerBooks } from '../../../core/wire.ts';
import { newAccount, startTestChain, type TestChain } from '../../support/chain.ts';
import { randomHex32, Signatory, TestDevice } from '../../support/device.ts';
import { coordinatorOptions, WORKLOAD } from '../../support/network.ts';
import { MIB, receiptBy } from '../../support/receipts.ts';
import { newStore, type Store } from '../../support/store.ts';
import { until } from '../../support/wait.ts';

let chain: TestChain;
let dataDir: string;
let store: Store;
let here: Coordinator;
let there: Coordinator;
const payer = newAccount();
beforeAll(async () => {
  chain = await startTestChain();
  dataDir = await mkdtemp(join(tmpdir(), 'idlemesh-deliveries-'));
  store = await newStore();
  const options = coordinatorOptions(dataDir, chain, { databaseUrl: store.databaseUrl ?? expect.unreachable() });
  [here, there] = await Promise.all([startCoordinator(options), startCoordinator(options)]);
  await chain.deposit(payer, parseTokens('10'));
  await until('the deposit', async () => (await booksOf(payer.address)).deposit > 0n);
}, 60_000);
afterAll(async () => {
  await here.close();
  await there.close();
  await chain.stop();
  await store.drop();
  await rm(dataDir, { recursive: true, force: true });
});

const booksOf = async (owner: string): Promise<OwnerBooks> =>
  ownerBooks.parse(await (await fetch(`${here.url}/v1/owners/${owner}`)).json());

it('a delivery that is ordered at one coordinator is known to the device of another, and booked once by both', async () => {
  const device = new TestDevice(there.url, there.network);
  await device.enrol();
  await device.connect([WORKLOAD]);
  const consumer = await Consumer.connect(here.url, payer.privateKey);
  const [session, content] = [randomHex32(), randomHex32()];
  const body = { session, content, device: device.key.address, maxBytes: 64 * MIB };
  const { price } = await consumer.client.call(API.deliver, { body });
  const { deliveries } = await device.told('deliveries-open');
  expect(deliveries).toMatchObject([{ session, content, price, maxBytes: 64 * MIB }]);

  // It moves from one to the other while each still answers what it was sent: the same receipts come to both at once.
  const about = { session, content, device: device.key.address, price };
  const signs = new Signatory(payer, here.network);
  const moved = device.movedTo(here.url);
  for (let turn = 1; turn <= 8; turn++) {
    const receipts = await Promise.all([4 * turn, 8 * turn].map((n) => receiptBy(signs, about, n * MIB)));
    device.send({ type: 'deliveries', receipts });
    await (turn % 2 === 0 ? device : moved).connect([WORKLOAD]);
    moved.send({ type: 'deliveries', receipts });
    device.send({ type: 'deliveries', receipts });
  }
  const all = costOf(64 * MIB, price);
  await moved.connect([WORKLOAD]);
  moved.send({ type: 'deliveries', receipts: [await receiptBy(signs, about, 64 * MIB)] });
  await until('all of it', async () => (await booksOf(device.owner.address)).credited === all);
  expect((await booksOf(payer.address)).deposit).toBe(parseTokens('10') - all);
  await device.hangUp();
  await moved.hangUp();
}, 60_000);
