import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Deposit } from '../../../coordinator/chain.ts';
import type { Db } from '../../../coordinator/db.ts';
import { type Events, followChain } from '../../../coordinator/deposits.ts';
import { account, balanceOf, booksBalance, move, post } from '../../../coordinator/ledger.ts';
import type { Address, Hex32 } from '../../../core/primitives.ts';
import { newAccount } from '../../support/chain.ts';
import { randomHex32 } from '../../support/random.ts';
import { openTestDb } from '../../support/store.ts';

const clock = { now: () => 1 };
const silent = () => undefined;

type Claimed = Awaited<ReturnType<Events['claims']>>[number];

/** A chain of one block, which is replaced by another each time that it is told so. */
class OneBlock implements Events {
  readonly startBlock = 0;
  #hash = randomHex32();
  #deposits: readonly Deposit[] = [];
  #claims: readonly Claimed[] = [];
  head = async () => 10;
  blockHash = async () => this.#hash;
  deposits = async () => this.#deposits;
  claims = async () => this.#claims;

  replace(deposits: readonly Deposit[], claims: readonly Claimed[] = []): this {
    this.#hash = randomHex32();
    this.#deposits = deposits;
    this.#claims = claims;
    return this;
  }
}

describe('what the chain tells', () => {
  let dir: string;
  let db: Db;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'idlemesh-deposits-'));
    db = await openTestDb(dir);
  }, 60_000);
  afterAll(async () => {
    await db.close();
    await rm(dir, { recursive: true, force: true });
  });

  const chain = new OneBlock();
  const follow = () => followChain(db, chain, clock, silent);
  const deposited = (from: Address) => balanceOf(db, account.deposit(from));
  const paid = (from: Address, txHash: Hex32, logIndex: number, amount: bigint): Deposit => ({
    ...{ from, txHash, logIndex, amount },
  });
  /** As an older coordinator booked it: by the log's number in its block. */
  const bookOld = ({ from, txHash, logIndex, amount }: Deposit) =>
    post(db, {
      ...{ kind: 'deposit', key: `deposit:${txHash}:${logIndex}`, at: 1 },
      entries: move(account.external, account.deposit(from), amount),
    });

  it('of a deposit counts once when its transaction is mined again behind other logs', async () => {
    const [who, other, txHash] = [newAccount().address, newAccount().address, randomHex32()];
    chain.replace([paid(who, txHash, 3, 100n)]);
    await follow();
    chain.replace([paid(other, randomHex32(), 3, 7n), paid(who, txHash, 5, 100n)]);
    await follow();
    expect(await deposited(who)).toBe(100n);
    expect(await deposited(other)).toBe(7n);
  });

  it('of all deposits in one transaction counts, each once, in whatever order a node answers', async () => {
    const [who, other, txHash] = [newAccount().address, newAccount().address, randomHex32()];
    chain.replace([paid(who, txHash, 1, 10n), paid(other, txHash, 2, 20n), paid(who, txHash, 4, 30n)]);
    await follow();
    expect([await deposited(who), await deposited(other)]).toEqual([40n, 20n]);
    const again = [paid(who, txHash, 6, 30n), paid(who, txHash, 3, 10n), paid(other, txHash, 4, 20n)];
    chain.replace([...again, ...again]);
    await follow();
    expect([await deposited(who), await deposited(other)]).toEqual([40n, 20n]);
  });

  it('is not booked anew in books that an older coordinator kept, wherever the deposit has moved since', async () => {
    const [who, other, txHash] = [newAccount().address, newAccount().address, randomHex32()];
    const old = [paid(who, txHash, 2, 10n), paid(other, txHash, 3, 20n)];
    for (const each of old) await bookOld(each);
    const fresh = paid(who, randomHex32(), 9, 5n);
    chain.replace([...old, fresh]);
    await follow();
    expect([await deposited(who), await deposited(other)]).toEqual([15n, 20n]);
    chain.replace([...old, fresh].map((each) => ({ ...each, logIndex: each.logIndex + 4 })));
    await follow();
    expect([await deposited(who), await deposited(other)]).toEqual([15n, 20n]);
  });

  it('of claims adds up to what the chain paid, also when one transaction claims for many and is mined anew', async () => {
    const [first, second, txHash] = [newAccount().address, newAccount().address, randomHex32()];
    for (const owner of [first, second]) await publish(owner, 30n);
    const claim = (owner: Address, cumulative: bigint) => ({ owner, cumulative, block: 10, txHash });
    chain.replace([], [claim(first, 10n)]);
    await follow();
    // In the new block the same transaction pays another owner before this one.
    chain.replace([], [claim(second, 20n), claim(first, 10n)]);
    await follow();
    expect(await balanceOf(db, account.claimed(first))).toBe(10n);
    expect(await balanceOf(db, account.claimed(second))).toBe(20n);
    expect(await booksBalance(db)).toBe(true);
  });

  it('of claims counts once when two follow it at once, and the nodes that they ask do not agree', async () => {
    const owner = newAccount().address;
    await publish(owner, 100n);
    const told = (cumulative: bigint) =>
      new OneBlock().replace([], [{ owner, cumulative, block: 10, txHash: randomHex32() }]);
    const written = Promise.withResolvers<void>();
    const slow: Db = {
      ...db,
      tx: (work) =>
        db.tx(async (sql) => {
          const done = await work(sql);
          written.resolve();
          // Time enough for the other to look at what is not committed yet.
          await new Promise((resolve) => setTimeout(resolve, 500));
          return done;
        }),
    };
    const first = followChain(slow, told(10n), clock, silent);
    await written.promise;
    await Promise.all([first, followChain(db, told(16n), clock, silent)]);
    expect(await balanceOf(db, account.claimed(owner))).toBe(16n);
  });

  const publish = (owner: Address, amount: bigint) =>
    post(db, {
      ...{ kind: 'epoch', key: `epoch of ${owner}`, at: 1 },
      entries: move(account.external, account.published(owner), amount),
    });
});
