import { fail } from '../../core/errors.ts';
import type { Hex32, UnixMs } from '../../core/primitives.ts';
import { leadsTo } from '../../core/row-tree.ts';
import { inTurns, throughAll } from '../../core/steps.ts';
import { draw, type Secret } from './draw.ts';
import { productSteps } from './product.ts';

/**
 * Proof of a GPU's throughput. The coordinator chooses a seed; the device computes the products of workloads/modmatrix and commits to all
 * their rows within the deadline; only then are the rows chosen that it must open, and each of them is computed here again.
 */
export type Challenge = {
  /** Random, new for each challenge: nothing can be computed before it is known. */
  readonly seed: Hex32;
  readonly size: number;
  readonly rounds: number;
  readonly issuedAt: UnixMs;
  readonly deadline: UnixMs;
};

/** Merkle root over the SHA-256 of every row of every product, and when it came, by the coordinator's clock. */
export type Commitment = { readonly root: Hex32; readonly receivedAt: UnixMs };

/** `row` counts through all products: row 0 of the second one is number `size`. */
export type Opening = { readonly row: number; readonly digest: Hex32; readonly path: readonly Hex32[] };

export type ProofVerdict =
  | { readonly kind: 'proven'; readonly multiplicationsPerSecond: number }
  | { readonly kind: 'refuted'; readonly why: 'late' | 'other-rows' | 'not-committed' | 'wrong-row' };

const rowsOf = ({ size, rounds }: Challenge): number => size * rounds;

/**
 * So many random rows find `share` of wrong ones with at least `confidence`. A prover that leaves out less than that share gains less
 * than that share.
 */
export function openingsFor(share: number, confidence: number): number {
  if (!(share > 0 && share < 1 && confidence > 0 && confidence < 1)) {
    fail('BAD_INPUT', 'share and confidence lie between 0 and 1');
  }
  return Math.ceil(Math.log(1 - confidence) / Math.log(1 - share));
}

/**
 * The rows to open, different ones, in rising order. They follow from the commitment and a secret: another commitment means other rows, and
 * nobody without the secret can look for one that suits.
 */
export function rowsToOpen(
  secret: Secret,
  challenge: Challenge,
  commitment: Commitment,
  count: number,
): readonly number[] {
  const total = rowsOf(challenge);
  const chosen = new Set<number>();
  const wanted = Math.min(count, total);
  for (let attempt = 0; chosen.size < wanted; attempt++) {
    chosen.add(Math.floor(draw(secret, 'rows', challenge.seed, commitment.root, attempt) * total));
  }
  return [...chosen].sort((a, b) => a - b);
}

/**
 * Judges what the device opened. The cheap checks come first: work is done here only for rows that were committed to. It yields often, so that who
 * has other things to do than some seconds of arithmetic can do them in between.
 */
export function* proofSteps(
  challenge: Challenge,
  commitment: Commitment,
  asked: readonly number[],
  openings: readonly Opening[],
): Generator<void, ProofVerdict> {
  const { seed, size, rounds, issuedAt, deadline } = challenge;
  if (commitment.receivedAt > deadline) return { kind: 'refuted', why: 'late' };
  const byRow = new Map(openings.map((opening) => [opening.row, opening]));
  if (openings.length !== asked.length || !asked.every((row) => byRow.has(row))) {
    return { kind: 'refuted', why: 'other-rows' };
  }
  const count = rowsOf(challenge);
  const isCommitted = ({ row, digest, path }: Opening) =>
    leadsTo(commitment.root, count, row, Buffer.from(digest.slice(2), 'hex'), path);
  if (!openings.every(isCommitted)) return { kind: 'refuted', why: 'not-committed' };

  const input = Buffer.from(seed.slice(2), 'hex');
  for (let round = 0; round < rounds; round++) {
    const rows = asked.filter((row) => Math.floor(row / size) === round);
    if (rows.length === 0) continue;
    const inRound = rows.map((row) => row % size);
    const right = yield* productSteps(input, size, round, inRound);
    const isRight = rows.every((row, at) => byRow.get(row)?.digest === `0x${right[at]?.toString('hex')}`);
    if (!isRight) return { kind: 'refuted', why: 'wrong-row' };
  }
  const seconds = Math.max(1, commitment.receivedAt - issuedAt) / 1000;
  return { kind: 'proven', multiplicationsPerSecond: (rounds * size ** 3) / seconds };
}

/** The same at one go. */
export function judgeProof(...proof: Parameters<typeof proofSteps>): ProofVerdict {
  return throughAll(proofSteps(...proof));
}

/** So long nothing else is done, ms. */
const AT_A_TIME_MS = 8;

/** The same in between other things. */
export async function judgeInTurns(...proof: Parameters<typeof proofSteps>): Promise<ProofVerdict> {
  let since = performance.now();
  return await inTurns(proofSteps(...proof), () => {
    if (performance.now() - since < AT_A_TIME_MS) return null;
    return new Promise((resolve) =>
      setImmediate(() => {
        since = performance.now();
        resolve();
      }),
    );
  });
}
