import { Wallet } from 'ethers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Chain, openChain } from '../../../coordinator/chain.ts';
import type { Db } from '../../../coordinator/db.ts';
import { followChain } from '../../../coordinator/deposits.ts';
import {
  type Calculator,
  closeEpoch,
  findEpoch,
  findPublished,
  publishEpochs,
  treeOf,
} from '../../../coordinator/epochs.ts';
import { booksBalance, booksOf, owedByLedger } from '../../../coordinator/ledger.ts';
import { owedByReceipts } from '../../../coordinator/recount.ts';
import { fail } from '../../../core/errors.ts';
import { domainOf, fieldsOf } from '../../../core/typed-data.ts';
import { newAccount, transact } from '../../support/chain.ts';
import { credit as creditOwner } from '../../support/credit.ts';
import { randomHex32 } from '../../support/device.ts';
import { type EpochStage, epochStage } from '../../support/epoch-stage.ts';

const clock = { now: () => 1 };

const latestPublished = async (db: Db) => findEpoch(db, (await findPublished(db, null))?.epoch ?? 0);

describe('epochs', () => {
  const owner = newAccount();
  let stage: EpochStage;
  let network: EpochStage['network'];
  let chain: EpochStage['chain'];
  let db: EpochStage['db'];
  beforeAll(async () => {
    stage = await epochStage();
    ({ network, chain, db } = stage);
  }, 60_000);
  afterAll(() => stage.stop());

  const credit = (amount: bigint) => creditOwner(db, owner.address, amount);
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
    expect(await booksOf(db, owner.address)).toMatchObject({ credited: 10n, published: 10n });
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
    expect(await booksOf(db, owner.address)).toMatchObject({ credited: 15n, published: 15n });
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
    expect(await booksOf(db, owner.address)).toMatchObject({ credited: 16n, published: 16n });
  });

  it('are followed to their claims, each of which counts once whatever the chain does', async () => {
    const follow = () => followChain(db, chain, clock, () => undefined);
    const relay = newAccount();
    await network.deposit(relay, 1n);
    const claim = async () => {
      const row = (await latestPublished(db)) ?? expect.unreachable();
      const amount = row.entitlements.find((leaf) => leaf.owner === owner.address)?.cumulative ?? 0n;
      const proof = (await treeOf(row)).proofOf(owner.address) ?? [];
      const [at, recipient] = [network.distributorAs(relay), newAccount().address];
      const request = { owner: owner.address, recipient, amount, fee: 0n, deadline: 4_000_000_000 };
      const domain = domainOf(network.chainId, network.distributor);
      const signature = await new Wallet(owner.privateKey).signTypedData(domain, fieldsOf('Claim'), request);
      await transact(at, 'claimFor', request, row.epoch - 1, proof, signature);
    };
    const before = await network.provider.send('evm_snapshot', []);
    await claim();
    await follow();
    await follow();
    expect(await booksOf(db, owner.address)).toMatchObject({ published: 16n, claimed: 16n, matured: 0n });

    // The chain forgets the claim, and takes it anew in another block and another transaction.
    await network.provider.send('evm_revert', [before]);
    await network.provider.send('evm_mine', []);
    await network.provider.send('evm_mine', []);
    await claim();
    await follow();
    expect(await booksOf(db, owner.address)).toMatchObject({ published: 16n, claimed: 16n });
    expect(await booksBalance(db)).toBe(true);
  });

  it('wait for what is not confirmed, and look at nothing before the distributor was there', async () => {
    const { rpcUrl, chainId, token, distributor, publisher } = network;
    const head = await chain.head();
    const slow = openChain({
      ...{ rpcUrl, chainId, token, distributor, privateKey: publisher.privateKey },
      ...{ confirmations: 3, startBlock: head },
    });
    try {
      expect(await slow.head()).toBe(head - 3);
      expect(slow.startBlock).toBe(head);
      const consumer = newAccount();
      await network.deposit(consumer, 7n);
      const deposit = async () => {
        await followChain(db, slow, clock, () => undefined);
        return (await booksOf(db, consumer.address)).deposit;
      };
      await db.exec(`DELETE FROM meta WHERE key = 'chain-seen-to'`);
      expect(await deposit()).toBe(0n);
      for (let block = 0; block < 3; block++) await network.provider.send('evm_mine', []);
      expect(await deposit()).toBe(7n);
    } finally {
      slow.close();
    }
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

  it.each(['ledger', 'receipts'] as const)(
    'are not signed when the calculator of the %s is one unit off',
    async (which) => {
      const off =
        (right: Calculator): Calculator =>
        async (sql) =>
          new Map([...(await right(sql))].map(([name, { due, credited }]) => [name, { due: due + 1n, credited }]));
      const pair = [
        which === 'ledger' ? off(owedByLedger) : owedByLedger,
        which === 'receipts' ? off(owedByReceipts) : owedByReceipts,
      ] as const;
      await expect(closeEpoch(db, 6, pair)).rejects.toMatchObject({ code: 'INTERNAL' });
      expect(await findEpoch(db, 4)).toBeNull();
    },
  );

  it('are not signed when an entry was changed behind the back of the books', async () => {
    await db.exec('ALTER TABLE entries DISABLE TRIGGER USER');
    const [shift] = ["transfer_id = (SELECT MAX(transfer_id) FROM entries) AND account LIKE 'matured:%'"];
    await db.exec(`UPDATE entries SET amount = amount + 1 WHERE ${shift}`);
    await db.exec('ALTER TABLE entries ENABLE TRIGGER USER');
    await expect(closeEpoch(db, 6)).rejects.toMatchObject({ code: 'INTERNAL' });
    await db.exec('ALTER TABLE entries DISABLE TRIGGER USER');
    await db.exec(`UPDATE entries SET amount = amount - 1 WHERE ${shift}`);
    await db.exec('ALTER TABLE entries ENABLE TRIGGER USER');
    expect(await findEpoch(db, 4)).toBeNull();
  });

  it('are not signed when one receipt says other than the ledger', async () => {
    await db.exec(`UPDATE receipts SET outcomes = '[]' WHERE report_hash = (SELECT MIN(report_hash) FROM receipts)`);
    await expect(closeEpoch(db, 6)).rejects.toMatchObject({ code: 'INTERNAL' });
  });
});
