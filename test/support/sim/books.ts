import type { Entry } from '../../../coordinator/ledger.ts';
import type { Amount } from '../../../core/money.ts';

/**
 * Double-entry books in memory. Every transfer must sum to zero and leave no account but `external` below zero, or it throws at once:
 * what was conserved before it is conserved after it.
 */
export class Books {
  readonly #balances = new Map<string, Amount>();

  balance(account: string): Amount {
    return this.#balances.get(account) ?? 0n;
  }

  /** `what` names the transfer, for when it is refused. */
  post(what: string, entries: readonly Entry[]): void {
    let total = 0n;
    for (const { account, amount } of entries) {
      total += amount;
      const balance = this.balance(account) + amount;
      if (balance < 0n && account !== 'external') throw new Error(`${what} takes ${account} to ${balance}`);
      if (balance === 0n) this.#balances.delete(account);
      else this.#balances.set(account, balance);
    }
    if (total !== 0n) throw new Error(`${what} is not balanced: ${total}`);
  }

  /** All balances, for a sum and for telling two runs apart. */
  accounts(): ReadonlyMap<string, Amount> {
    return this.#balances;
  }

  /** Recounts everything. */
  audit(): void {
    let total = 0n;
    for (const [account, balance] of this.#balances) {
      total += balance;
      if (balance < 0n && account !== 'external') throw new Error(`${account} is at ${balance}`);
    }
    if (total !== 0n) throw new Error(`the books sum to ${total}`);
  }
}

/** Accounts beside those of coordinator/ledger.ts. */
export const simAccount = {
  /** Credited by a receipt, not mature. */
  pending: (owner: string) => `pending:${owner}`,
  /** Pays copies that the network wants for itself; fed by the fee on each job. */
  checks: 'checks',
} as const;
