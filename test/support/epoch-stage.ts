import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Chain, openChain } from '../../coordinator/chain.ts';
import type { Db } from '../../coordinator/db.ts';
import { newAccount, startTestChain, type TestChain } from './chain.ts';
import { openTestDb } from './store.ts';

/** A real chain whose distributor holds 1,000 units, and a coordinator's books, without the coordinator around them. */
export type EpochStage = {
  readonly network: TestChain;
  readonly chain: Chain;
  readonly db: Db;
  readonly stop: () => Promise<void>;
};

export async function epochStage(): Promise<EpochStage> {
  const network = await startTestChain();
  await network.deposit(newAccount(), 1_000n);
  const { rpcUrl, chainId, token, distributor, publisher } = network;
  const chain = openChain({ rpcUrl, chainId, token, distributor, privateKey: publisher.privateKey });
  const dir = await mkdtemp(join(tmpdir(), 'idlemesh-epochs-'));
  const db = await openTestDb(dir);
  return {
    network,
    chain,
    db,
    async stop() {
      chain.close();
      await db.close();
      await network.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
