import { Wallet } from 'ethers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeEpoch, findEpoch, publishEpochs } from '../../../coordinator/epochs.ts';
import { newAccount } from '../../support/chain.ts';
import { credit } from '../../support/credit.ts';
import { type EpochStage, epochStage } from '../../support/epoch-stage.ts';

describe('a root whose transaction is still waiting to be mined', () => {
  let stage: EpochStage;
  beforeAll(async () => {
    stage = await epochStage();
  }, 60_000);
  afterAll(() => stage.stop());

  it('is not sent a second time, and is noted once it is mined', async () => {
    const { network, chain, db } = stage;
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
