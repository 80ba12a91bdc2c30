import { z } from 'zod';
import { type Address, address, type Hex32, hex32, type UnixMs } from '../core/primitives.ts';
import { PROOF_FAULTS } from '../core/wire-gpu.ts';
import { integerColumn, type Sql } from './db.ts';
import type { Commitment, ProofVerdict } from './verification/throughput.ts';

/** Statements on the proofs of GPUs' throughput. */

const proofRow = z.object({
  ...{ challenge_id: hex32, device: address, workload: z.string(), version: z.string(), image: z.string() },
  /** What the device said of its GPU, so that another one is noticed. */
  setup: hex32,
  ...{ seed: hex32, size: integerColumn, rounds: integerColumn, issued_at: integerColumn, deadline: integerColumn },
  /** What the device has committed to, and when that came. */
  ...{ root: hex32.nullable(), received_at: integerColumn.nullable() },
  /** `dropped`: nothing came of it. null: it is open. */
  verdict: z.enum(['proven', 'refuted', 'dropped']).nullable(),
  why: z.enum(PROOF_FAULTS).nullable(),
  multiplications_per_second: z.number().nullable(),
  judged_at: integerColumn.nullable(),
});
export type GpuProof = z.output<typeof proofRow>;
export type NewProof = Omit<
  GpuProof,
  'root' | 'received_at' | 'verdict' | 'why' | 'multiplications_per_second' | 'judged_at'
>;

/** The device's challenge that is open, and the newest that was judged. */
export async function proofsOf(
  sql: Sql,
  device: Address,
): Promise<{ readonly open: GpuProof | null; readonly judged: GpuProof | null }> {
  const rows = await sql.query(
    proofRow,
    `SELECT * FROM gpu_proofs WHERE device = $1 AND verdict IS NULL
     UNION ALL
     (SELECT * FROM gpu_proofs WHERE device = $1 AND verdict IN ('proven', 'refuted') ORDER BY judged_at DESC LIMIT 1)`,
    [device],
  );
  return {
    open: rows.find(({ verdict }) => verdict === null) ?? null,
    judged: rows.find(({ verdict }) => verdict !== null) ?? null,
  };
}

/** Opens a challenge in place of one that may be open. */
export async function openProof(sql: Sql, proof: NewProof): Promise<void> {
  await sql.exec(`UPDATE gpu_proofs SET verdict = 'dropped', judged_at = $2 WHERE device = $1 AND verdict IS NULL`, [
    proof.device,
    proof.issued_at,
  ]);
  await sql.exec(
    `INSERT INTO gpu_proofs (challenge_id, device, workload, version, image, setup, seed, size, rounds, issued_at, deadline)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    [
      ...[proof.challenge_id, proof.device, proof.workload, proof.version, proof.image, proof.setup],
      ...[proof.seed, proof.size, proof.rounds, proof.issued_at, proof.deadline],
    ],
  );
}

/** The first commitment stands. False: there is one, or the challenge is over. */
export const commitProof = async (sql: Sql, challengeId: Hex32, { root, receivedAt }: Commitment): Promise<boolean> =>
  (await sql.exec(
    `UPDATE gpu_proofs SET root = $2, received_at = $3 WHERE challenge_id = $1 AND root IS NULL AND verdict IS NULL`,
    [challengeId, root, receivedAt],
  )) > 0;

/** Ends a challenge; the first end stands. False: it had ended. */
export async function endProof(
  sql: Sql,
  challengeId: Hex32,
  end: ProofVerdict | { readonly kind: 'dropped' },
  at: UnixMs,
): Promise<boolean> {
  const touched = await sql.exec(
    `UPDATE gpu_proofs SET verdict = $2, why = $3, multiplications_per_second = $4, judged_at = $5
     WHERE challenge_id = $1 AND verdict IS NULL`,
    [
      ...[challengeId, end.kind, end.kind === 'refuted' ? end.why : null],
      ...[end.kind === 'proven' ? end.multiplicationsPerSecond : null, at],
    ],
  );
  return touched > 0;
}
