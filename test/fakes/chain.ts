import type { Chain } from '../../agent/ports.ts';
import { fail } from '../../core/errors.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import type { NetworkInfo } from '../../core/wire.ts';
import { randomHex32 } from '../support/random.ts';

/** A token and its distributor in memory. */
export class FakeChain implements Chain {
  up = true;
  /** Where it answers; null: anywhere. */
  at: string | null = null;
  reverts = false;
  closed = false;
  reads = 0;
  readonly balances = new Map<Address, bigint>();
  readonly claims = new Map<Address, bigint>();

  #up(network?: NetworkInfo): void {
    if (!this.up || (network !== undefined && this.at !== null && this.at !== network.rpcUrl))
      fail('CHAIN_AWAY', 'the chain does not answer');
  }
  pay(owner: Address, recipient: Address, cumulative: bigint): Hex32 {
    const amount = cumulative - (this.claims.get(owner) ?? 0n);
    this.claims.set(owner, cumulative);
    this.balances.set(recipient, (this.balances.get(recipient) ?? 0n) + amount);
    return randomHex32();
  }
  balanceOf = async (network: NetworkInfo, account: Address): Promise<bigint> => {
    this.reads++;
    this.#up(network);
    return this.balances.get(account) ?? 0n;
  };
  claimedBy = async (network: NetworkInfo, owner: Address): Promise<bigint> => {
    this.#up(network);
    return this.claims.get(owner) ?? 0n;
  };
  confirm = async (): Promise<void> => {
    this.#up();
    if (this.reverts) fail('REFUSED', 'the transaction reverted');
  };
  close = (): void => {
    this.closed = true;
  };
}
