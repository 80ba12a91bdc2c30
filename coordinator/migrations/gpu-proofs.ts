/** Challenges to prove a GPU's throughput, and what came of them. A device has one at a time. */
export const GPU_PROOFS: readonly string[] = [
  `CREATE TABLE gpu_proofs (
     challenge_id TEXT PRIMARY KEY,
     device TEXT NOT NULL,
     workload TEXT NOT NULL,
     version TEXT NOT NULL,
     image TEXT NOT NULL,
     setup TEXT NOT NULL,
     seed TEXT NOT NULL,
     size INT NOT NULL,
     rounds INT NOT NULL,
     issued_at BIGINT NOT NULL,
     deadline BIGINT NOT NULL,
     root TEXT,
     received_at BIGINT,
     verdict TEXT CHECK (verdict IN ('proven', 'refuted', 'dropped')),
     why TEXT,
     multiplications_per_second DOUBLE PRECISION,
     judged_at BIGINT
   )`,
  'CREATE UNIQUE INDEX gpu_proofs_open ON gpu_proofs (device) WHERE verdict IS NULL',
  `CREATE INDEX gpu_proofs_judged ON gpu_proofs (device, judged_at) WHERE verdict IN ('proven', 'refuted')`,
];
