import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Wallet } from 'ethers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Chain, openChain } from '../../../coordinator/chain.ts';
import { type Db, openDb } from '../../../coordinator/db.ts';
import { closeEpoch, findEpoch, publishEpochs } from '../../../coordinator/epochs.ts';
import { newAccount, startTestChain, type TestChain } from '../../support/chain.ts';
import { credit } from '../../support/credit.ts';

describe('a root whose transaction is still waiting to be mined', () => {
  let network: TestChain;
  let chain: Chain;
  let dir: string;
  let db: Db;
  beforeAll(async () => {
    network = await startTestChain();
    await network.deposit(newAccount(), 1_000n);
    const { rpcUrl, chainId, token, distributor, publisher } = network;
    chain = openChain({ rpcUrl, chainId, token, distributor, privateKey: publisher.privateKey });
    dir = await mkdtemp(join(tmpdir(), 'idlemesh-pending-'));
    db = await openDb(dir);
  }, 60_000);
  afterAll(async () => {
    chain.close();
    await db.close();
    await network.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it('is not sent a second time, and is noted once it is mined', async () => {
    const owner = newAccount().address;
    await credit(db, owner, 10n);
    await closeEpoch(db, 1);
    const row = (await findEpoch(db, 1)) ?? expect.unreachable();

    await network.provider.send('evm_setAutomine', [false]);
    const earlier = new Wallet(network.publisher.privateKey, network.provider);
    const contract = network.distributorAs(network.publisher);
    const data = contract.interface.encodeFunctionData('publishRoot', [row.root, row.total]);
    const sent = await earlier.sendTransaction({ to: network.distributor, data });

    const publish = () =>
      publishEpochs(
        db,
        chain,
        { now: () => 2 },
        () => undefined,
        () => undefined,
      );
    const outcome = await Promise.race([
      publish().then(
        () => 'published',
        (error: { code: string }) => error.code,
      ),
      new Promise((resolve) => setTimeout(() => resolve('sent again'), 5_000)),
    ]);
    await network.provider.send('evm_mine', []);
    await network.provider.send('evm_setAutomine', [true]);
    expect(outcome).toBe('TIMEOUT');
    await publish();
    expect(await chain.rootCount()).toBe(1);
    expect((await findEpoch(db, 1))?.tx_hash).toBe(sent.hash);
  });
});
