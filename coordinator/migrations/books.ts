/** The way of a credit to maturity, claw-backs and claims; proofs against devices; entries checked a statement at a time. */
export const BOOKS: readonly string[] = [
  // A statement that writes 100,000 entries is checked once, not once an entry over all of them.
  'DROP TRIGGER entries_apply ON entries',
  'DROP TRIGGER entries_balanced ON entries',
  'DROP FUNCTION apply_entry()',
  'DROP FUNCTION require_balance()',
  // Whatever one statement adds to a transfer sums to zero, so every transfer does. Accounts are locked in one order.
  `CREATE FUNCTION book_entries() RETURNS trigger LANGUAGE plpgsql AS $body$
   DECLARE lame BIGINT;
   BEGIN
     SELECT transfer_id INTO lame FROM fresh GROUP BY transfer_id HAVING SUM(amount) <> 0 LIMIT 1;
     IF lame IS NOT NULL THEN
       RAISE EXCEPTION 'transfer % is not balanced', lame;
     END IF;
     INSERT INTO accounts (account) SELECT DISTINCT account FROM fresh ORDER BY account ON CONFLICT DO NOTHING;
     PERFORM 1 FROM accounts WHERE account IN (SELECT account FROM fresh) ORDER BY account FOR UPDATE;
     UPDATE accounts SET balance = balance + summed.amount
       FROM (SELECT account, SUM(amount) AS amount FROM fresh GROUP BY account) AS summed
       WHERE accounts.account = summed.account;
     RETURN NULL;
   END $body$`,
  `CREATE TRIGGER entries_booked AFTER INSERT ON entries REFERENCING NEW TABLE AS fresh
     FOR EACH STATEMENT EXECUTE FUNCTION book_entries()`,
  `CREATE TRIGGER transfers_kept BEFORE TRUNCATE ON transfers FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
  `CREATE TRIGGER entries_kept BEFORE TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,

  // What a provider gets for one accepted copy; the rest of the price is the network's fee.
  'ALTER TABLE jobs ADD COLUMN pay NUMERIC(78,0)',
  // The part of the rest that is not a whole unit of the fee.
  'ALTER TABLE jobs ADD COLUMN dust NUMERIC(78,0) NOT NULL DEFAULT 0',
  'UPDATE jobs SET pay = price',
  'ALTER TABLE jobs ALTER COLUMN pay SET NOT NULL',

  `CREATE TABLE credits (
     lease_id TEXT PRIMARY KEY,
     job_id TEXT NOT NULL,
     consumer TEXT NOT NULL,
     owner TEXT NOT NULL,
     device TEXT NOT NULL,
     amount NUMERIC(78,0) NOT NULL,
     fee NUMERIC(78,0) NOT NULL,
     dust NUMERIC(78,0) NOT NULL,
     matures_at BIGINT NOT NULL,
     state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'matured', 'clawed'))
   )`,
  `CREATE INDEX credits_pending ON credits (matures_at) WHERE state = 'pending'`,
  `CREATE INDEX credits_pending_by_device ON credits (device) WHERE state = 'pending'`,
  // Credits that do not mature while they are named here.
  'CREATE TABLE credit_holds (lease_id TEXT PRIMARY KEY, why TEXT NOT NULL, at BIGINT NOT NULL)',
  // When all that a receipt credits matures.
  'ALTER TABLE receipts ADD COLUMN matures_at BIGINT NOT NULL DEFAULT 0',
  `CREATE TABLE clawbacks (
     clawback_hash TEXT PRIMARY KEY,
     owner TEXT NOT NULL,
     value TEXT NOT NULL,
     signature TEXT NOT NULL,
     items TEXT NOT NULL,
     total NUMERIC(78,0) NOT NULL,
     at BIGINT NOT NULL
   )`,
  'CREATE INDEX clawbacks_by_owner ON clawbacks (owner, at)',
  // Both reports of a fork are kept: the first among the reports, the other here.
  `CREATE TABLE report_forks (
     report_hash TEXT PRIMARY KEY,
     device TEXT NOT NULL,
     sequence BIGINT NOT NULL,
     value TEXT NOT NULL,
     signature TEXT NOT NULL,
     at BIGINT NOT NULL
   )`,
  // Up to which time credits have matured; whoever matures, holds or claws back locks it first.
  `INSERT INTO meta (key, value) VALUES ('matured-to', '0') ON CONFLICT DO NOTHING`,

  // What was credited before there was maturity is mature.
  `WITH waiting AS MATERIALIZED (
     SELECT account, balance FROM accounts WHERE account LIKE 'credited:%' AND balance > 0
   ), transfer AS (
     INSERT INTO transfers (kind, key, at)
     SELECT 'mature', 'mature:before', 0 FROM (SELECT 1 FROM waiting LIMIT 1) AS any_waiting RETURNING id
   )
   INSERT INTO entries (transfer_id, account, amount)
   SELECT id, account, -balance FROM transfer, waiting
   UNION ALL
   SELECT id, 'matured:' || substr(account, 10), balance FROM transfer, waiting`,
];
