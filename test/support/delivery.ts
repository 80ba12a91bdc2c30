import type { Db, Sql } from '../../coordinator/db.ts';
import { closeDeliveries, orderDelivery } from '../../coordinator/deliveries.ts';
import { deliveryIdOf } from '../../coordinator/delivery-rows.ts';
import { enrol } from '../../coordinator/devices.ts';
import { countBooks } from '../../coordinator/epochs.ts';
import { account, balanceOf, booksOf, move, post } from '../../coordinator/ledger.ts';
import { type Presented, redeem } from '../../coordinator/redemption.ts';
import type { Amount } from '../../core/money.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import { randomAddress, randomHex32 } from './random.ts';

/** Books in which one consumer has things delivered by one device, without a coordinator around them. Prices are odd on purpose. */
export class DeliveryBooks {
  readonly consumer: Address = randomAddress();
  readonly device: Address = randomAddress();
  readonly owner: Address = randomAddress();
  readonly session: Hex32 = randomHex32();
  readonly content: Hex32 = randomHex32();
  readonly price = 1_000_003n;
  readonly feeBps = 333;
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  async begin(deposit: Amount): Promise<this> {
    const times = { issuedAt: 1, expiresAt: 10 ** 12 };
    await enrol(this.#db, { owner: this.owner, device: this.device, ...times }, '0x', 1);
    const entries = move('external', account.deposit(this.consumer), deposit);
    await post(this.#db, { kind: 'deposit', key: `deposit:${this.consumer}`, at: 1, entries });
    return this;
  }

  order(maxBytes: number, at: number, change: { readonly price?: Amount; readonly consumer?: Address } = {}) {
    const { session, device, content, price, feeBps } = this;
    const order = { session, device, content, maxBytes };
    const { consumer = this.consumer } = change;
    return this.#db.tx((sql) => orderDelivery(sql, consumer, order, { price: change.price ?? price, feeBps }, at));
  }

  /** A receipt as if its signature had been checked. */
  receipt(bytes: number, change: Partial<Presented['value']> = {}): Presented {
    const { session, consumer, device, content, price } = this;
    const value = { session, consumer, device, content, bytes, price, issuedAt: 1, ...change };
    return { value, signature: '0x', digest: randomHex32() };
  }

  redeem(receipts: readonly Presented[], at: number, { maturityMs = 0, through = (sql: Sql) => sql } = {}) {
    return this.#db.tx((sql) => redeem(through(sql), this, receipts, at, maturityMs));
  }

  close(at: number): Promise<number> {
    return this.#db.tx((sql) => closeDeliveries(sql, at));
  }

  async balances() {
    const { credited, pending, matured } = await booksOf(this.#db, this.owner);
    const [deposit, held] = await Promise.all([
      balanceOf(this.#db, account.deposit(this.consumer)),
      balanceOf(this.#db, account.hold(deliveryIdOf(this))),
    ]);
    return { deposit, held, credited, pending, matured };
  }

  /** What the owner has coming, if both calculators agree and the books balance; else it throws. */
  async count() {
    const owed = await countBooks(this.#db);
    return owed.get(this.owner) ?? { due: 0n, credited: 0n };
  }
}
