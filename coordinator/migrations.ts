import { z } from 'zod';
import type { Db, Sql } from './db.ts';
import { BOOKS } from './migrations/books.ts';
import { CHANNELS } from './migrations/channels.ts';
import { COMPARISON } from './migrations/comparison.ts';
import { CONTENTS } from './migrations/contents.ts';
import { DELIVERIES } from './migrations/deliveries.ts';
import { DEPOSITS } from './migrations/deposits.ts';
import { DISPATCH } from './migrations/dispatch.ts';
import { GPU_PROOFS } from './migrations/gpu-proofs.ts';
import { OPERATION } from './migrations/operation.ts';
import { QUEUE } from './migrations/queue.ts';
import { STORAGE } from './migrations/storage.ts';
import { TRUST } from './migrations/trust.ts';

/** Forward only: an entry that has shipped is never edited. The number is its position, from 1. */
const MIGRATIONS: readonly (readonly string[])[] = [
  [
    'CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)',

    // Balances are derived from entries by trigger; entries are the truth and are never changed.
    `CREATE TABLE accounts (
       account TEXT PRIMARY KEY,
       balance NUMERIC(78,0) NOT NULL DEFAULT 0,
       CONSTRAINT no_negative_account CHECK (balance >= 0 OR account = 'external')
     )`,
    `CREATE TABLE transfers (
       id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       kind TEXT NOT NULL,
       key TEXT NOT NULL UNIQUE,
       at BIGINT NOT NULL
     )`,
    `CREATE TABLE entries (
       transfer_id BIGINT NOT NULL REFERENCES transfers (id),
       account TEXT NOT NULL,
       amount NUMERIC(78,0) NOT NULL CHECK (amount <> 0),
       PRIMARY KEY (transfer_id, account)
     )`,
    'CREATE INDEX entries_by_account ON entries (account)',
    `CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
       'BEGIN RAISE EXCEPTION ''% is append-only'', TG_TABLE_NAME; END'`,
    `CREATE TRIGGER transfers_append_only BEFORE UPDATE OR DELETE ON transfers
       FOR EACH ROW EXECUTE FUNCTION refuse_change()`,
    `CREATE TRIGGER entries_append_only BEFORE UPDATE OR DELETE ON entries
       FOR EACH ROW EXECUTE FUNCTION refuse_change()`,
    `CREATE FUNCTION apply_entry() RETURNS trigger LANGUAGE plpgsql AS $body$
     BEGIN
       INSERT INTO accounts (account) VALUES (NEW.account) ON CONFLICT DO NOTHING;
       UPDATE accounts SET balance = balance + NEW.amount WHERE account = NEW.account;
       RETURN NULL;
     END $body$`,
    'CREATE TRIGGER entries_apply AFTER INSERT ON entries FOR EACH ROW EXECUTE FUNCTION apply_entry()',
    `CREATE FUNCTION require_balance() RETURNS trigger LANGUAGE plpgsql AS $body$
     BEGIN
       IF (SELECT COALESCE(SUM(amount), 0) FROM entries WHERE transfer_id = NEW.transfer_id) <> 0 THEN
         RAISE EXCEPTION 'transfer % is not balanced', NEW.transfer_id;
       END IF;
       RETURN NULL;
     END $body$`,
    `CREATE CONSTRAINT TRIGGER entries_balanced AFTER INSERT ON entries
       DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION require_balance()`,

    `CREATE TABLE devices (
       device TEXT PRIMARY KEY,
       owner TEXT NOT NULL,
       issued_at BIGINT NOT NULL,
       expires_at BIGINT NOT NULL,
       signature TEXT NOT NULL,
       blocked TEXT
     )`,

    `CREATE TABLE jobs (
       job_id TEXT PRIMARY KEY,
       consumer TEXT NOT NULL,
       workload TEXT NOT NULL,
       version TEXT NOT NULL,
       image TEXT NOT NULL,
       lane TEXT NOT NULL,
       params TEXT NOT NULL,
       input_hash TEXT NOT NULL,
       input_bytes BIGINT NOT NULL,
       price NUMERIC(78,0) NOT NULL,
       hold NUMERIC(78,0) NOT NULL,
       replicas INT NOT NULL,
       state TEXT NOT NULL,
       rev INT NOT NULL DEFAULT 1,
       progress DOUBLE PRECISION NOT NULL DEFAULT 0,
       charged NUMERIC(78,0),
       output_hash TEXT,
       output_bytes BIGINT,
       failure TEXT,
       created_at BIGINT NOT NULL
     )`,
    `CREATE INDEX jobs_open ON jobs (created_at) WHERE state NOT IN ('done', 'failed')`,
    'CREATE INDEX jobs_by_consumer ON jobs (consumer)',

    `CREATE TABLE leases (
       lease_id TEXT PRIMARY KEY,
       job_id TEXT NOT NULL REFERENCES jobs (job_id),
       device TEXT NOT NULL,
       owner TEXT NOT NULL,
       issued_at BIGINT NOT NULL,
       deadline BIGINT NOT NULL,
       state TEXT NOT NULL,
       counts_as_attempt BOOLEAN NOT NULL DEFAULT FALSE,
       why TEXT,
       progress DOUBLE PRECISION NOT NULL DEFAULT 0,
       output_hash TEXT,
       output_bytes BIGINT,
       result TEXT,
       result_signature TEXT,
       report_hash TEXT
     )`,
    'CREATE INDEX leases_by_job ON leases (job_id)',
    'CREATE INDEX leases_by_device ON leases (device)',
    `CREATE INDEX leases_held ON leases (deadline) WHERE state = 'held'`,

    `CREATE TABLE reports (
       report_hash TEXT PRIMARY KEY,
       device TEXT NOT NULL,
       sequence BIGINT NOT NULL,
       value TEXT NOT NULL,
       signature TEXT NOT NULL,
       items TEXT NOT NULL,
       at BIGINT NOT NULL,
       UNIQUE (device, sequence)
     )`,
    `CREATE TABLE receipts (
       report_hash TEXT PRIMARY KEY REFERENCES reports (report_hash),
       owner TEXT NOT NULL,
       value TEXT NOT NULL,
       signature TEXT NOT NULL,
       outcomes TEXT NOT NULL,
       at BIGINT NOT NULL
     )`,

    `CREATE TABLE epochs (
       epoch BIGINT PRIMARY KEY,
       root TEXT NOT NULL,
       total NUMERIC(78,0) NOT NULL,
       closed_at BIGINT NOT NULL,
       tx_hash TEXT,
       entitlements TEXT NOT NULL
     )`,
  ],
  ['ALTER TABLE leases ADD COLUMN unable BOOLEAN NOT NULL DEFAULT FALSE'],
  [
    'CREATE TABLE uploads (account TEXT NOT NULL, sha256 TEXT NOT NULL, bytes BIGINT NOT NULL, PRIMARY KEY (account, sha256))',
    'CREATE INDEX uploads_by_hash ON uploads (sha256)',
    'CREATE INDEX leases_by_output ON leases (output_hash) WHERE output_hash IS NOT NULL',
  ],
  [
    // Dispatch: a replica claims ready jobs for a while. What it does not hand out by then is anybody's again.
    'ALTER TABLE jobs ADD COLUMN priority INT NOT NULL DEFAULT 0',
    'ALTER TABLE jobs ADD COLUMN claim_until BIGINT NOT NULL DEFAULT 0',
    `CREATE INDEX jobs_queue ON jobs (consumer, priority DESC, created_at, job_id) WHERE state NOT IN ('done', 'failed')`,
    // Claims and results are no part of an index: with room on the page they are written in place.
    'ALTER TABLE jobs SET (fillfactor = 70)',
    // Running and verifying are what a job's leases say.
    `UPDATE jobs SET state = 'queued' WHERE state IN ('running', 'verifying')`,
    // The n-th lease of a job exists once: whatever two replicas think, they cannot both give it out.
    'ALTER TABLE leases ADD COLUMN copy INT',
    `UPDATE leases SET copy = numbered.copy FROM (
       SELECT lease_id, row_number() OVER (PARTITION BY job_id ORDER BY issued_at, lease_id) - 1 AS copy FROM leases
     ) AS numbered WHERE numbered.lease_id = leases.lease_id`,
    'ALTER TABLE leases ALTER COLUMN copy SET NOT NULL',
    'DROP INDEX leases_by_job',
    'CREATE UNIQUE INDEX leases_by_job ON leases (job_id, copy)',
    // A lease is only written together with a look at its job, and jobs stay.
    'ALTER TABLE leases DROP CONSTRAINT leases_job_id_fkey',
    'ALTER TABLE leases SET (fillfactor = 70)',
    // Results that came many under one signature.
    'CREATE TABLE result_batches (batch_hash TEXT PRIMARY KEY, device TEXT NOT NULL, results TEXT NOT NULL, signature TEXT NOT NULL)',
    'ALTER TABLE leases ADD COLUMN batch_hash TEXT',
  ],
  [
    // A device has one session: the one with the highest number.
    'CREATE SEQUENCE session_numbers',
    'ALTER TABLE devices ADD COLUMN session BIGINT NOT NULL DEFAULT 0',
  ],
  BOOKS,
  [
    // A cancelled job is a failed one that its consumer ended.
    'ALTER TABLE jobs ADD COLUMN cancelled_at BIGINT',
    'CREATE INDEX jobs_newest ON jobs (consumer, created_at, job_id)',
    'DROP INDEX jobs_by_consumer',
    `CREATE TABLE api_keys (
       key_id TEXT PRIMARY KEY,
       account TEXT NOT NULL,
       name TEXT NOT NULL,
       hash TEXT NOT NULL UNIQUE,
       may_read BOOLEAN NOT NULL,
       may_submit BOOLEAN NOT NULL,
       cap NUMERIC(78,0),
       spent NUMERIC(78,0) NOT NULL DEFAULT 0,
       created_at BIGINT NOT NULL,
       expires_at BIGINT,
       revoked_at BIGINT
     )`,
    'CREATE INDEX api_keys_by_account ON api_keys (account)',
    // What a key ordered and is not yet folded into what it spent.
    'CREATE TABLE key_charges (key_id TEXT NOT NULL, job_id TEXT NOT NULL, PRIMARY KEY (key_id, job_id))',
    `CREATE TABLE webhook_endpoints (
       account TEXT NOT NULL,
       url TEXT NOT NULL,
       failing_since BIGINT,
       disabled_at BIGINT,
       last_error TEXT,
       PRIMARY KEY (account, url)
     )`,
    // Waits for its job until due_at is set, and is removed once it is delivered or given up.
    `CREATE TABLE webhooks (
       job_id TEXT PRIMARY KEY,
       account TEXT NOT NULL,
       url TEXT NOT NULL,
       due_at BIGINT,
       first_at BIGINT,
       attempts INT NOT NULL DEFAULT 0
     )`,
    'CREATE INDEX webhooks_due ON webhooks (due_at) WHERE due_at IS NOT NULL',
    'CREATE INDEX webhooks_by_endpoint ON webhooks (account, url)',
    'CREATE TABLE webhook_secrets (account TEXT PRIMARY KEY, generation INT NOT NULL)',
  ],
  QUEUE,
  COMPARISON,
  GPU_PROOFS,
  OPERATION,
  TRUST,
  DISPATCH,
  DEPOSITS,
  CHANNELS,
  CONTENTS,
  DELIVERIES,
  STORAGE,
];

/** Number of the newest migration. */
export const SCHEMA = MIGRATIONS.length;

/** Applies what is missing, each migration in one transaction; the row lock lets one process at a time do it. */
export async function migrate(db: Db): Promise<void> {
  await db.tx(async (sql) => {
    // There is no row to lock yet, and two that make a table at once trip over each other.
    await sql.exec("SELECT pg_advisory_xact_lock(hashtextextended('schema', 0))");
    await sql.exec(
      'CREATE TABLE IF NOT EXISTS schema_version (id INT PRIMARY KEY CHECK (id = 1), version INT NOT NULL)',
    );
    await sql.exec('INSERT INTO schema_version (id, version) VALUES (1, 0) ON CONFLICT DO NOTHING');
  });
  for (;;) {
    const done = await db.tx(applyNext);
    if (done) return;
  }
}

const versionRow = z.object({ version: z.number() });

async function applyNext(sql: Sql): Promise<boolean> {
  await sql.exec('SET LOCAL statement_timeout = 0');
  const [row] = await sql.query(versionRow, 'SELECT version FROM schema_version WHERE id = 1 FOR UPDATE');
  const version = row?.version ?? 0;
  const statements = MIGRATIONS[version];
  if (statements === undefined) return true;
  for (const statement of statements) await sql.exec(statement);
  await sql.exec('UPDATE schema_version SET version = $1 WHERE id = 1', [version + 1]);
  return false;
}
