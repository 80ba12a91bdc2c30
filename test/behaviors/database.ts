import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { amountColumn, type Db, integerColumn, one } from '../../coordinator/db.ts';

const LARGE = 2n ** 255n;
const valueRow = z.object({ value: integerColumn });

/** What every database that holds the books must do; `open` gives the same one again after it was closed. */
export function databaseBehaviour(
  name: string,
  make: () => Promise<{ readonly open: () => Promise<Db>; readonly clean: () => Promise<void> }>,
): void {
  describe(`database: ${name}`, () => {
    let store: Awaited<ReturnType<typeof make>>;
    let db: Db;
    beforeAll(async () => {
      store = await make();
      db = await store.open();
      await db.exec('CREATE TABLE things (key TEXT PRIMARY KEY, value BIGINT NOT NULL, amount NUMERIC(78,0))');
    }, 60_000);
    afterAll(async () => {
      await db.close();
      await store.clean();
    });
    const put = (key: string, value: number, amount: bigint | null = null) =>
      db.exec('INSERT INTO things (key, value, amount) VALUES ($1, $2, $3)', [key, value, amount?.toString() ?? null]);
    const valueAt = async (key: string): Promise<number | null> =>
      (await one(db, valueRow, 'SELECT value FROM things WHERE key = $1', [key]))?.value ?? null;

    test('gives back numbers, amounts and nothing as they were given, and counts the rows that it touched', async () => {
      expect(await put('a', 2 ** 50, LARGE)).toBe(1);
      expect(await put('b', -1)).toBe(1);
      const row = z.object({ value: integerColumn, amount: amountColumn.nullable() });
      expect(await db.query(row, 'SELECT value, amount FROM things ORDER BY key')).toEqual([
        { value: 2 ** 50, amount: LARGE },
        { value: -1, amount: null },
      ]);
      expect(await db.exec('UPDATE things SET value = value WHERE value = $1', [7])).toBe(0);
      expect(await db.exec('UPDATE things SET value = value')).toBe(2);
    });

    test('refuses rows of another shape than was asked for', async () => {
      await expect(db.query(valueRow, `SELECT 'many' AS value`)).rejects.toThrow(z.ZodError);
    });

    test('gives lists back as they were given, whatever they hold', async () => {
      const texts = z.object({ list: z.array(z.string().nullable()) });
      const numbers = z.object({ list: z.array(z.number().nullable()) });
      const text = fc.oneof(
        fc.constantFrom('', 'NULL', 'null', '{}', '"', '\\', 'a,b', ' a', `0x${'ab'.repeat(32)}`, 'cpu', '-', 'ü€\n'),
        fc.string({ unit: 'binary' }).map((any) => any.replaceAll('\0', '')),
      );
      const lists = fc.array(fc.option(text), { maxLength: 6 });
      const property = fc.asyncProperty(
        lists,
        fc.array(fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }))),
        async (list, rates) => {
          expect(await db.query(texts, 'SELECT $1::text[] AS list', [list])).toEqual([{ list }]);
          const got = await db.query(numbers, 'SELECT $1::double precision[] AS list', [rates]);
          expect(got[0]?.list.map((rate) => (rate === null ? null : rate + 0))).toEqual(
            rates.map((rate) => (rate === null ? null : rate + 0)),
          );
        },
      );
      await fc.assert(property, { numRuns: 200 });
      const flags = z.object({ list: z.array(z.boolean().nullable()) });
      expect(await db.query(flags, 'SELECT $1::boolean[] AS list', [[true, null, false]])).toEqual([
        { list: [true, null, false] },
      ]);
    });

    test('takes many rows in one statement', async () => {
      const rows = Array.from({ length: 3_000 }, (_, n) => ({ key: `many ${n}`, value: n }));
      const sql = `INSERT INTO things (key, value)
        SELECT key, value FROM jsonb_to_recordset($1::text::jsonb) AS fresh (key TEXT, value BIGINT)`;
      expect(await db.exec(sql, [JSON.stringify(rows)])).toBe(3_000);
      expect(await valueAt('many 2999')).toBe(2_999);
    });

    test('does all of a transaction or none of it, and goes on after one that failed', async () => {
      const stop = new Error('stop');
      await expect(
        db.tx(async (sql) => {
          await sql.exec(`INSERT INTO things (key, value) VALUES ('half', 1)`);
          throw stop;
        }),
      ).rejects.toBe(stop);
      await expect(db.tx((sql) => sql.exec('SELECT nonsense'))).rejects.toThrow(/nonsense/);
      expect(await valueAt('half')).toBeNull();
      expect(
        await db.tx(async (sql) => {
          await sql.exec(`INSERT INTO things (key, value) VALUES ('whole', 1)`);
          return 'done';
        }),
      ).toBe('done');
      expect(await valueAt('whole')).toBe(1);
    });

    test('loses no update when many transactions change one row at once', async () => {
      await put('counter', 0);
      const raise = () =>
        db.tx(async (sql) => {
          const row = await one(sql, valueRow, `SELECT value FROM things WHERE key = 'counter' FOR UPDATE`);
          await sql.exec(`UPDATE things SET value = $1 WHERE key = 'counter'`, [(row?.value ?? 0) + 1]);
        });
      await Promise.all(Array.from({ length: 40 }, raise));
      expect(await valueAt('counter')).toBe(40);
    });

    test('lets two transactions that take rows in opposite order both end', async () => {
      await put('left', 0);
      await put('right', 0);
      const both = (first: string, second: string) =>
        db.tx(async (sql) => {
          for (const key of [first, second]) {
            await sql.exec('UPDATE things SET value = value + 1 WHERE key = $1', [key]);
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
        });
      await Promise.all([both('left', 'right'), both('right', 'left'), both('left', 'right'), both('right', 'left')]);
      expect([await valueAt('left'), await valueAt('right')]).toEqual([4, 4]);
    });

    test('lets who lost the race for a new row see the row of who won', async () => {
      const once = () =>
        db.tx(async (sql) => {
          const there = await one(sql, valueRow, `SELECT value FROM things WHERE key = 'race'`);
          if (there !== null) return 'found';
          await new Promise((resolve) => setTimeout(resolve, 5));
          await sql.exec(`INSERT INTO things (key, value) VALUES ('race', 1)`);
          return 'made';
        });
      const ends = await Promise.all(Array.from({ length: 8 }, once));
      expect(ends.filter((end) => end === 'made')).toHaveLength(1);
      expect(ends.filter((end) => end === 'found')).toHaveLength(7);
    });

    test('shows a snapshot the same sum twice, whatever is written meanwhile', async () => {
      await put('sum', 5);
      const read = `SELECT value FROM things WHERE key = 'sum'`;
      let written: Promise<unknown> = Promise.resolve();
      const sums = await db.tx(
        async (sql) => {
          const first = await one(sql, valueRow, read);
          written = db.exec(`UPDATE things SET value = 6 WHERE key = 'sum'`);
          await new Promise((resolve) => setTimeout(resolve, 100));
          return [first?.value, (await one(sql, valueRow, read))?.value];
        },
        { snapshot: true },
      );
      await written;
      expect(sums).toEqual([5, 5]);
      expect(await valueAt('sum')).toBe(6);
    });

    test('runs what shall run alone, and lets the next one after it', async () => {
      let runs = 0;
      for (let time = 0; time < 2; time++) {
        await db.alone('timer', async () => {
          runs += 1;
        });
      }
      expect(runs).toBe(2);
      await expect(db.alone('timer', () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
      await db.alone('timer', async () => {
        runs += 1;
      });
      expect(runs).toBe(3);
    });

    test('has everything when it is opened again, and applies no migration twice', async () => {
      await put('kept', 1);
      await db.close();
      db = await store.open();
      expect(await valueAt('kept')).toBe(1);
      expect(await valueAt('counter')).toBe(40);
    });
  });
}
