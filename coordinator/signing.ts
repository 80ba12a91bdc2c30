import { computeAddress } from 'ethers';
import { fail } from '../core/errors.ts';
import { fromHex, type Keccak, keccak, toHex } from '../core/keccak.ts';
import { type Address, type Hex32, type Signature, sameAddress } from '../core/primitives.ts';
import { type Domain, digestOf, type Struct, type StructName } from '../core/typed-data.ts';
import { signDigest, signerOf } from './recover.ts';

/** Signs typed data as the coordinator; the key stays inside. */
export class Signer {
  readonly address: Address;
  readonly #key: Uint8Array;
  readonly #domain: Domain;

  constructor(privateKey: string, domain: Domain) {
    this.#key = fromHex(privateKey.startsWith('0x') ? privateKey : `0x${privateKey}`);
    this.#domain = domain;
    this.address = computeAddress(toHex(this.#key)).toLowerCase() as Address;
  }

  async sign<N extends StructName>(name: N, value: Struct<N>): Promise<Signature> {
    return signDigest(digestOf(this.#domain, name, value), this.#key);
  }
}

/** Answers the digest that was signed. Throws UNAUTHORISED when `account` did not sign `value`. */
export function requireSigned<N extends StructName>(
  domain: Domain,
  name: N,
  value: Struct<N>,
  signature: Signature,
  account: Address,
  hash: Keccak = keccak,
): Hex32 {
  const digest = digestOf(domain, name, value, hash);
  const signer = signerOf(digest, signature, hash);
  if (signer === null || !sameAddress(signer, account)) {
    fail('UNAUTHORISED', `the signature over ${name} is not by ${account} for this network`, { account });
  }
  return digest;
}
