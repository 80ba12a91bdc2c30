import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { ApiKey, Right } from '../core/api-messages.ts';
import { fail } from '../core/errors.ts';
import type { Amount } from '../core/money.ts';
import { type Address, address, type Hex32, type UnixMs } from '../core/primitives.ts';
import { amountColumn, integerColumn, one, type Sql } from './db.ts';

/**
 * API keys of consumers. A key is 256 random bits, of which only the SHA-256 is kept: whoever reads the database cannot order with
 * it, and no salt is needed where nothing can be guessed.
 */
const PREFIX = 'idlemesh_';
const SECRET = /^idlemesh_[A-Za-z0-9_-]{43}$/;
const MAX_KEYS = 50;

const keyRow = z.object({
  key_id: z.string(),
  account: address,
  name: z.string(),
  may_submit: z.boolean(),
  may_read: z.boolean(),
  cap: amountColumn.nullable(),
  /** By jobs that are over. */
  spent: amountColumn,
  /** Held for jobs that are open, as far as it was looked up. */
  open: amountColumn.default(0n),
  created_at: integerColumn,
  expires_at: integerColumn.nullable(),
  revoked_at: integerColumn.nullable(),
});
type KeyRow = z.output<typeof keyRow>;

const rightsOf = (row: Pick<KeyRow, 'may_read' | 'may_submit'>): Right[] => [
  ...(row.may_read ? (['read'] as const) : []),
  ...(row.may_submit ? (['submit'] as const) : []),
];

const viewOf = (row: KeyRow): ApiKey => ({
  id: row.key_id,
  name: row.name,
  rights: rightsOf(row),
  cap: row.cap,
  spent: row.spent + row.open,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  revokedAt: row.revoked_at,
});

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

export const looksLikeKey = (text: string): boolean => text.startsWith(PREFIX);

/** What a key may do, and for whom. */
export type KeyHolder = { readonly id: string; readonly account: Address; readonly rights: ReadonlySet<Right> };

/** null: not one of ours, revoked, or expired. */
export async function findKey(sql: Sql, secret: string, now: UnixMs): Promise<KeyHolder | null> {
  if (!SECRET.test(secret)) return null;
  const row = await one(sql, keyRow, 'SELECT * FROM api_keys WHERE hash = $1', [hashOf(secret)]);
  if (row === null || row.revoked_at !== null || (row.expires_at !== null && row.expires_at <= now)) return null;
  return { id: row.key_id, account: row.account, rights: new Set(rightsOf(row)) };
}

type NewKey = Pick<ApiKey, 'name' | 'rights' | 'cap' | 'expiresAt'>;

/** The secret is answered here and never again. Throws CONFLICT when the account has a live key of that name, REFUSED. */
export async function createKey(
  sql: Sql,
  account: Address,
  { name, rights, cap, expiresAt }: NewKey,
  now: UnixMs,
): Promise<{ readonly key: ApiKey; readonly secret: string }> {
  if (expiresAt !== null && expiresAt <= now) fail('BAD_INPUT', 'the key would have expired already');
  const live = (await listKeys(sql, account)).filter(
    (key) => key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now),
  );
  if (live.some((key) => key.name === name))
    fail('CONFLICT', `you have a key named "${name}"; revoke it, or choose another name`);
  if (live.length >= MAX_KEYS) fail('REFUSED', `an account has at most ${MAX_KEYS} keys; revoke one first`);
  const secret = `${PREFIX}${randomBytes(32).toString('base64url')}`;
  const row: KeyRow = {
    ...{ key_id: randomBytes(8).toString('hex'), account, name, cap, spent: 0n, open: 0n, created_at: now },
    ...{ may_read: rights.includes('read'), may_submit: rights.includes('submit') },
    ...{ expires_at: expiresAt, revoked_at: null },
  };
  await sql.exec(
    `INSERT INTO api_keys (key_id, account, name, hash, may_read, may_submit, cap, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      ...[row.key_id, account, name, hashOf(secret), row.may_read, row.may_submit],
      ...[cap?.toString() ?? null, now, expiresAt],
    ],
  );
  return { key: viewOf(row), secret };
}

const SPENT = `SELECT api_keys.*, (
    SELECT COALESCE(SUM(CASE WHEN jobs.state = 'queued' THEN jobs.hold ELSE jobs.charged END), 0)::text
    FROM key_charges JOIN jobs USING (job_id) WHERE key_charges.key_id = api_keys.key_id) AS open FROM api_keys`;

export async function listKeys(sql: Sql, account: Address): Promise<readonly ApiKey[]> {
  const rows = await sql.query(keyRow, `${SPENT} WHERE account = $1 ORDER BY created_at, key_id`, [account]);
  return rows.map(viewOf);
}

/** Revoked again it stays revoked. Throws NOT_FOUND. */
export async function revokeKey(sql: Sql, account: Address, id: string, now: UnixMs): Promise<ApiKey> {
  await sql.exec('UPDATE api_keys SET revoked_at = $3 WHERE account = $1 AND key_id = $2 AND revoked_at IS NULL', [
    account,
    id,
    now,
  ]);
  const row = await one(sql, keyRow, `${SPENT} WHERE account = $1 AND key_id = $2`, [account, id]);
  return row === null ? fail('NOT_FOUND', 'you have no such key') : viewOf(row);
}

const foldedRow = z.object({ spent: amountColumn, open: amountColumn, cap: amountColumn.nullable() });

/**
 * Books what an order may cost on its key. Jobs that are over are folded into one number on the way, so that the sum is over open
 * ones alone. Throws REFUSED when it would pass the key's cap; the caller's transaction then rolls back.
 */
export async function chargeKey(sql: Sql, keyId: string, jobId: Hex32, amount: Amount): Promise<void> {
  // One order of a key after the other: two at once would pass the cap together.
  await sql.exec('SELECT 1 FROM api_keys WHERE key_id = $1 FOR UPDATE', [keyId]);
  await sql.exec(
    `WITH folded AS (
       DELETE FROM key_charges USING jobs
       WHERE key_charges.key_id = $1 AND jobs.job_id = key_charges.job_id AND jobs.state <> 'queued' RETURNING jobs.charged
     )
     UPDATE api_keys SET spent = spent + COALESCE((SELECT SUM(charged) FROM folded), 0) WHERE key_id = $1`,
    [keyId],
  );
  const row = await one(
    sql,
    foldedRow,
    `SELECT spent, cap, (SELECT COALESCE(SUM(hold), 0)::text FROM key_charges JOIN jobs USING (job_id)
       WHERE key_charges.key_id = $1) AS open FROM api_keys WHERE key_id = $1`,
    [keyId],
  );
  if (row === null) fail('UNAUTHORISED', 'the key is gone');
  if (row.cap !== null && row.spent + row.open + amount > row.cap) {
    const left = row.cap - row.spent - row.open;
    fail('REFUSED', `the job may cost ${amount} and this key may spend ${left > 0n ? left : 0n} more`);
  }
  await sql.exec('INSERT INTO key_charges (key_id, job_id) VALUES ($1, $2)', [keyId, jobId]);
}
