import { z } from 'zod';
import { Failure, fail } from '../core/errors.ts';
import type { MerkleTree } from '../core/merkle.ts';
import { hex32 } from '../core/primitives.ts';
import { EPOCHS_A_PAGE, type EpochSummary, LEAVES_A_PAGE, type LeafView } from '../core/status.ts';
import type { Epoch } from '../core/wire.ts';
import { encodeWire } from '../core/wire.ts';
import { amountColumn, type Db, integerColumn, one, type Sql } from './db.ts';
import { epochView, findEpoch, findPublished, treeOf } from './epochs.ts';
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

/** Sets of more owners than this are read no more often than trees are built. */
const SMALL = 1_000;

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

function requireTurn(limit: RateLimit, clock: Clock): void {
  const { allowed, retryAfter } = limit.take('', clock.now());
  if (!allowed) throw new Failure('TOO_MANY', 'too many epochs at once; try again in a moment', { retryAfter });
}

type EpochSet = { readonly view: Epoch; readonly text: string };

/** Whole data sets of published epochs, as they are answered: whoever asks again has them read and written no second time. */
export class EpochSets {
  readonly #db: Db;
  readonly #clock: Clock;
  readonly #small: number;
  readonly #reading = new RateLimit(TREES, 0.5);
  readonly #sets = new Map<string, Promise<EpochSet>>();

  constructor(db: Db, clock: Clock, small = SMALL) {
    this.#db = db;
    this.#clock = clock;
    this.#small = small;
  }

  /** Null: the newest. Throws NOT_FOUND for one that is not on chain, TOO_MANY. */
  async get(epoch: number | null): Promise<EpochSet> {
    const row = await findPublished(this.#db, epoch);
    if (row === null) {
      return fail('NOT_FOUND', epoch === null ? 'no epoch has been published yet' : notPublished(epoch));
    }
    // A root that its chain lost and that was published again is another one.
    const key = `${row.epoch} ${row.tx_hash}`;
    const known = this.#sets.get(key);
    if (known !== undefined) return await known;
    if (row.owners > this.#small) requireTurn(this.#reading, this.#clock);
    const reading = this.#read(row.epoch);
    this.#sets.set(key, reading);
    reading.catch(() => this.#sets.delete(key));
    for (const oldest of [...this.#sets.keys()].slice(0, -TREES)) this.#sets.delete(oldest);
    return await reading;
  }

  async #read(epoch: number): Promise<EpochSet> {
    const view = epochView((await findEpoch(this.#db, epoch)) ?? fail('NOT_FOUND', notPublished(epoch)));
    return { view, text: encodeWire(view) };
  }
}

const notPublished = (epoch: number): string => `epoch ${epoch} has not been published`;

/** Data sets of published epochs, leaf by leaf with their proofs. Trees are kept, and built no more often than that hurts nobody. */
export class EpochData {
  readonly #db: Db;
  readonly #clock: Clock;
  readonly #small: number;
  readonly #building = new RateLimit(TREES, 0.5);
  readonly #writing = new RateLimit(TREES, 0.1);
  readonly #trees = new Map<number, Promise<MerkleTree>>();

  constructor(db: Db, clock: Clock, small = SMALL) {
    this.#db = db;
    this.#clock = clock;
    this.#small = small;
  }

  /** Throws NOT_FOUND for one that is not on chain, REFUSED for one that is too large to be answered leaf by leaf, TOO_MANY. */
  async tree(epoch: number): Promise<MerkleTree> {
    const known = this.#trees.get(epoch);
    if (known !== undefined) return await known;
    const row = await one(this.#db, ownersRow, 'SELECT owners FROM epochs WHERE epoch = $1 AND tx_hash IS NOT NULL', [
      epoch,
    ]);
    if (row === null) return fail('NOT_FOUND', notPublished(epoch));
    if (row.owners > MOST_LEAVES) {
      fail(
        'REFUSED',
        `epoch ${epoch} has ${row.owners} leaves; build its tree from the data set at /v1/epochs/${epoch}`,
      );
    }
    requireTurn(this.#building, this.#clock);
    const building = this.#build(epoch);
    this.#trees.set(epoch, building);
    building.catch(() => this.#trees.delete(epoch));
    for (const oldest of [...this.#trees.keys()].slice(0, -TREES)) this.#trees.delete(oldest);
    return await building;
  }

  /** The same, for all of its leaves at once: a large one takes seconds to write. */
  async wholeTree(epoch: number): Promise<MerkleTree> {
    const tree = await this.tree(epoch);
    if (tree.entitlements.length > this.#small) requireTurn(this.#writing, this.#clock);
    return tree;
  }

  async #build(epoch: number): Promise<MerkleTree> {
    const row = await findEpoch(this.#db, epoch);
    if (row === null) return fail('NOT_FOUND', notPublished(epoch));
    return await treeOf(row);
  }
}

export const leavesFrom = (tree: MerkleTree, from: number, most = LEAVES_A_PAGE): readonly LeafView[] =>
  tree.entitlements.slice(from, from + most).map(({ owner, cumulative }) => ({
    ...{ owner, cumulative, leaf: tree.leafOf(owner) ?? fail('INTERNAL', 'an owner without a leaf') },
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
