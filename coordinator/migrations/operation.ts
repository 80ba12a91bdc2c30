/** What those who run the network ordered, what they took out of it, and what is counted for everybody to see. */
export const OPERATION: readonly string[] = [
  `CREATE TABLE admin_actions (
     action_id TEXT PRIMARY KEY,
     admin TEXT NOT NULL,
     action TEXT NOT NULL,
     subject TEXT NOT NULL,
     why TEXT NOT NULL,
     issued_at BIGINT NOT NULL,
     signature TEXT NOT NULL,
     at BIGINT NOT NULL,
     result TEXT NOT NULL
   )`,
  'CREATE INDEX admin_actions_newest ON admin_actions (at, action_id)',
  `CREATE TRIGGER admin_actions_append_only BEFORE UPDATE OR DELETE ON admin_actions
     FOR EACH ROW EXECUTE FUNCTION refuse_change()`,
  'CREATE TRIGGER admin_actions_kept BEFORE TRUNCATE ON admin_actions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
  `CREATE TABLE disabled_workloads (
     workload TEXT NOT NULL,
     version TEXT NOT NULL,
     why TEXT NOT NULL,
     at BIGINT NOT NULL,
     PRIMARY KEY (workload, version)
   )`,
  'CREATE TABLE bans (address TEXT PRIMARY KEY, why TEXT NOT NULL, at BIGINT NOT NULL)',
  'ALTER TABLE epochs ADD COLUMN owners INT',
  'UPDATE epochs SET owners = jsonb_array_length(entitlements::jsonb)',
  'ALTER TABLE epochs ALTER COLUMN owners SET NOT NULL',
  // Days since 1970 in UTC.
  'CREATE TABLE results_by_day (day INT PRIMARY KEY, accepted BIGINT NOT NULL, rejected BIGINT NOT NULL)',
];
