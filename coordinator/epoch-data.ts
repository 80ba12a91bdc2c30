import { z } from 'zod';
import { Failure, fail } from '../core/errors.ts';
import { toHex } from '../core/keccak.ts';
import { leafHash, type MerkleTree } from '../core/merkle.ts';
import { hex32 } from '../core/primitives.ts';
import { EPOCHS_A_PAGE, type EpochSummary, LEAVES_A_PAGE, type LeafView } from '../core/status.ts';
import { amountColumn, type Db, integerColumn, one, type Sql } from './db.ts';
import { findEpoch, treeOf } from './epochs.ts';
import type { Clock } from './options.ts';
import { RateLimit } from './rate-limit.ts';

const summaryRow = z.object({
  epoch: integerColumn,
  root: hex32,
  total: amountColumn,
  owners: integerColumn,
  closed_at: integerColumn,
  tx_hash: hex32.nullable(),
});
const ownersRow = z.object({ owners: integerColumn });

/** Trees that are kept, and of how many leaves at most: a larger one takes seconds in which nobody is answered. */
const TREES = 4;
const MOST_LEAVES = 100_000;

/** Epochs before one of them, the newest first. */
export async function epochsBefore(
  sql: Sql,
  before: number | null,
  most = EPOCHS_A_PAGE,
): Promise<readonly EpochSummary[]> {
  const rows = await sql.query(
    summaryRow,
    `SELECT epoch, root, total::text, owners, closed_at, tx_hash FROM epochs WHERE epoch < $1
     ORDER BY epoch DESC LIMIT $2`,
    [before ?? Number.MAX_SAFE_INTEGER, most],
  );
  return rows.map(({ closed_at: closedAt, tx_hash: txHash, ...row }) => ({ ...row, closedAt, txHash }));
}

/** Data sets of published epochs, leaf by leaf with their proofs. Trees are kept, and built no more often than that hurts nobody. */
export class EpochData {
  readonly #db: Db;
  readonly #clock: Clock;
  readonly #building = new RateLimit(TREES, 0.5);
  readonly #trees = new Map<number, Promise<MerkleTree>>();

  constructor(db: Db, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Throws NOT_FOUND for one that is not on chain, REFUSED for one that is too large to be answered leaf by leaf, TOO_MANY. */
  async tree(epoch: number): Promise<MerkleTree> {
    const known = this.#trees.get(epoch);
    if (known !== undefined) return await known;
    const row = await one(this.#db, ownersRow, 'SELECT owners FROM epochs WHERE epoch = $1 AND tx_hash IS NOT NULL', [
      epoch,
    ]);
    if (row === null) return fail('NOT_FOUND', `epoch ${epoch} has not been published`);
    if (row.owners > MOST_LEAVES) {
      fail(
        'REFUSED',
        `epoch ${epoch} has ${row.owners} leaves; build its tree from the data set at /v1/epochs/${epoch}`,
      );
    }
    const { allowed, retryAfter } = this.#building.take('', this.#clock.now());
    if (!allowed) throw new Failure('TOO_MANY', 'too many epochs at once; try again in a moment', { retryAfter });
    const building = this.#build(epoch);
    this.#trees.set(epoch, building);
    building.catch(() => this.#trees.delete(epoch));
    for (const oldest of [...this.#trees.keys()].slice(0, -TREES)) this.#trees.delete(oldest);
    return await building;
  }

  async #build(epoch: number): Promise<MerkleTree> {
    const row = await findEpoch(this.#db, epoch);
    if (row === null) return fail('NOT_FOUND', `epoch ${epoch} has not been published`);
    return await treeOf(row);
  }
}

export const leavesFrom = (tree: MerkleTree, from: number, most = LEAVES_A_PAGE): readonly LeafView[] =>
  tree.entitlements.slice(from, from + most).map(({ owner, cumulative }) => ({
    ...{ owner, cumulative, leaf: toHex(leafHash({ owner, cumulative })) },
    proof: [...(tree.proofOf(owner) ?? fail('INTERNAL', 'a leaf without a proof'))],
  }));

/** RFC 4180; the hashes of a proof are apart by blanks. */
export function* csvOf(tree: MerkleTree): Generator<string> {
  yield 'owner,cumulative,leaf,proof\r\n';
  for (let from = 0; from < tree.entitlements.length; from += LEAVES_A_PAGE) {
    yield leavesFrom(tree, from)
      .map(({ owner, cumulative, leaf, proof }) => `${owner},${cumulative},${leaf},${proof.join(' ')}\r\n`)
      .join('');
  }
}
