import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../../coordinator/db.ts';
import { closeEpoch } from '../../../coordinator/epochs.ts';
import { account, balanceOf, booksBalance, booksOf, hold, move, post } from '../../../coordinator/ledger.ts';
import { type Address, type Hex32, ZERO_HASH } from '../../../core/primitives.ts';
import { openTestDb } from '../../support/store.ts';

const owner = (n: number): Address => `0x${n.toString(16).padStart(40, '0')}`;
const job = (n: number): Hex32 => `0x${n.toString(16).padStart(64, '0')}`;

describe('the books', () => {
  let dir: string;
  let db: Db;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'idlemesh-books-'));
    db = await openTestDb(dir);
  }, 60_000);
  afterAll(async () => {
    await db.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('write a transfer once per key', async () => {
    const deposit = {
      kind: 'deposit',
      key: 'once',
      at: 1,
      entries: move('external', account.deposit(owner(1)), 10n),
    } as const;
    expect(await post(db, deposit)).toBe(true);
    expect(await post(db, deposit)).toBe(false);
    expect(await balanceOf(db, account.deposit(owner(1)))).toBe(10n);
  });

  it('write a transfer once, however many write it at once', async () => {
    const entries = move('external', account.deposit(owner(3)), 5n);
    const written = Array.from({ length: 8 }, () => post(db, { kind: 'deposit', key: 'at once', at: 1, entries }));
    expect((await Promise.all(written)).filter(Boolean)).toHaveLength(1);
    expect(await balanceOf(db, account.deposit(owner(3)))).toBe(5n);
  });

  it('take movements between the same accounts at once, whatever their direction', async () => {
    const [left, right] = [account.deposit(owner(4)), account.deposit(owner(5))];
    for (const name of [left, right]) {
      await post(db, { kind: 'deposit', key: `start ${name}`, at: 1, entries: move('external', name, 20n) });
    }
    const swaps = Array.from({ length: 20 }, (_, n) => {
      const [from, to] = n % 2 === 0 ? [left, right] : [right, left];
      const entries = move(from, to, 1n);
      return db.tx((sql) => post(sql, { kind: 'hold', key: `swap ${n}`, at: n, entries }));
    });
    await Promise.all(swaps);
    expect([await balanceOf(db, left), await balanceOf(db, right)]).toEqual([20n, 20n]);
    expect(await booksBalance(db)).toBe(true);
  });

  it('refuse what is unbalanced, overdrawn, or changes what was written', async () => {
    const entries = [{ account: 'external', amount: -1n }];
    await expect(post(db, { kind: 'deposit', key: 'lame', at: 1, entries })).rejects.toThrow(/not balanced/);
    const overdraft = move(account.deposit(owner(2)), account.hold(job(2)), 1n);
    await expect(post(db, { kind: 'hold', key: 'over', at: 1, entries: overdraft })).rejects.toThrow(/no_negative/);
    await expect(db.exec('UPDATE entries SET amount = amount + 1')).rejects.toThrow(/append-only/);
    await expect(db.exec('DELETE FROM transfers')).rejects.toThrow(/append-only/);
    expect(await booksBalance(db)).toBe(true);
  });

  it('roll a transaction back as a whole', async () => {
    const before = await balanceOf(db, account.deposit(owner(1)));
    await expect(
      db.tx(async (sql) => {
        await post(sql, {
          kind: 'deposit',
          key: 'gone',
          at: 1,
          entries: move('external', account.deposit(owner(1)), 5n),
        });
        throw new Error('stop');
      }),
    ).rejects.toThrow('stop');
    expect(await balanceOf(db, account.deposit(owner(1)))).toBe(before);
  });

  it('stay balanced, conserve money and never go negative under any sequence of movements', async () => {
    const movement = fc.record({
      kind: fc.constantFrom('deposit', 'hold', 'receipt', 'refund'),
      consumer: fc.integer({ min: 10, max: 11 }),
      worker: fc.integer({ min: 20, max: 21 }),
      job: fc.integer({ min: 100, max: 101 }),
      amount: fc.bigInt({ min: 1n, max: 1_000n }),
    });
    let serial = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(movement, { minLength: 1, maxLength: 25 }), async (movements) => {
        for (const { kind, consumer, worker, amount, ...other } of movements) {
          serial += 1;
          const held = account.hold(job(other.job));
          const deposit = account.deposit(owner(consumer));
          const entries = {
            deposit: move('external', deposit, amount * 2n),
            hold: move(deposit, held, amount),
            receipt: move(held, account.credited(owner(worker)), amount),
            refund: move(held, deposit, amount),
          }[kind];
          // An overdraft is refused and changes nothing; everything else goes through.
          await post(db, { kind, key: `p${serial}`, at: serial, entries }).catch((error: unknown) => {
            expect(String(error)).toMatch(/no_negative/);
            refused += 1;
          });
        }
        expect(await booksBalance(db)).toBe(true);
      }),
      { numRuns: 15 },
    );
    const credited = (await booksOf(db, owner(20))).credited + (await booksOf(db, owner(21))).credited;
    expect(credited).toBeGreaterThan(0n);
    expect(refused).toBeGreaterThan(0);
  }, 60_000);

  it('hold no more than the deposit', async () => {
    await expect(db.tx((sql) => hold(sql, owner(1), job(9), 11n, 1))).rejects.toMatchObject({
      code: 'INSUFFICIENT_FUNDS',
    });
    await db.tx((sql) => hold(sql, owner(1), job(9), 10n, 1));
    expect(await balanceOf(db, account.hold(job(9)))).toBe(10n);
  });

  it('sign no epoch while receipts and ledger disagree', async () => {
    const credit = move('external', account.credited(owner(30)), 3n);
    await post(db, { kind: 'receipt', key: `receipt:${ZERO_HASH}`, at: 1, entries: credit });
    await expect(closeEpoch(db, 1)).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(await db.exec('UPDATE epochs SET total = total')).toBe(0);
  });
});
