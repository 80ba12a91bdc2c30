import { Contract, JsonRpcProvider, NonceManager, Wallet } from 'ethers';
import { DISTRIBUTOR_ABI, TOKEN_ABI } from '../core/abi.ts';
import { fail } from '../core/errors.ts';
import { type Amount, formatTokens } from '../core/money.ts';
import type { Address } from '../core/primitives.ts';
import type { NetworkInfo } from '../core/wire.ts';

type Network = Pick<NetworkInfo, 'rpcUrl' | 'chainId' | 'token' | 'distributor' | 'tokenSymbol'>;

/** Runs `use` with a signer on the network's chain and ends the connection after it. Throws CHAIN_AWAY. */
async function onChain<T>(network: Network, privateKey: string, use: (signer: NonceManager) => Promise<T>): Promise<T> {
  const provider = new JsonRpcProvider(network.rpcUrl, network.chainId, { staticNetwork: true, cacheTimeout: -1 });
  try {
    await provider
      .send('eth_chainId', [])
      .catch((error: unknown) => fail('CHAIN_AWAY', `no chain answers at ${network.rpcUrl}`, {}, error));
    return await use(new NonceManager(new Wallet(privateKey, provider)));
  } finally {
    provider.destroy();
  }
}

async function requireTokens(token: Contract, network: Network, signer: NonceManager, amount: Amount): Promise<void> {
  const balance: bigint = await token.getFunction('balanceOf')(await signer.getAddress());
  if (balance < amount)
    fail('INSUFFICIENT_FUNDS', `your address holds ${formatTokens(balance)} ${network.tokenSymbol}`);
}

/** What moving tokens there costs in the chain's own coin, at most and at the price of gas now. */
export type DepositFee = { readonly wei: bigint; readonly transactions: number };

/** Gas of `fund`, which cannot be estimated before the token is approved; measured 70 000 on the practice chain. */
const FUND_GAS = 120_000n;

export function depositFee(network: Network, privateKey: string, amount: Amount): Promise<DepositFee> {
  return onChain(network, privateKey, async (signer) => {
    const token = new Contract(network.token, TOKEN_ABI, signer);
    await requireTokens(token, network, signer, amount);
    const gas: bigint = await token.getFunction('approve').estimateGas(network.distributor, amount);
    const fees = await signer.provider?.getFeeData();
    const price = fees?.maxFeePerGas ?? fees?.gasPrice ?? fail('CHAIN_AWAY', 'the chain does not say what gas costs');
    return { wei: (gas + FUND_GAS) * price, transactions: 2 };
  });
}

/** Moves tokens from the consumer's address into the distributor; the coordinator books them when it sees the event. */
export function depositTokens(network: Network, privateKey: string, amount: Amount): Promise<void> {
  return onChain(network, privateKey, async (signer) => {
    const token = new Contract(network.token, TOKEN_ABI, signer);
    await requireTokens(token, network, signer, amount);
    const approval = await token.getFunction('approve')(network.distributor, amount);
    await approval.wait();
    const funding = await new Contract(network.distributor, DISTRIBUTOR_ABI, signer).getFunction('fund')(amount);
    await funding.wait();
  });
}

/** What practice networks have instead of an exchange: tokens from their deployer, and coins for the fee. */
export function giveTokens(network: Network, deployerKey: string, to: Address, amount: Amount): Promise<void> {
  return onChain(network, deployerKey, async (signer) => {
    const transfer = await new Contract(network.token, TOKEN_ABI, signer).getFunction('transfer')(to, amount);
    await transfer.wait();
    const coins = await signer.sendTransaction({ to, value: 10n ** 18n });
    await coins.wait();
  });
}
