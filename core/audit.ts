import { concat } from './keccak.ts';

/**
 * Audits of stored data (docs/decisions/0030). Whoever owns the data makes tokens while they have it: a seed, and the hash of the
 * right answer. Later anybody can ask with a seed and check the answer, without the data:
 *
 *   seed ──► positions: 512 blocks of 1 KiB ──► answer = SHA-256(seed ‖ those blocks) ──► SHA-256(answer) = commitment?
 *
 * After Ateniese, Di Pietro, Mancini and Tsudik, "Scalable and Efficient Provable Data Possession" (2008). Of data of which a
 * hundredth is lost, 512 blocks miss the loss with a probability of less than 0.99^512 = 0.6 %.
 */
export const AUDIT = { blocks: 512, blockBytes: 1024, seedBytes: 32, answerBytes: 32 } as const;

/** How many audits a place can be asked for before its tokens run out. */
export const TOKENS_A_PLACE = 400;

export type Sha256 = (data: Uint8Array) => Uint8Array;
export type AuditRule = { readonly blocks: number; readonly blockBytes: number };

/**
 * Indices of the blocks that an audit reads, ascending. The i-th candidate is the first 8 bytes, big-endian, of
 * SHA-256(seed ‖ uint32be(i)) modulo the number of blocks; one that was drawn before is skipped. All blocks, if there are no more.
 * @param totalBytes of all shards of the place, one behind the other; the last block may be short
 */
export function auditPositions(
  seed: Uint8Array,
  totalBytes: number,
  sha256: Sha256,
  rule: AuditRule = AUDIT,
): Uint32Array {
  const count = Math.ceil(totalBytes / rule.blockBytes);
  if (count <= rule.blocks) return Uint32Array.from({ length: count }, (_, index) => index);
  const question = new Uint8Array(seed.length + 4);
  question.set(seed);
  const counter = new DataView(question.buffer, seed.length);
  const [all, drawn] = [BigInt(count), new Set<number>()];
  for (let turn = 0; drawn.size < rule.blocks; turn++) {
    counter.setUint32(0, turn);
    const digest = sha256(question);
    const leading = new DataView(digest.buffer, digest.byteOffset, 8).getBigUint64(0);
    drawn.add(Number(leading % all));
  }
  return Uint32Array.from(drawn).sort();
}

/** The answer of whoever has all of the data at hand. 32 bytes. */
export function auditAnswer(seed: Uint8Array, data: Uint8Array, sha256: Sha256, rule: AuditRule = AUDIT): Uint8Array {
  const blocks = Array.from(auditPositions(seed, data.length, sha256, rule), (index) =>
    data.subarray(index * rule.blockBytes, (index + 1) * rule.blockBytes),
  );
  return sha256(concat(seed, ...blocks));
}

/** Whether an answer is the one that a commitment was made of. Anything else than 32 bytes is not. */
export function answersCommitment(answer: Uint8Array, commitment: Uint8Array, sha256: Sha256): boolean {
  if (answer.length !== AUDIT.answerBytes) return false;
  const digest = sha256(answer);
  return digest.length === commitment.length && digest.every((byte, at) => byte === commitment[at]);
}
