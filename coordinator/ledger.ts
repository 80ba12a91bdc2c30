import { z } from 'zod';
import { fail } from '../core/errors.ts';
import type { Amount } from '../core/money.ts';
import type { Address, Hex32, UnixMs } from '../core/primitives.ts';
import { amountColumn, integerColumn, one, type Sql } from './db.ts';

/**
 * Double-entry books. Money enters from `external`, the one account that may be negative, and moves
 *
 *   external ─ deposit ─► deposit:consumer ─ hold ─► hold:job ─ receipt ─► credited:owner ─ epoch ─► published:owner
 *                               ▲                       │
 *                               └─────── refund ────────┘
 *
 * Each transfer has a key that says what it is for; the same key again changes nothing. The database refuses an unbalanced
 * transfer, a negative account, and any change of what was written.
 */
export const account = {
  external: 'external',
  deposit: (consumer: Address) => `deposit:${consumer}`,
  hold: (jobId: Hex32) => `hold:${jobId}`,
  credited: (owner: Address) => `credited:${owner}`,
  published: (owner: Address) => `published:${owner}`,
} as const;

export type Entry = { readonly account: string; readonly amount: Amount };
export type Transfer = {
  readonly kind: 'deposit' | 'hold' | 'refund' | 'receipt' | 'epoch';
  /** Names the cause; once per cause. */
  readonly key: string;
  readonly at: UnixMs;
  /** Sums to zero; entries of zero are left out. */
  readonly entries: readonly Entry[];
};

/** Writes one transfer. False when its key was written before: nothing changed. */
export async function post(sql: Sql, transfer: Transfer): Promise<boolean> {
  const entries = transfer.entries.filter((entry) => entry.amount !== 0n);
  if (entries.length === 0) return false;
  const rows = JSON.stringify(entries.map((entry) => ({ account: entry.account, amount: entry.amount.toString() })));
  const written = await sql.exec(
    `WITH transfer AS (
       INSERT INTO transfers (kind, key, at) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING RETURNING id
     )
     INSERT INTO entries (transfer_id, account, amount)
     SELECT transfer.id, entry.account, entry.amount
     FROM transfer, jsonb_to_recordset($4::text::jsonb) AS entry (account TEXT, amount NUMERIC)
     -- In one order, or two that move between the same accounts would wait for each other.
     ORDER BY entry.account`,
    [transfer.kind, transfer.key, transfer.at, rows],
  );
  return written > 0;
}

/** Writes many; those whose key was written before change nothing. */
export async function postAll(sql: Sql, transfers: readonly Transfer[]): Promise<void> {
  const rows = transfers.flatMap(({ kind, key, at, entries }) =>
    entries.flatMap(({ account: name, amount }) =>
      amount === 0n ? [] : [{ kind, key, at, account: name, amount: amount.toString() }],
    ),
  );
  if (rows.length === 0) return;
  await sql.exec(
    `WITH rows AS MATERIALIZED (
       SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS entry (kind TEXT, key TEXT, at BIGINT, account TEXT, amount NUMERIC)
     ), posted AS (
       INSERT INTO transfers (kind, key, at) SELECT DISTINCT kind, key, at FROM rows ORDER BY key
       ON CONFLICT (key) DO NOTHING RETURNING id, key
     )
     INSERT INTO entries (transfer_id, account, amount)
     SELECT posted.id, rows.account, rows.amount FROM posted JOIN rows USING (key) ORDER BY rows.account`,
    [JSON.stringify(rows)],
  );
}

/** One amount from one account to another. */
export const move = (from: string, to: string, amount: Amount): readonly Entry[] => [
  { account: from, amount: -amount },
  { account: to, amount },
];

const balanceRow = z.object({ balance: amountColumn });
const namedRow = balanceRow.extend({ account: z.string() });

export async function balanceOf(sql: Sql, name: string): Promise<Amount> {
  return (await one(sql, balanceRow, 'SELECT balance FROM accounts WHERE account = $1', [name]))?.balance ?? 0n;
}

/** Takes a job's hold out of a consumer's deposit. Throws INSUFFICIENT_FUNDS; the caller's transaction then rolls back. */
export async function hold(sql: Sql, consumer: Address, jobId: Hex32, amount: Amount, at: UnixMs): Promise<void> {
  const deposit = await one(sql, balanceRow, 'SELECT balance FROM accounts WHERE account = $1 FOR UPDATE', [
    account.deposit(consumer),
  ]);
  const available = deposit?.balance ?? 0n;
  if (available < amount) {
    fail('INSUFFICIENT_FUNDS', `the job needs ${amount} and the deposit holds ${available}; deposit more first`, {
      needed: amount.toString(),
      available: available.toString(),
    });
  }
  await post(sql, {
    kind: 'hold',
    key: `hold:${jobId}`,
    at,
    entries: move(account.deposit(consumer), account.hold(jobId), amount),
  });
}

export type Books = { readonly credited: Amount; readonly published: Amount; readonly deposit: Amount };

/** `credited` is all an owner was ever credited; `published` the part of it that a root on chain carries. */
export async function booksOf(sql: Sql, owner: Address): Promise<Books> {
  // In one statement: between two, a root may be published, and what moves would be seen in neither account.
  const names = [account.published(owner), account.credited(owner), account.deposit(owner)] as const;
  const rows = await sql.query(namedRow, 'SELECT account, balance FROM accounts WHERE account IN ($1, $2, $3)', names);
  const [published, waiting, deposit] = names.map((name) => rows.find((row) => row.account === name)?.balance ?? 0n);
  return { credited: (waiting ?? 0n) + (published ?? 0n), published: published ?? 0n, deposit: deposit ?? 0n };
}

const auditRow = z.object({ total: amountColumn, differing: integerColumn });

/** Whether all entries sum to zero and every kept balance is the sum of its entries. */
export async function booksBalance(sql: Sql): Promise<boolean> {
  const audit = await one(
    sql,
    auditRow,
    `SELECT COALESCE((SELECT SUM(amount) FROM entries), 0)::text AS total,
       (SELECT COUNT(*) FROM accounts
          FULL JOIN (SELECT account, SUM(amount) AS amount FROM entries GROUP BY account) AS summed USING (account)
          WHERE accounts.balance IS DISTINCT FROM summed.amount) AS differing`,
  );
  return audit !== null && audit.total === 0n && audit.differing === 0;
}

const owedRow = z.object({ account: z.string(), owed: amountColumn });

/** Calculator one of two: per owner, everything ever credited, summed by the database over the entries. */
export async function creditedByLedger(sql: Sql): Promise<ReadonlyMap<Address, Amount>> {
  const rows = await sql.query(
    owedRow,
    `SELECT substr(account, 10) AS account, SUM(amount)::text AS owed FROM entries
     WHERE account LIKE 'credited:%' AND amount > 0 GROUP BY account`,
  );
  return new Map(rows.map((row) => [row.account as Address, row.owed]));
}
