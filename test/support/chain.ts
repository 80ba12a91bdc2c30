import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Contract, JsonRpcProvider, Network, NonceManager, Wallet } from 'ethers';
import { type Anvil, startAnvil } from '../../contracts/anvil.ts';
import { type Deployment, deployPractice } from '../../contracts/deploy.ts';
import { DISTRIBUTOR_ABI, TOKEN_ABI } from '../../core/abi.ts';
import { fail } from '../../core/errors.ts';
import type { Amount } from '../../core/money.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';

export type Account = { readonly address: Address; readonly privateKey: Hex32 };

/** A real anvil in a folder of its own, with the contracts on it. */
export type TestChain = Deployment & {
  readonly rpcUrl: string;
  readonly dir: string;
  readonly deployer: Account;
  readonly publisher: Account;
  readonly guardian: Account;
  readonly provider: JsonRpcProvider;
  readonly tokenAs: (account: Account) => Contract;
  readonly distributorAs: (account: Account) => Contract;
  readonly balanceOf: (account: string) => Promise<Amount>;
  /** Gives tokens and coins to `account` and deposits the tokens for it. */
  readonly deposit: (account: Account, amount: Amount) => Promise<void>;
  /** Ends anvil; `restart` brings it back on the same port with the same state. */
  readonly halt: () => Promise<void>;
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

export const newAccount = (): Account => {
  const wallet = Wallet.createRandom();
  return { address: wallet.address.toLowerCase() as Address, privateKey: wallet.privateKey as Hex32 };
};

/** Calls a contract method as a transaction and waits until it is mined. */
export async function transact(contract: Contract, method: string, ...args: readonly unknown[]): Promise<Hex32> {
  const sent = await contract.getFunction(method).send(...args);
  await sent.wait();
  return sent.hash as Hex32;
}

export async function startTestChain(activationDelay = 0): Promise<TestChain> {
  const dir = await mkdtemp(join(tmpdir(), 'idlemesh-chain-'));
  let anvil: Anvil = await startAnvil({ dataDir: dir });
  const { rpcUrl } = anvil;
  const [deployer, publisher, guardian] = anvil.accounts;
  if (deployer === undefined || publisher === undefined || guardian === undefined) fail('INTERNAL', 'no accounts');
  const contracts = await deployPractice({
    rpcUrl,
    deployerKey: deployer.privateKey,
    publisher: publisher.address,
    guardian: guardian.address,
    activationDelay,
  });
  const provider = new JsonRpcProvider(rpcUrl, Network.from(contracts.chainId), {
    staticNetwork: true,
    cacheTimeout: -1,
    pollingInterval: 50,
  });
  const as = (at: Address, abi: readonly string[]) => (account: Account) =>
    new Contract(at, abi, new NonceManager(new Wallet(account.privateKey, provider)));
  const tokenAs = as(contracts.token, TOKEN_ABI);
  const distributorAs = as(contracts.distributor, DISTRIBUTOR_ABI);
  return {
    ...contracts,
    rpcUrl,
    dir,
    deployer,
    publisher,
    guardian,
    provider,
    tokenAs,
    distributorAs,
    balanceOf: (account) => tokenAs(deployer).getFunction('balanceOf').staticCall(account),
    async deposit(account, amount) {
      const signer = new NonceManager(new Wallet(deployer.privateKey, provider));
      await (await signer.sendTransaction({ to: account.address, value: 10n ** 18n })).wait();
      await transact(tokenAs(deployer), 'transfer', account.address, amount);
      await transact(tokenAs(account), 'approve', contracts.distributor, amount);
      await transact(distributorAs(account), 'fund', amount);
    },
    halt: () => anvil.stop(),
    async restart() {
      anvil = await startAnvil({ dataDir: dir, port: Number(new URL(rpcUrl).port) });
    },
    async stop() {
      provider.destroy();
      await anvil.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
