import { z } from 'zod';
import { isLoopbackAddress } from '../core/addresses.ts';
import type { webhookView } from '../core/api-messages.ts';
import { fail } from '../core/errors.ts';
import { type Address, address, type Hex32, hex32, type UnixMs } from '../core/primitives.ts';
import { integerColumn, one, type Sql } from './db.ts';

/** Statements on webhooks: which order sends word where, and how that goes. */

/** Of failures, after which an endpoint is left alone, and a delivery given up. */
export const GIVE_UP_MS = 24 * 60 * 60_000;
const BACKOFF_S = [5, 30, 120, 600, 1800, 3600, 7200, 14_400] as const;

/** When a delivery that failed so many times is tried again. `spread`: 0..1, so that those that failed together come apart. */
export const retryAt = (attempts: number, now: UnixMs, spread: number): UnixMs =>
  now + Math.round((BACKOFF_S[Math.min(attempts, BACKOFF_S.length) - 1] ?? BACKOFF_S[0]) * 1000 * (1 + spread / 2));

const isLoopbackHost = (host: string): boolean =>
  host === 'localhost' || isLoopbackAddress(host.replace(/^\[|\]$/g, ''));

/** Throws BAD_INPUT for an address that no word is ever sent to. Which machine a name means is looked at when it is dialled. */
export function requireWebhookUrl(text: string, loopback: boolean): string {
  const url = new URL(text);
  const here = loopback && isLoopbackHost(url.hostname);
  if (url.protocol !== 'https:' && !here) fail('BAD_INPUT', 'a webhook is an https address');
  if (url.username !== '' || url.password !== '')
    fail('BAD_INPUT', 'a webhook address holds no password; check the signature');
  return url.href;
}

const endpointRow = z.object({
  url: z.string(),
  failing_since: integerColumn.nullable(),
  disabled_at: integerColumn.nullable(),
  last_error: z.string().nullable(),
  waiting: integerColumn,
});

const ENDPOINTS = `SELECT webhook_endpoints.*, (SELECT COUNT(*) FROM webhooks
    WHERE webhooks.account = webhook_endpoints.account AND webhooks.url = webhook_endpoints.url) AS waiting
  FROM webhook_endpoints WHERE account = $1`;

const viewOf = (row: z.output<typeof endpointRow>): z.output<typeof webhookView> => ({
  url: row.url,
  waiting: row.waiting,
  failingSince: row.failing_since,
  disabledAt: row.disabled_at,
  lastError: row.last_error,
});

/** Together with the order it belongs to. Throws REFUSED when the endpoint is disabled. */
export async function addWebhook(sql: Sql, jobId: Hex32, account: Address, url: string): Promise<void> {
  await sql.exec('INSERT INTO webhook_endpoints (account, url) VALUES ($1, $2) ON CONFLICT DO NOTHING', [account, url]);
  const row = await one(sql, endpointRow, `${ENDPOINTS} AND url = $2`, [account, url]);
  if (row !== null && row.disabled_at !== null) {
    fail('REFUSED', 'this webhook failed for a day and is disabled; mend it and enable it at /v1/webhooks/enable');
  }
  await sql.exec('INSERT INTO webhooks (job_id, account, url) VALUES ($1, $2, $3)', [jobId, account, url]);
}

export async function listWebhooks(sql: Sql, account: Address): Promise<z.output<typeof webhookView>[]> {
  const rows = await sql.query(endpointRow, `${ENDPOINTS} ORDER BY url LIMIT 200`, [account]);
  return rows.map(viewOf);
}

/** Throws NOT_FOUND. */
export async function enableWebhook(sql: Sql, account: Address, url: string): Promise<z.output<typeof webhookView>> {
  await sql.exec(
    'UPDATE webhook_endpoints SET failing_since = NULL, disabled_at = NULL WHERE account = $1 AND url = $2',
    [account, url],
  );
  const row = await one(sql, endpointRow, `${ENDPOINTS} AND url = $2`, [account, url]);
  return row === null ? fail('NOT_FOUND', 'none of your orders named this webhook') : viewOf(row);
}

const generationRow = z.object({ generation: integerColumn });

export const secretGeneration = async (sql: Sql, account: Address): Promise<number> =>
  (await one(sql, generationRow, 'SELECT generation FROM webhook_secrets WHERE account = $1', [account]))?.generation ??
  0;

export async function nextSecretGeneration(sql: Sql, account: Address): Promise<number> {
  const row = await one(
    sql,
    generationRow,
    `INSERT INTO webhook_secrets (account, generation) VALUES ($1, 1)
     ON CONFLICT (account) DO UPDATE SET generation = webhook_secrets.generation + 1 RETURNING generation`,
    [account],
  );
  return row?.generation ?? fail('INTERNAL', 'a secret that was renewed is not there');
}

const dueRow = z.object({
  job_id: hex32,
  account: address,
  url: z.string(),
  attempts: integerColumn,
  first_at: integerColumn,
});
export type Due = z.output<typeof dueRow>;

/**
 * Takes what is due until `until`, after which somebody else may: of each account the first `ofEach`, less those of it under way here.
 * Rows that another replica is just taking are left to it.
 */
export const claimDue = (
  sql: Sql,
  now: UnixMs,
  until: UnixMs,
  ofEach: number,
  underWay: ReadonlyMap<Address, number>,
): Promise<readonly Due[]> =>
  sql.query(
    dueRow,
    `WITH ranked AS (
       SELECT job_id, account, due_at, row_number() OVER (PARTITION BY account ORDER BY due_at) AS place FROM webhooks
       WHERE due_at <= $1
     ), room AS MATERIALIZED (
       SELECT ranked.job_id FROM ranked LEFT JOIN jsonb_each_text($4::text::jsonb) AS busy (account, count)
         ON busy.account = ranked.account
       WHERE ranked.place + COALESCE(busy.count::int, 0) <= $3 ORDER BY ranked.due_at LIMIT 200
     ), free AS MATERIALIZED (
       SELECT job_id FROM webhooks WHERE due_at <= $1
         AND job_id IN (SELECT job_id FROM room) FOR UPDATE SKIP LOCKED
     )
     UPDATE webhooks SET due_at = $2, attempts = attempts + 1, first_at = COALESCE(first_at, $1) FROM free
     WHERE webhooks.job_id = free.job_id
     RETURNING webhooks.job_id, webhooks.account, webhooks.url, webhooks.attempts, webhooks.first_at`,
    [now, until, ofEach, JSON.stringify(Object.fromEntries(underWay))],
  );

export async function delivered(sql: Sql, { job_id, account, url }: Due): Promise<void> {
  await sql.exec('DELETE FROM webhooks WHERE job_id = $1', [job_id]);
  await sql.exec(
    `UPDATE webhook_endpoints SET failing_since = NULL, last_error = NULL
     WHERE account = $1 AND url = $2 AND (failing_since IS NOT NULL OR last_error IS NOT NULL)`,
    [account, url],
  );
}

/** Answers whether the endpoint is disabled from now on. */
export async function failedToDeliver(sql: Sql, due: Due, error: string, now: UnixMs, again: UnixMs): Promise<boolean> {
  const { account, url, job_id } = due;
  await sql.exec(
    `UPDATE webhook_endpoints SET failing_since = COALESCE(failing_since, $3), last_error = $4
     WHERE account = $1 AND url = $2`,
    [account, url, now, error.slice(0, 200)],
  );
  const ended = await sql.exec(
    `UPDATE webhook_endpoints SET disabled_at = $3
     WHERE account = $1 AND url = $2 AND disabled_at IS NULL AND failing_since <= $4`,
    [account, url, now, now - GIVE_UP_MS],
  );
  if (ended > 0) await sql.exec('DELETE FROM webhooks WHERE account = $1 AND url = $2', [account, url]);
  else if (again - due.first_at > GIVE_UP_MS) await sql.exec('DELETE FROM webhooks WHERE job_id = $1', [job_id]);
  else await sql.exec('UPDATE webhooks SET due_at = $2 WHERE job_id = $1', [job_id, again]);
  return ended > 0;
}
