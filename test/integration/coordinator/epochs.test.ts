import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Chain } from '../../../coordinator/chain.ts';
import { closeEpoch, findEpoch, latestPublished, publishEpochs } from '../../../coordinator/epochs.ts';
import { booksOf } from '../../../coordinator/ledger.ts';
import { fail } from '../../../core/errors.ts';
import { newAccount, transact } from '../../support/chain.ts';
import { credit as creditOwner } from '../../support/credit.ts';
import { randomHex32 } from '../../support/device.ts';
import { type EpochStage, epochStage } from '../../support/epoch-stage.ts';

const clock = { now: () => 1 };

describe('epochs', () => {
  const owner = newAccount().address;
  let stage: EpochStage;
  let network: EpochStage['network'];
  let chain: EpochStage['chain'];
  let db: EpochStage['db'];
  beforeAll(async () => {
    stage = await epochStage();
    ({ network, chain, db } = stage);
  }, 60_000);
  afterAll(() => stage.stop());

  const credit = (amount: bigint) => creditOwner(db, owner, amount);
  const publish = (through: Chain = chain) =>
    publishEpochs(
      db,
      through,
      clock,
      () => undefined,
      () => undefined,
    );

  it('close only when something new was credited', async () => {
    expect(await closeEpoch(db, 1)).toBe(false);
    await credit(10n);
    expect(await closeEpoch(db, 1)).toBe(true);
    expect(await closeEpoch(db, 2)).toBe(false);
    await publish();
    expect(await latestPublished(db)).toMatchObject({ epoch: 1, total: 10n });
    expect(await booksOf(db, owner)).toMatchObject({ credited: 10n, published: 10n });
  });

  it('are not published twice when the process dies between the chain and the database', async () => {
    await credit(5n);
    await closeEpoch(db, 3);
    const dying: Chain = {
      ...chain,
      async publish(root, total, rootIndex) {
        await chain.publish(root, total, rootIndex);
        fail('CHAIN_AWAY', 'died before it could be noted');
      },
    };
    await expect(publish(dying)).rejects.toMatchObject({ code: 'CHAIN_AWAY' });
    expect((await findEpoch(db, 2))?.tx_hash).toBeNull();
    await publish();
    expect(await chain.rootCount()).toBe(2);
    expect((await findEpoch(db, 2))?.tx_hash).toBe((await chain.publication(1))?.txHash);
    expect(await booksOf(db, owner)).toMatchObject({ credited: 15n, published: 15n });
  });

  it('are published again when the chain has lost their root', async () => {
    const before = await network.provider.send('evm_snapshot', []);
    await credit(1n);
    await closeEpoch(db, 4);
    await publish();
    await network.provider.send('evm_revert', [before]);
    expect(await chain.rootCount()).toBe(2);
    await publish();
    expect(await chain.rootCount()).toBe(3);
    expect(await booksOf(db, owner)).toMatchObject({ credited: 16n, published: 16n });
  });

  it('stop when the chain holds a root that the books do not know', async () => {
    await credit(1n);
    await closeEpoch(db, 5);
    await transact(network.distributorAs(network.publisher), 'publishRoot', randomHex32(), 20n);
    await expect(publish()).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await findEpoch(db, 4))?.tx_hash).toBeNull();
  });

  it('are never promised beyond what consumers deposited', async () => {
    await db.exec('DELETE FROM epochs WHERE epoch = 4');
    await credit(5_000n);
    await expect(chain.publish(randomHex32(), 5_000n, await chain.rootCount())).rejects.toMatchObject({
      code: 'REFUSED',
      info: { revert: 'NotFunded' },
    });
  });

  it('are not signed when one receipt says other than the ledger', async () => {
    await db.exec(`UPDATE receipts SET outcomes = '[]' WHERE report_hash = (SELECT MIN(report_hash) FROM receipts)`);
    await expect(closeEpoch(db, 6)).rejects.toMatchObject({ code: 'INTERNAL' });
  });
});
