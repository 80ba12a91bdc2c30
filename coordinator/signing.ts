import { Wallet } from 'ethers';
import { fail } from '../core/errors.ts';
import { type Address, type Hex32, type Signature, sameAddress } from '../core/primitives.ts';
import { type Domain, digestOf, fieldsOf, type Struct, type StructName } from '../core/typed-data.ts';
import { signerOf } from './recover.ts';

/** Signs typed data as the coordinator; the key stays inside. */
export class Signer {
  readonly address: Address;
  readonly #wallet: Wallet;
  readonly #domain: Domain;

  constructor(privateKey: string, domain: Domain) {
    this.#wallet = new Wallet(privateKey);
    this.#domain = domain;
    this.address = this.#wallet.address.toLowerCase() as Address;
  }

  async sign<N extends StructName>(name: N, value: Struct<N>): Promise<Signature> {
    return (await this.#wallet.signTypedData(this.#domain, fieldsOf(name), value)) as Signature;
  }
}

/** Answers the digest that was signed. Throws UNAUTHORISED when `account` did not sign `value`. */
export function requireSigned<N extends StructName>(
  domain: Domain,
  name: N,
  value: Struct<N>,
  signature: Signature,
  account: Address,
): Hex32 {
  const digest = digestOf(domain, name, value);
  const signer = signerOf(digest, signature);
  if (signer === null || !sameAddress(signer, account)) {
    fail('UNAUTHORISED', `the signature over ${name} is not by ${account} for this network`, { account });
  }
  return digest;
}
