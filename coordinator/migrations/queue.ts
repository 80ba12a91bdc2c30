/**
 * What changes with every task lies in rows and columns that no index covers, so that PostgreSQL writes it in place
 * (heap-only tuples): open jobs have a narrow row of their own, which is claimed and in the end deleted, and who may read what is
 * written down instead of looked for.
 */
export const QUEUE: readonly string[] = [
  `CREATE TABLE queue (
     job_id TEXT PRIMARY KEY,
     consumer TEXT NOT NULL,
     kind TEXT NOT NULL,
     priority INT NOT NULL,
     created_at BIGINT NOT NULL,
     claim_until BIGINT NOT NULL DEFAULT 0,
     claimed_by INT NOT NULL DEFAULT 0
   ) WITH (fillfactor = 60)`,
  `INSERT INTO queue SELECT job_id, consumer, workload || ' ' || image || ' ' || lane, priority, created_at, claim_until
     FROM jobs WHERE state NOT IN ('done', 'failed')`,
  'CREATE INDEX queue_in_order ON queue (consumer, kind, priority DESC, created_at, job_id)',
  'CREATE INDEX queue_by_age ON queue (created_at)',
  'DROP INDEX jobs_open',
  'DROP INDEX jobs_queue',
  'ALTER TABLE jobs DROP COLUMN claim_until',
  'ALTER TABLE jobs SET (fillfactor = 55)',

  'CREATE SEQUENCE replica_numbers AS INT CYCLE',
  'CREATE TABLE replicas (number INT PRIMARY KEY)',

  // What is held is found among what is not long over: `leases.ts`, OVER.
  'DROP INDEX leases_held',
  'CREATE INDEX leases_by_deadline ON leases (deadline)',
  'DROP INDEX leases_by_device',
  'CREATE INDEX leases_by_device ON leases (device, deadline)',
  'ALTER TABLE leases SET (fillfactor = 55)',

  'CREATE TABLE readers (sha256 TEXT NOT NULL, account TEXT NOT NULL, PRIMARY KEY (sha256, account))',
  `INSERT INTO readers SELECT input_hash, consumer FROM jobs
     UNION SELECT output_hash, consumer FROM jobs WHERE output_hash IS NOT NULL`,
  // A blob that a result of its device names is the network's.
  'ALTER TABLE uploads ADD COLUMN named BOOLEAN NOT NULL DEFAULT FALSE',
  `UPDATE uploads SET named = TRUE FROM leases WHERE device = account AND output_hash = sha256`,
  'DROP INDEX leases_by_output',
];
