/** What the rules of verification remember (decision 0026). With no policy set nothing is written here but what ends that began under one. */
export const TRUST: readonly string[] = [
  // Whether the result of a lease is compared with another's; drawn when it was handed out, and nobody's business until it has come.
  'ALTER TABLE leases ADD COLUMN replicated BOOLEAN NOT NULL DEFAULT FALSE',
  // The line on which the device was when it got the lease.
  'ALTER TABLE leases ADD COLUMN network TEXT',

  // Put into the job's hold by the network, for copies that its consumer did not order.
  'ALTER TABLE jobs ADD COLUMN checks_hold NUMERIC(78,0) NOT NULL DEFAULT 0',
  // A job of the network's own: the one whose input it has, what that one's output was, by so many copies, and whose result is doubted.
  'ALTER TABLE jobs ADD COLUMN about TEXT',
  'ALTER TABLE jobs ADD COLUMN known_output TEXT',
  'ALTER TABLE jobs ADD COLUMN known_copies INT NOT NULL DEFAULT 0',
  'ALTER TABLE jobs ADD COLUMN suspect TEXT',
  'CREATE INDEX jobs_about ON jobs (about) WHERE about IS NOT NULL',
  'CREATE INDEX jobs_suspect ON jobs (suspect) WHERE suspect IS NOT NULL',
  // They want copies that the network cannot pay for now.
  'CREATE TABLE underfunded (job_id TEXT PRIMARY KEY)',

  'CREATE TABLE trust (device TEXT NOT NULL, kind TEXT NOT NULL, valid INT NOT NULL, partners TEXT NOT NULL, PRIMARY KEY (device, kind))',
  // Of devices, owners and networks, by whole days since 1970.
  'CREATE TABLE conduct (name TEXT NOT NULL, day INT NOT NULL, checked INT NOT NULL, bad INT NOT NULL, PRIMARY KEY (name, day))',
  'ALTER TABLE devices ADD COLUMN rest_until BIGINT NOT NULL DEFAULT 0',

  // events counts what calls for a judgement, judged how many of them had one.
  `CREATE TABLE lanes (
     device TEXT NOT NULL,
     lane TEXT NOT NULL,
     latest BIGINT NOT NULL,
     earned NUMERIC(78,0) NOT NULL,
     suspicion TEXT,
     network TEXT,
     events INT NOT NULL DEFAULT 0,
     judged INT NOT NULL DEFAULT 0,
     PRIMARY KEY (device, lane)
   )`,
  'CREATE INDEX lanes_suspected ON lanes (device, lane) WHERE suspicion IS NOT NULL',
  // What the last look at maturity saw of a lane, and what of its credit is no longer at stake; written under the lock on credits.
  `CREATE TABLE lane_cuts (
     device TEXT NOT NULL,
     lane TEXT NOT NULL,
     counted BIGINT NOT NULL,
     released NUMERIC(78,0) NOT NULL DEFAULT 0,
     PRIMARY KEY (device, lane)
   )`,
  // Accepted leases whose pay is not mature, reported or not.
  `CREATE TABLE accruals (
     lease_id TEXT PRIMARY KEY,
     job_id TEXT NOT NULL,
     device TEXT NOT NULL,
     owner TEXT NOT NULL,
     network TEXT,
     lane TEXT NOT NULL,
     output_hash TEXT NOT NULL,
     amount NUMERIC(78,0) NOT NULL,
     ordinal BIGINT NOT NULL,
     accepted_at BIGINT NOT NULL,
     by_checks BOOLEAN NOT NULL,
     checked TEXT CHECK (checked IN ('right', 'wrong'))
   )`,
  'CREATE INDEX accruals_by_lane ON accruals (device, lane)',
  // Jobs whose output two parties agreed on.
  'CREATE TABLE agreed (job_id TEXT PRIMARY KEY, kind TEXT NOT NULL, at BIGINT NOT NULL)',
  'CREATE INDEX agreed_by_kind ON agreed (kind, at)',

  // Matures before matures_at once it is early_at and the lane has come to the ordinal that it needs.
  'ALTER TABLE credits ADD COLUMN lane TEXT',
  'ALTER TABLE credits ADD COLUMN early_at BIGINT',
  'ALTER TABLE credits ADD COLUMN needs BIGINT',
  'ALTER TABLE credits ADD COLUMN by_checks BOOLEAN NOT NULL DEFAULT FALSE',
  // The part of the fee that pays for checks.
  'ALTER TABLE credits ADD COLUMN checks NUMERIC(78,0) NOT NULL DEFAULT 0',
  `CREATE INDEX credits_by_need ON credits (device, lane, needs) WHERE state = 'pending' AND needs IS NOT NULL`,
  // When each of a receipt's credits matures, where that is not the same for all of them.
  'ALTER TABLE receipts ADD COLUMN terms TEXT',
];
