import { z } from 'zod';
import type { Amount } from '../core/money.ts';
import type { UnixMs } from '../core/primitives.ts';
import { amountColumn, type Db, type Sql } from './db.ts';
import { account } from './ledger.ts';
import type { Clock } from './options.ts';

/** Kinds of accounts: what stands before the colon of their names, which is what the books call them. */
export type AccountKind = keyof typeof account;
export const ACCOUNT_KINDS = Object.keys(account) as readonly AccountKind[];
export type Totals = Readonly<Record<AccountKind, Amount>>;

/** There is an account for each job that ever was: looked through this often, and for so long at most. */
const FRESH_MS = 60_000;
const WITHIN_MS = 10_000;

const row = z.object({ name: z.string(), balance: amountColumn });

/** The books as a whole, by kind of account. */
export async function sumTotals(sql: Sql): Promise<Totals> {
  const rows = await sql.query(
    row,
    `SELECT split_part(account, ':', 1) AS name, SUM(balance)::text AS balance FROM accounts
     WHERE balance <> 0 GROUP BY 1`,
  );
  const of = (kind: AccountKind): Amount => rows.find(({ name }) => name === kind)?.balance ?? 0n;
  return Object.fromEntries(ACCOUNT_KINDS.map((kind) => [kind, of(kind)])) as Totals;
}

/** The same, at most a minute old, for whoever asks however often. */
export class KeptTotals {
  readonly #db: Pick<Db, 'tx'>;
  readonly #clock: Clock;
  #at: UnixMs | null = null;
  #kept: Promise<Totals> | null = null;

  constructor(db: Pick<Db, 'tx'>, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  get(): Promise<Totals> {
    const now = this.#clock.now();
    if (this.#kept === null || this.#at === null || now - this.#at >= FRESH_MS) {
      const asked = this.#db.tx(async (sql) => {
        await sql.exec(`SET LOCAL statement_timeout = ${WITHIN_MS}`);
        return await sumTotals(sql);
      });
      this.#kept = asked;
      this.#at = now;
      asked.catch(() => {
        if (this.#kept === asked) this.#kept = null;
      });
    }
    return this.#kept;
  }
}
