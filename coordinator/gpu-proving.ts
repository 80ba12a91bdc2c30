import { type CatalogueEntry, workIn } from '../core/catalogue.ts';
import type { Context } from './context.ts';
import type { GpuProof } from './gpu-proofs.ts';
import { keptSecret } from './meta.ts';
import {
  type Challenge,
  type Commitment,
  judgeInTurns,
  type Opening,
  openingsFor,
  type ProofVerdict,
  rowsToOpen,
} from './verification/throughput.ts';

/** So many random rows find five percent of missing ones with 99 %. */
const OPENINGS = openingsFor(0.05, 0.99);

const challengeOf = ({ seed, size, rounds, issued_at: issuedAt, deadline }: GpuProof): Challenge => ({
  ...{ seed, size, rounds, issuedAt, deadline },
});

/** What all sessions share of the proofs: the secret behind the rows, and one judge, for judging is seconds of arithmetic. */
export class GpuProving {
  /** The workload that proofs are made with; null: the catalogue has none. */
  readonly prover: CatalogueEntry | null;
  readonly #context: Pick<Context, 'db' | 'options'>;
  #secret: Promise<string> | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(context: Pick<Context, 'db' | 'options'>) {
    this.#context = context;
    this.prover = workIn(context.options.catalogue).find(({ gpu }) => gpu?.proves === true) ?? null;
  }

  async rowsOf(proof: GpuProof, commitment: Commitment): Promise<readonly number[]> {
    // One that could not be read is asked for again.
    this.#secret ??= keptSecret(this.#context.db, 'row-secret').catch((error: unknown) => {
      this.#secret = null;
      throw error;
    });
    return rowsToOpen(await this.#secret, challengeOf(proof), commitment, OPENINGS);
  }

  async judge(proof: GpuProof, commitment: Commitment, openings: readonly Opening[]): Promise<ProofVerdict> {
    const asked = await this.rowsOf(proof, commitment);
    const mine = this.#turn.then(() => judgeInTurns(challengeOf(proof), commitment, asked, openings));
    this.#turn = mine.catch(() => undefined);
    return await mine;
  }
}
