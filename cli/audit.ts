import { Contract, JsonRpcProvider } from 'ethers';
import { z } from 'zod';
import { DISTRIBUTOR_ABI } from '../core/abi.ts';
import { API } from '../core/api.ts';
import { fail } from '../core/errors.ts';
import { merkleTree } from '../core/merkle.ts';
import { type Amount, sum } from '../core/money.ts';
import type { Hex32 } from '../core/primitives.ts';
import { Client } from './client.ts';

export type Audit = {
  readonly epoch: number;
  readonly owners: number;
  readonly total: Amount;
  /** As it follows from the data set, */
  readonly rebuilt: Hex32;
  /** as the coordinator says, */
  readonly told: Hex32;
  /** and as the contract has it. */
  readonly onChain: Hex32;
  readonly agrees: boolean;
};

const rootAt = z.object({ root: z.string(), total: z.bigint() });
const WITHIN_MS = 15_000;

/**
 * Builds the root of a published epoch again, from its public data set alone, and asks the chain for it: by `rpcUrl`, for who does not trust
 * the one that the coordinator names. Throws CHAIN_AWAY.
 */
export async function auditEpoch(url: string, epoch: number | null, rpcUrl: string | null): Promise<Audit> {
  const client = new Client(url, null);
  const network = await client.call(API.network);
  const data =
    epoch === null ? await client.call(API.latestEpoch) : await client.call(API.epoch, { params: { number: epoch } });
  const { root: rebuilt, entitlements } = merkleTree(data.entitlements);
  const total = sum(entitlements.map(({ cumulative }) => cumulative));
  const chain = await readRoot(rpcUrl ?? network.rpcUrl, network.distributor, data.epoch - 1);
  return {
    ...{ epoch: data.epoch, owners: entitlements.length, total, rebuilt, told: data.root },
    onChain: chain.root as Hex32,
    agrees: rebuilt === data.root && rebuilt === chain.root && total === chain.total && total === data.total,
  };
}

async function readRoot(rpcUrl: string, distributor: string, index: number): Promise<z.output<typeof rootAt>> {
  const provider = new JsonRpcProvider(rpcUrl);
  const late = AbortSignal.timeout(WITHIN_MS);
  try {
    const asked = new Contract(distributor, DISTRIBUTOR_ABI, provider).getFunction('rootAt').staticCall(index);
    const given = new Promise<never>((_resolve, reject) => {
      late.addEventListener('abort', () => reject(new Error('it does not answer')), { once: true });
    });
    const { root, total } = await Promise.race([asked, given]);
    return rootAt.parse({ root, total });
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 200) : '';
    return fail('CHAIN_AWAY', `the chain at ${rpcUrl} does not tell root ${index}: ${why}`, { rpcUrl }, error);
  } finally {
    provider.destroy();
  }
}
