/** Outputs that differ, and what they were found to be. */
export const COMPARISON: readonly string[] = [
  `CREATE TABLE likenesses (
     workload TEXT NOT NULL,
     version TEXT NOT NULL,
     a TEXT NOT NULL,
     b TEXT NOT NULL,
     likeness TEXT NOT NULL CHECK (likeness IN ('same', 'different', 'unclear')),
     at BIGINT NOT NULL,
     PRIMARY KEY (workload, version, a, b),
     CHECK (a < b)
   )`,
  // What has been found out is never found out otherwise.
  `CREATE TRIGGER likenesses_append_only BEFORE UPDATE OR DELETE ON likenesses
     FOR EACH ROW EXECUTE FUNCTION refuse_change()`,
  // Jobs that wait for it; also for what a replica that died had in hand.
  'CREATE TABLE undecided (job_id TEXT PRIMARY KEY, since BIGINT NOT NULL)',
];
