import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { asFailure, Failure, fail } from '../../core/errors.ts';
import { keccakText } from '../../core/keccak.ts';
import type { Address } from '../../core/primitives.ts';
import type { NetworkInfo } from '../../core/wire.ts';
import type { Chain } from '../ports.ts';
import { ask } from './http.ts';

const REQUEST_MS = 8_000;
const CONFIRM_MS = 120_000;
const CONFIRM_EVERY_MS = 1_000;

/** One answer of JSON-RPC 2.0. */
const answer = z.union([
  z.object({ error: z.object({ message: z.string() }) }),
  z.object({ result: z.unknown(), error: z.null().optional() }),
]);
const word = z.string().regex(/^0x[0-9a-f]{64}$/i);
const receipt = z.object({ status: z.string() }).nullable();

/**
 * The chain over JSON-RPC, which this little takes no library for: at rest an app should not hold one. Nothing is asked for
 * while nobody asks: no polling, no subscriptions.
 */
export function rpcChain(): Chain {
  let closed = false;

  async function rpc<T extends z.ZodType>(
    { rpcUrl }: NetworkInfo,
    method: string,
    params: readonly unknown[],
    shape: T,
  ): Promise<z.output<T>> {
    if (closed) fail('CANCELLED', 'the chain was closed');
    try {
      const body = { jsonrpc: '2.0', id: 1, method, params };
      const said = await ask(rpcUrl, { method: 'POST', body, timeoutMs: REQUEST_MS }, answer);
      if (said.error) return fail('CHAIN_AWAY', said.error.message.slice(0, 200));
      const read = shape.safeParse('result' in said ? said.result : undefined);
      return read.success ? read.data : fail('CHAIN_AWAY', `the chain answered ${method} with something else`);
    } catch (error) {
      if (error instanceof Failure && error.code === 'CHAIN_AWAY') throw error;
      return fail('CHAIN_AWAY', asFailure(error).message.slice(0, 200), {}, error);
    }
  }

  /** What a view function of one address answers, by its signature in core/abi.ts. */
  async function read(network: NetworkInfo, at: Address, signature: string, of: Address): Promise<bigint> {
    const data = keccakText(signature).slice(0, 10) + of.slice(2).toLowerCase().padStart(64, '0');
    return BigInt(await rpc(network, 'eth_call', [{ to: at, data }, 'latest'], word));
  }

  return {
    balanceOf: (network, account) => read(network, network.token, 'balanceOf(address)', account),
    claimedBy: (network, owner) => read(network, network.distributor, 'claimed(address)', owner),
    async confirm(network, txHash) {
      const end = Date.now() + CONFIRM_MS;
      while (Date.now() < end) {
        const found = await rpc(network, 'eth_getTransactionReceipt', [txHash], receipt);
        if (found !== null && BigInt(found.status) === 0n) fail('REFUSED', 'the transaction reverted', { txHash });
        if (found !== null) return;
        await delay(CONFIRM_EVERY_MS);
      }
      fail('TIMEOUT', 'the transaction was not mined within 120 s; it may still be', { txHash });
    },
    close() {
      closed = true;
    },
  };
}
