import type { Keccak } from '../core/keccak.ts';
import type { Address, Hex32, Signature } from '../core/primitives.ts';
import type { Domain, Struct, StructName } from '../core/typed-data.ts';
import { requireSigned } from './signing.ts';

/** Checked before others have their turn: two or three milliseconds. */
const AT_ONCE = 32;

type Check = () => void;

/**
 * Checks signatures without keeping others from theirs, or the connections from being read: a few at a time, of each peer one
 * after the other. So a peer that sends many waits for its own alone.
 */
export class SignatureChecks {
  readonly #domain: Domain;
  readonly #keccak: Keccak;
  /** By whom they are asked for; the first has the next turn. */
  readonly #waiting = new Map<object, Check[]>();
  #under = false;

  constructor(domain: Domain, keccak: Keccak) {
    this.#domain = domain;
    this.#keccak = keccak;
  }

  /** Resolves to the digest that was signed; rejects with UNAUTHORISED when `account` did not sign. */
  check<N extends StructName>(
    peer: object,
    name: N,
    value: Struct<N>,
    signature: Signature,
    account: Address,
  ): Promise<Hex32> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        try {
          resolve(requireSigned(this.#domain, name, value, signature, account, this.#keccak));
        } catch (error) {
          reject(error);
        }
      };
      const own = this.#waiting.get(peer);
      if (own === undefined) this.#waiting.set(peer, [check]);
      else own.push(check);
      this.#soon();
    });
  }

  #soon(): void {
    if (this.#under || this.#waiting.size === 0) return;
    this.#under = true;
    setImmediate(() => {
      this.#under = false;
      for (let count = 0; count < AT_ONCE; count++) this.#next();
      this.#soon();
    });
  }

  #next(): void {
    for (const [peer, [check, ...others]] of this.#waiting) {
      this.#waiting.delete(peer);
      if (others.length > 0) this.#waiting.set(peer, others);
      check?.();
      return;
    }
  }
}
