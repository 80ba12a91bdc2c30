import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { amountColumn, type Db, integerColumn, one, openDb, type Sql } from '../../../coordinator/db.ts';
import { openPostgres } from '../../../coordinator/db-postgres.ts';
import { account, balanceOf, booksBalance, move, post, postAll } from '../../../coordinator/ledger.ts';
import { newAccount } from '../../support/chain.ts';
import { TestPostgres } from '../../support/postgres.ts';

const [alice, bob] = [newAccount().address, newAccount().address];

/** What the coordinator relies on, of either database. */
describe.each(['PGlite', 'PostgreSQL'])('%s', (kind) => {
  let db: Db;
  let close: () => Promise<void>;
  beforeAll(async () => {
    if (kind === 'PGlite') {
      const dir = await mkdtemp(join(tmpdir(), 'idlemesh-db-'));
      db = await openDb(dir);
      close = async () => {
        await db.close();
        await rm(dir, { recursive: true, force: true });
      };
      return;
    }
    const server = await TestPostgres.start();
    db = await openPostgres(await server.database(), () => undefined);
    close = async () => {
      await db.close();
      await server.close();
    };
  }, 120_000);
  afterAll(() => close());

  const deposit = (key: string, amount: bigint, to = alice, sql: Sql = db) =>
    post(sql, { kind: 'deposit', key, at: 1, entries: move(account.external, account.deposit(to), amount) });

  test('answers amounts and numbers exactly', async () => {
    const row = z.object({ big: amountColumn, small: integerColumn, yes: z.boolean(), part: z.number() });
    const text = `SELECT $1::numeric(78,0)::text AS big, $2::bigint AS small, $3::boolean AS yes, $4::float8 AS part`;
    const big = 2n ** 256n - 1n;
    const asked = [big.toString(), Number.MAX_SAFE_INTEGER, true, 0.1];
    expect(await one(db, row, text, asked)).toEqual({ big, small: Number.MAX_SAFE_INTEGER, yes: true, part: 0.1 });
  });

  test('books a transfer once, whoever asks and however many at once', async () => {
    const before = await balanceOf(db, account.deposit(alice));
    const done = await Promise.all(Array.from({ length: 8 }, () => deposit('once', 5n)));
    expect(done.filter(Boolean)).toHaveLength(1);
    const transfers = ['once', 'two', 'three'].map((key) => ({
      ...({ kind: 'deposit', key, at: 1 } as const),
      entries: move(account.external, account.deposit(alice), 7n),
    }));
    await postAll(db, transfers);
    expect((await balanceOf(db, account.deposit(alice))) - before).toBe(19n);
    expect(await booksBalance(db)).toBe(true);
  });

  test('refuses what is unbalanced, overdrawn or a change, and undoes the whole transaction', async () => {
    await deposit('base', 10n, bob);
    const before = await balanceOf(db, account.deposit(alice));
    const bad = [
      { kind: 'hold', key: 'odd', at: 1, entries: [{ account: account.deposit(bob), amount: -1n }] },
      { kind: 'hold', key: 'over', at: 1, entries: move(account.deposit(bob), account.deposit(alice), 11n) },
    ] as const;
    for (const transfer of bad) {
      await expect(
        db.tx(async (sql) => {
          await deposit(`with ${transfer.key}`, 1n, alice, sql);
          await post(sql, transfer);
        }),
      ).rejects.toThrow();
    }
    expect(await balanceOf(db, account.deposit(alice))).toBe(before);
    await expect(db.exec('UPDATE entries SET amount = amount + 1')).rejects.toThrow('append-only');
    await expect(db.exec('DELETE FROM transfers')).rejects.toThrow('append-only');
    expect(await booksBalance(db)).toBe(true);
  });

  test('transactions on the same rows at once all happen, whatever their order', async () => {
    const before = await balanceOf(db, account.deposit(bob));
    const work = Array.from({ length: 20 }, (_, at) =>
      db.tx(async (sql) => {
        const [from, to] = at % 2 === 0 ? [alice, bob] : [bob, alice];
        await post(sql, {
          kind: 'hold',
          key: `swap ${at}`,
          at,
          entries: move(account.deposit(from), account.deposit(to), 1n),
        });
      }),
    );
    await Promise.all(work);
    expect(await balanceOf(db, account.deposit(bob))).toBe(before);
    expect(await booksBalance(db)).toBe(true);
  });
});
