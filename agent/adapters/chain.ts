import { Contract } from 'ethers/contract';
import { JsonRpcProvider, Network } from 'ethers/providers';
import { FetchRequest, isError } from 'ethers/utils';
import { DISTRIBUTOR_ABI, TOKEN_ABI } from '../../core/abi.ts';
import { asFailure, Failure, fail } from '../../core/errors.ts';
import type { NetworkInfo } from '../../core/wire.ts';
import type { Chain } from '../ports.ts';

const REQUEST_MS = 8_000;
const CONFIRM_MS = 120_000;
const CONFIRM_EVERY_MS = 1_000;
const ABI = [...TOKEN_ABI, ...DISTRIBUTOR_ABI];

/** The chain over JSON-RPC. Nothing is asked for while nobody asks: no polling, no subscriptions. */
export function rpcChain(): Chain {
  let current: { readonly key: string; readonly provider: JsonRpcProvider } | null = null;
  let closed = false;

  function providerOf({ rpcUrl, chainId }: NetworkInfo): JsonRpcProvider {
    if (closed) fail('CANCELLED', 'the chain was closed');
    const key = `${chainId} ${rpcUrl}`;
    if (current?.key === key) return current.provider;
    current?.provider.destroy();
    const request = new FetchRequest(rpcUrl);
    request.timeout = REQUEST_MS;
    request.setThrottleParams({ maxAttempts: 2 });
    const network = Network.from(chainId);
    const provider = new JsonRpcProvider(request, network, { staticNetwork: network, cacheTimeout: -1 });
    current = { key, provider };
    return provider;
  }

  async function read(network: NetworkInfo, at: string, name: 'balanceOf' | 'claimed', of: string): Promise<bigint> {
    try {
      const contract = new Contract(at, ABI, providerOf(network));
      const value: unknown = await contract.getFunction(name)(of);
      return typeof value === 'bigint' ? value : fail('CHAIN_AWAY', `${at} answered no number`);
    } catch (error) {
      return away(error);
    }
  }

  function away(error: unknown): never {
    if (error instanceof Failure) throw error;
    const short = isError(error, 'SERVER_ERROR') || isError(error, 'NETWORK_ERROR') ? error.shortMessage : null;
    return fail('CHAIN_AWAY', (short ?? asFailure(error).message).slice(0, 200), {}, error);
  }

  return {
    balanceOf: (network, account) => read(network, network.token, 'balanceOf', account),
    claimedBy: (network, owner) => read(network, network.distributor, 'claimed', owner),
    async confirm(network, txHash) {
      const end = Date.now() + CONFIRM_MS;
      while (Date.now() < end) {
        const receipt = await providerOf(network).getTransactionReceipt(txHash).catch(away);
        if (receipt?.status === 0) fail('REFUSED', 'the transaction reverted', { txHash });
        if (receipt !== null) return;
        await new Promise((resolve) => setTimeout(resolve, CONFIRM_EVERY_MS));
      }
      fail('TIMEOUT', 'the transaction was not mined within 120 s; it may still be', { txHash });
    },
    close() {
      closed = true;
      current?.provider.destroy();
      current = null;
    },
  };
}
