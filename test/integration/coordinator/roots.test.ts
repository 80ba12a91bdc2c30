import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Chain, openChain } from '../../../coordinator/chain.ts';
import type { Db } from '../../../coordinator/db.ts';
import { closeEpoch, publishEpochs } from '../../../coordinator/epochs.ts';
import { Roots } from '../../../coordinator/roots.ts';
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
});
