import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Chain, openChain } from '../../../coordinator/chain.ts';
import type { Db } from '../../../coordinator/db.ts';
import { EpochData, EpochSets } from '../../../coordinator/epoch-data.ts';
import { closeEpoch, findPublished, publishEpochs } from '../../../coordinator/epochs.ts';
import { Roots } from '../../../coordinator/roots.ts';
import { epoch } from '../../../core/wire.ts';
import { newAccount, startTestChain, type TestChain, transact } from '../../support/chain.ts';
import { credit } from '../../support/credit.ts';
import { openTestDb } from '../../support/store.ts';

const DELAY_S = 3_600;

describe('roots that pay', () => {
  const owner = newAccount().address;
  let network: TestChain;
  let chain: Chain;
  let dir: string;
  let db: Db;
  let asked = 0;
  let now = 0;
  const clock = { now: () => now };
  const open = () =>
    new Roots(
      db,
      {
        rootState: (rootIndex) => {
          asked += 1;
          return chain.rootState(rootIndex);
        },
      },
      clock,
    );
  beforeAll(async () => {
    network = await startTestChain(DELAY_S);
    await network.deposit(newAccount(), 1_000n);
    const { rpcUrl, chainId, token, distributor, publisher } = network;
    chain = openChain({ rpcUrl, chainId, token, distributor, privateKey: publisher.privateKey });
    dir = await mkdtemp(join(tmpdir(), 'idlemesh-roots-'));
    db = await openTestDb(dir);
  }, 60_000);
  afterAll(async () => {
    chain.close();
    await db.close();
    await network.stop();
    await rm(dir, { recursive: true, force: true });
  });

  async function publish(amount: bigint): Promise<void> {
    await credit(db, owner, amount);
    await closeEpoch(db, 1);
    await publishEpochs(
      db,
      chain,
      clock,
      () => undefined,
      () => undefined,
    );
  }
  async function delayPasses(): Promise<void> {
    await network.provider.send('evm_increaseTime', [DELAY_S]);
    await network.provider.send('evm_mine', []);
    now += 60_000;
  }

  it('are neither those whose delay runs nor those that were disabled, and are asked about once', async () => {
    const roots = open();
    expect(await roots.newest()).toBeNull();
    await publish(10n);
    expect(await roots.newest()).toBeNull();
    await delayPasses();
    const first = await roots.newest();
    expect(first).toMatchObject({ epoch: 1 });
    expect(first?.cumulative.get(owner)).toBe(10n);

    await publish(5n);
    expect((await roots.newest())?.epoch).toBe(1);
    await transact(network.distributorAs(network.guardian), 'disableRoot', 1);
    await delayPasses();
    expect(await roots.newest()).toBe(first);
    const before = asked;
    expect(await roots.newest()).toBe(first);
    expect(asked).toBe(before);

    await publish(1n);
    await delayPasses();
    expect((await roots.newest())?.cumulative.get(owner)).toBe(16n);
  }, 60_000);

  it('are the last that are known while the chain is away, and CHAIN_AWAY when none is', async () => {
    const roots = open();
    expect((await roots.newest())?.epoch).toBe(3);
    await publish(1n);
    await network.halt();
    now += 60_000;
    expect((await roots.newest())?.epoch).toBe(3);
    await expect(open().newest()).rejects.toMatchObject({ code: 'CHAIN_AWAY' });
    await network.restart();
  }, 60_000);

  it('have their data sets read once however many ask, and large ones seldom', async () => {
    while (((await findPublished(db, null))?.epoch ?? 0) < 5) await publish(1n);
    let reads = 0;
    const watched: Db = {
      ...db,
      query: (row, text, params) => {
        if (text.startsWith('SELECT * FROM epochs')) reads += 1;
        return db.query(row, text, params);
      },
    };
    const sets = new EpochSets(watched, clock);
    const answers = await Promise.all([5, null, 5, null].map((epoch) => sets.get(epoch)));
    for (const { view, text } of answers) {
      expect(view.epoch).toBe(5);
      expect(epoch.parse(JSON.parse(text))).toEqual(view);
    }
    expect(reads).toBeLessThan(4);
    reads = 0;
    await sets.get(5);
    expect(reads).toBe(0);
    await expect(sets.get(999)).rejects.toMatchObject({ code: 'NOT_FOUND' });

    const large = new EpochSets(watched, clock, 0);
    for (const number of [1, 2, 3, 4, 4, 4]) await large.get(number);
    await expect(large.get(5)).rejects.toMatchObject({ code: 'TOO_MANY', info: { retryAfter: 2 } });
    now += 2_000;
    expect((await large.get(5)).view.epoch).toBe(5);
  });

  it('have large ones written leaf by leaf no more often than that keeps nobody else waiting', async () => {
    const data = new EpochData(db, clock, 0);
    for (let time = 0; time < 4; time++) expect((await data.wholeTree(1)).entitlements).toHaveLength(1);
    await expect(data.wholeTree(1)).rejects.toMatchObject({ code: 'TOO_MANY', info: { retryAfter: 10 } });
    expect((await data.tree(1)).entitlements).toHaveLength(1);
    const small = new EpochData(db, clock);
    for (let time = 0; time < 8; time++) await small.wholeTree(1);
  });
});
