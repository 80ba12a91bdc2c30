import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ContractFactory, NonceManager, Wallet } from 'ethers';
import { compileSources } from '../../contracts/compile.ts';
import { fail } from '../../core/errors.ts';
import type { Address } from '../../core/primitives.ts';
import type { Account, TestChain } from './chain.ts';

/** A contract account on the chain that accepts the signatures of `holder`. */
export async function deployWallet1271(chain: TestChain, holder: Account): Promise<Address> {
  const source = await readFile(join(import.meta.dirname, 'solidity', 'Wallet1271.sol'), 'utf8');
  const artifact =
    compileSources({ 'Wallet1271.sol': source }).get('Wallet1271') ?? fail('INTERNAL', 'Wallet1271 is missing');
  const signer = new NonceManager(new Wallet(chain.deployer.privateKey, chain.provider));
  const factory = new ContractFactory(JSON.stringify(artifact.abi), artifact.bytecode, signer);
  const contract = await factory.deploy(holder.address);
  await contract.waitForDeployment();
  return (await contract.getAddress()).toLowerCase() as Address;
}
