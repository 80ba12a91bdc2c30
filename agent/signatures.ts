import { verifyTypedData } from 'ethers/hash';
import { type Address, type Signature, sameAddress } from '../core/primitives.ts';
import { domainOf, fieldsOf, type Struct, type StructName } from '../core/typed-data.ts';
import type { NetworkInfo } from '../core/wire.ts';

/** Whether `signer` signed the struct for this network. */
export function isSignedBy<N extends StructName>(
  network: NetworkInfo,
  signer: Address,
  name: N,
  value: Struct<N>,
  signature: Signature,
): boolean {
  try {
    const domain = domainOf(network.chainId, network.distributor);
    return sameAddress(verifyTypedData(domain, fieldsOf(name), value, signature), signer);
  } catch {
    return false;
  }
}
