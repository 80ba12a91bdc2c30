import { ContractFactory, JsonRpcProvider, NonceManager, Wallet } from 'ethers';
import { fail } from '../core/errors.ts';
import { parseTokens } from '../core/money.ts';
import type { Address } from '../core/primitives.ts';
import { type ContractName, loadArtifact } from './compile.ts';

export type DeployOptions = {
  readonly rpcUrl: string;
  /** Pays for the deployment and receives the token's whole supply. */
  readonly deployerKey: string;
  /** May publish roots: the coordinator's address. */
  readonly publisher: Address;
  /** May disable a root that is not active yet. */
  readonly guardian: Address;
  /** Seconds; 0 when absent. */
  readonly activationDelay?: number;
};

export type Deployment = { readonly chainId: number; readonly token: Address; readonly distributor: Address };

const SUPPLY = parseTokens('1000000000');

/** Deploys a practice token and a distributor paying in it. Throws CHAIN_AWAY, or BAD_INPUT when the sources do not compile. */
export async function deployPractice(options: DeployOptions): Promise<Deployment> {
  const provider = new JsonRpcProvider(options.rpcUrl, undefined, { cacheTimeout: -1, pollingInterval: 100 });
  try {
    const chainId = await provider
      .send('eth_chainId', [])
      .then(Number)
      .catch((error: unknown) => fail('CHAIN_AWAY', `no chain answers at ${options.rpcUrl}`, {}, error));
    const signer = new NonceManager(new Wallet(options.deployerKey, provider));
    const token = await deploy('PracticeToken', signer, ['Idlemesh Practice', 'PRACTICE', SUPPLY]);
    const { publisher, guardian, activationDelay = 0 } = options;
    const distributor = await deploy('Distributor', signer, [token, publisher, guardian, activationDelay]);
    return { chainId, token, distributor };
  } finally {
    provider.destroy();
  }
}

async function deploy(name: ContractName, signer: NonceManager, args: readonly unknown[]): Promise<Address> {
  const { abi, bytecode } = await loadArtifact(name);
  const contract = await new ContractFactory(JSON.stringify(abi), bytecode, signer).deploy(...args);
  await contract.waitForDeployment();
  return (await contract.getAddress()).toLowerCase() as Address;
}
