/** Files that are stored for others: where their places are, how their devices stand, and what was paid for keeping them. */
export const STORAGE: readonly string[] = [
  // What a device lends and how it has kept what it was given. `lent_bytes` null: it lends nothing now.
  `CREATE TABLE storage_devices (
     device TEXT PRIMARY KEY,
     owner TEXT NOT NULL,
     network TEXT,
     lent_bytes BIGINT,
     used_bytes BIGINT NOT NULL DEFAULT 0,
     seen_at BIGINT NOT NULL,
     away_marked_at BIGINT NOT NULL DEFAULT 0,
     alpha DOUBLE PRECISION NOT NULL,
     beta DOUBLE PRECISION NOT NULL,
     reason TEXT NOT NULL DEFAULT 'new',
     suspended_until BIGINT,
     disqualified BOOLEAN NOT NULL DEFAULT FALSE,
     passed BIGINT NOT NULL DEFAULT 0,
     failed BIGINT NOT NULL DEFAULT 0,
     credited NUMERIC(78,0) NOT NULL DEFAULT 0
   )`,
  // Seen again and again: with room on the page it is written in place.
  'ALTER TABLE storage_devices SET (fillfactor = 70)',

  // hold_id names the account that has the money of the whole term: what was held, less what was spent and given back.
  `CREATE TABLE stored_files (
     file_id TEXT PRIMARY KEY,
     consumer TEXT NOT NULL,
     hold_id TEXT NOT NULL UNIQUE,
     shape TEXT NOT NULL,
     places INT NOT NULL,
     needed INT NOT NULL,
     place_bytes BIGINT NOT NULL,
     price NUMERIC(78,0) NOT NULL,
     fee_bps INT NOT NULL,
     months INT NOT NULL,
     held NUMERIC(78,0) NOT NULL,
     spent NUMERIC(78,0) NOT NULL DEFAULT 0,
     refunded NUMERIC(78,0) NOT NULL DEFAULT 0,
     created_at BIGINT NOT NULL,
     ends_at BIGINT NOT NULL,
     ended_at BIGINT,
     manifest_bytes BIGINT,
     repairer TEXT,
     repair_until BIGINT NOT NULL DEFAULT 0,
     CONSTRAINT never_more_than_held CHECK (spent + refunded <= held)
   )`,
  'CREATE INDEX stored_files_by_consumer ON stored_files (consumer, file_id) WHERE ended_at IS NULL',
  'CREATE INDEX stored_files_ending ON stored_files (ends_at) WHERE ended_at IS NULL',
  // Only the owner of a file can read it.
  'CREATE TABLE file_manifests (file_id TEXT PRIMARY KEY, manifest BYTEA NOT NULL)',
  // A place that is made anew has the very same shards.
  `CREATE TABLE place_shards (
     file_id TEXT NOT NULL,
     idx INT NOT NULL,
     shards_hash TEXT NOT NULL,
     shards TEXT NOT NULL,
     PRIMARY KEY (file_id, idx)
   )`,

  // tokens: seed and commitment of each in hex, 128 digits; the next one that is asked with is number token_next, from 0.
  `CREATE TABLE agreements (
     agreement_id TEXT PRIMARY KEY,
     file_id TEXT NOT NULL,
     idx INT NOT NULL,
     replaces TEXT,
     device TEXT NOT NULL,
     owner TEXT NOT NULL,
     network TEXT,
     bytes BIGINT NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('open', 'sealed', 'ended', 'lost')),
     why TEXT,
     created_at BIGINT NOT NULL,
     sealed_at BIGINT,
     ended_at BIGINT,
     acknowledgement TEXT,
     moving BOOLEAN NOT NULL DEFAULT FALSE,
     paid_to BIGINT,
     payments INT NOT NULL DEFAULT 0,
     held_back NUMERIC(78,0) NOT NULL DEFAULT 0 CHECK (held_back >= 0),
     tokens TEXT,
     token_count INT NOT NULL DEFAULT 0,
     token_next INT NOT NULL DEFAULT 0,
     next_audit_at BIGINT,
     audit_id TEXT UNIQUE,
     answer_by BIGINT,
     strikes INT NOT NULL DEFAULT 0,
     broken_off INT NOT NULL DEFAULT 0
   )`,
  'ALTER TABLE agreements ALTER COLUMN tokens SET STORAGE EXTERNAL',
  'ALTER TABLE agreements SET (fillfactor = 70)',
  `CREATE UNIQUE INDEX agreements_open ON agreements (file_id, idx) WHERE state = 'open'`,
  `CREATE UNIQUE INDEX agreements_sealed ON agreements (file_id, idx) WHERE state = 'sealed'`,
  'CREATE INDEX agreements_by_file ON agreements (file_id)',
  `CREATE INDEX agreements_by_device ON agreements (device, agreement_id) WHERE state IN ('open', 'sealed')`,
  `CREATE INDEX agreements_due ON agreements (device, next_audit_at) WHERE state = 'sealed' AND audit_id IS NULL`,
  'CREATE INDEX agreements_asked ON agreements (answer_by) WHERE audit_id IS NOT NULL',
  `CREATE INDEX agreements_unsealed ON agreements (created_at) WHERE state = 'open'`,
  'CREATE INDEX agreements_moving ON agreements (file_id) WHERE moving',

  // What each payment was for, so that it can be counted anew without a look at the ledger: time that an audit vouched for, or what had
  // been held back of such payments.
  `CREATE TABLE storage_payments (
     agreement_id TEXT NOT NULL,
     nth INT NOT NULL,
     payment_id TEXT NOT NULL UNIQUE,
     kind TEXT NOT NULL CHECK (kind IN ('audit', 'release')),
     from_at BIGINT,
     to_at BIGINT,
     token INT,
     answer TEXT,
     amount NUMERIC(78,0) NOT NULL,
     fee NUMERIC(78,0) NOT NULL,
     dust NUMERIC(78,0) NOT NULL,
     matures_at BIGINT NOT NULL,
     at BIGINT NOT NULL,
     PRIMARY KEY (agreement_id, nth)
   )`,
  `CREATE TRIGGER storage_payments_append_only BEFORE UPDATE OR DELETE ON storage_payments
     FOR EACH ROW EXECUTE FUNCTION refuse_change()`,
  `CREATE TRIGGER storage_payments_kept BEFORE TRUNCATE ON storage_payments
     FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()`,
];
