import { z } from 'zod';
import { fail } from '../core/errors.ts';
import type { Amount } from '../core/money.ts';
import type { Address, Hex32, UnixMs } from '../core/primitives.ts';
import { amountColumn, integerColumn, one, type Sql } from './db.ts';

/**
 * Double-entry books. Money enters from `external`, the one account that may be negative, and moves
 *
 *   external ─ deposit ─► deposit:consumer ─ hold ─► hold:job ─ receipt ─► pending:owner ─ mature ─► matured:owner
 *                               ▲   ▲                   │ │                   │                             │ epoch
 *                               │   └────── refund ─────┘ └─ mature ─► fees   │                             ▼
 *                               └──────────────────────── clawback ───────────┘   claimed:owner ◄─ claim ─ published:owner
 *
 * Copies that the network wants for itself are paid from `checks`, which a share of the fees and the network's own deposit feed: checks ─►
 * hold:job, and what is left of it goes back there. The network's fee waits in the job's hold until the credit matures. `dust` has what is neither the network's nor a provider's
 * alone (see sharesOf). Each transfer has a key that says what it is for; the same key again changes nothing. The database refuses an unbalanced
 * transfer, a negative account, and any change of what was written.
 */
export const account = {
  external: 'external',
  deposit: (consumer: Address) => `deposit:${consumer}`,
  /** Of a job, or of a delivery. */
  hold: (jobId: Hex32) => `hold:${jobId}`,
  pending: (owner: Address) => `pending:${owner}`,
  matured: (owner: Address) => `matured:${owner}`,
  published: (owner: Address) => `published:${owner}`,
  claimed: (owner: Address) => `claimed:${owner}`,
  fees: 'fees',
  dust: 'dust',
  /** Pays copies that the network wants for itself; before every other account in the order of names, and so locked first. */
  checks: 'checks',
} as const;

export type Entry = { readonly account: string; readonly amount: Amount };
export type Transfer = {
  readonly kind:
    | 'deposit'
    | 'hold'
    | 'refund'
    | 'receipt'
    | 'storage'
    | 'mature'
    | 'clawback'
    | 'epoch'
    | 'claim'
    | 'checks';
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

export async function balanceOf(sql: Sql, name: string): Promise<Amount> {
  return (await one(sql, balanceRow, 'SELECT balance FROM accounts WHERE account = $1', [name]))?.balance ?? 0n;
}

/**
 * Takes a hold, of a job where nothing else is said, out of a consumer's deposit. Throws INSUFFICIENT_FUNDS; the caller's transaction then
 * rolls back.
 */
export async function hold(
  sql: Sql,
  consumer: Address,
  jobId: Hex32,
  amount: Amount,
  at: UnixMs,
  { what, key } = { what: 'the job', key: `hold:${jobId}` },
): Promise<void> {
  const deposit = await one(sql, balanceRow, 'SELECT balance FROM accounts WHERE account = $1 FOR UPDATE', [
    account.deposit(consumer),
  ]);
  const available = deposit?.balance ?? 0n;
  if (available < amount) {
    const missing = amount - available;
    fail(
      'INSUFFICIENT_FUNDS',
      `${what} needs ${amount} and the deposit holds ${available}; deposit ${missing} more first`,
      {
        ...{ needed: amount.toString(), available: available.toString(), missing: missing.toString() },
      },
    );
  }
  await post(sql, {
    kind: 'hold',
    key,
    at,
    entries: move(account.deposit(consumer), account.hold(jobId), amount),
  });
}

export type Books = {
  readonly credited: Amount;
  readonly pending: Amount;
  readonly matured: Amount;
  readonly published: Amount;
  readonly claimed: Amount;
  readonly deposit: Amount;
};

const namedBalance = balanceRow.extend({ account: z.string() });

/**
 * `credited` is all an owner was ever credited but for what was clawed back: what is pending, matured or published. `published` is
 * the part of it that a root on chain carries, and `claimed` the part of that which the chain has paid.
 */
export async function booksOf(sql: Sql, owner: Address): Promise<Books> {
  const names = [
    ...[account.pending(owner), account.matured(owner), account.published(owner), account.claimed(owner)],
    account.deposit(owner),
  ];
  const rows = await sql.query(
    namedBalance,
    'SELECT account, balance::text FROM accounts WHERE account IN ($1, $2, $3, $4, $5)',
    names,
  );
  const [pending = 0n, matured = 0n, unclaimed = 0n, claimed = 0n, deposit = 0n] = names.map(
    (name) => rows.find((row) => row.account === name)?.balance,
  );
  const published = unclaimed + claimed;
  return { credited: pending + matured + published, pending, matured, published, claimed, deposit };
}

const creditedRow = z.object({ owner: z.string(), credited: amountColumn });

/** What `booksOf` calls credited, of many owners; who has nothing is left out. */
export async function creditedTo(sql: Sql, owners: readonly Address[]): Promise<ReadonlyMap<Address, Amount>> {
  const names = [...new Set(owners)].flatMap((owner) => [
    ...[account.pending(owner), account.matured(owner), account.published(owner), account.claimed(owner)],
  ]);
  const rows = await sql.query(
    creditedRow,
    `SELECT split_part(account, ':', 2) AS owner, SUM(balance)::text AS credited FROM accounts
     WHERE account = ANY ($1::text[]) GROUP BY 1`,
    [names],
  );
  return new Map(rows.map(({ owner, credited }) => [owner as Address, credited]));
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

/** What an owner has coming: `due` by the next root, of all that was `credited` and not clawed back. */
export type Owed = { readonly due: Amount; readonly credited: Amount };

const owedRow = z.object({ owner: z.string(), due: amountColumn, credited: amountColumn });

/** Calculator one of two: per owner, summed by the database over the entries, whatever the kept balances say. */
export async function owedByLedger(sql: Sql): Promise<ReadonlyMap<Address, Owed>> {
  const rows = await sql.query(
    owedRow,
    `SELECT split_part(account, ':', 2) AS owner, SUM(amount)::text AS credited,
       COALESCE(SUM(amount) FILTER (WHERE account NOT LIKE 'pending:%'), 0)::text AS due
     FROM entries WHERE account LIKE 'pending:%' OR account LIKE 'matured:%' OR account LIKE 'published:%'
       OR account LIKE 'claimed:%' GROUP BY 1`,
  );
  return new Map(rows.map(({ owner, ...owed }) => [owner as Address, owed]));
}

/** The sum of what all owners have coming by the next root, by the kept balances: whether a look at everything is worth it. */
export async function dueInAll(sql: Sql): Promise<Amount> {
  const row = await one(
    sql,
    balanceRow,
    `SELECT COALESCE(SUM(balance), 0)::text AS balance FROM accounts
     WHERE account LIKE 'matured:%' OR account LIKE 'published:%' OR account LIKE 'claimed:%'`,
  );
  return row?.balance ?? 0n;
}

/** Books that a root was published: what it adds to each leaf moves from matured to published, in one statement. */
export async function bookEpoch(
  sql: Sql,
  epoch: number,
  leaves: readonly { readonly owner: Address; readonly cumulative: Amount }[],
  at: UnixMs,
): Promise<void> {
  const rows = leaves.map(({ owner, cumulative }) => ({ owner, cumulative: cumulative.toString() }));
  await sql.exec(
    `WITH transfer AS (
       INSERT INTO transfers (kind, key, at) VALUES ('epoch', $1, $2) ON CONFLICT (key) DO NOTHING RETURNING id
     ), grown AS (
       SELECT owner, cumulative - COALESCE(published.balance, 0) - COALESCE(claimed.balance, 0) AS amount
       FROM jsonb_to_recordset($3::text::jsonb) AS leaf (owner TEXT, cumulative NUMERIC)
       LEFT JOIN accounts AS published ON published.account = 'published:' || owner
       LEFT JOIN accounts AS claimed ON claimed.account = 'claimed:' || owner
     )
     INSERT INTO entries (transfer_id, account, amount)
     SELECT id, 'matured:' || owner, -amount FROM transfer, grown WHERE amount <> 0
     UNION ALL
     SELECT id, 'published:' || owner, amount FROM transfer, grown WHERE amount <> 0`,
    [`epoch:${epoch}`, at, JSON.stringify(rows)],
  );
}
