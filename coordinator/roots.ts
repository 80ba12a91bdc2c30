import { z } from 'zod';
import { fail, isFailure } from '../core/errors.ts';
import type { MerkleTree } from '../core/merkle.ts';
import type { Amount } from '../core/money.ts';
import { type Address, type Hex32, hex32, type UnixMs } from '../core/primitives.ts';
import type { Chain, RootState } from './chain.ts';
import { type Db, integerColumn } from './db.ts';
import { findEpoch, treeOf } from './epochs.ts';
import type { Clock } from './options.ts';

/** A published root that pays now, with its whole data set at hand. */
export type UsableRoot = {
  readonly epoch: number;
  readonly root: Hex32;
  readonly tree: MerkleTree;
  readonly cumulative: ReadonlyMap<Address, Amount>;
};

/** A root that waits is asked about no more often than this. */
const ASK_EVERY_MS = 1_000;
const LOOK_BACK = 500;

const publishedRow = z.object({ epoch: integerColumn, tx_hash: hex32 });
type Published = z.output<typeof publishedRow>;

/** Which published roots the contract pays from. Active and disabled are for ever, so each is asked for once. */
export class Roots {
  readonly #db: Db;
  readonly #chain: Pick<Chain, 'rootState'>;
  readonly #clock: Clock;
  readonly #final = new Map<string, RootState>();
  readonly #asked = new Map<string, { readonly at: UnixMs; readonly state: Promise<RootState> }>();
  #newest: (UsableRoot & { readonly key: string }) | null = null;

  constructor(db: Db, chain: Pick<Chain, 'rootState'>, clock: Clock) {
    this.#db = db;
    this.#chain = chain;
    this.#clock = clock;
  }

  /** Throws CHAIN_AWAY when that is not known and the chain does not say. */
  async pays(epoch: number, txHash: Hex32): Promise<boolean> {
    return (await this.#stateOf({ epoch, tx_hash: txHash })) === 'active';
  }

  /**
   * The newest root that pays; null when there is none. While the chain is away, the newest one known to pay; throws CHAIN_AWAY
   * when none is known.
   */
  async newest(): Promise<UsableRoot | null> {
    const rows = await this.#db.query(
      publishedRow,
      'SELECT epoch, tx_hash FROM epochs WHERE tx_hash IS NOT NULL ORDER BY epoch DESC LIMIT $1',
      [LOOK_BACK],
    );
    let away: unknown = null;
    for (const row of rows) {
      try {
        const state = away === null ? await this.#stateOf(row) : this.#final.get(keyOf(row));
        if (state === 'active') return await this.#load(row);
      } catch (error) {
        if (!isFailure(error, 'CHAIN_AWAY')) throw error;
        away = error;
      }
    }
    if (away !== null) throw away;
    return null;
  }

  async #stateOf(row: Published): Promise<RootState> {
    const key = keyOf(row);
    const known = this.#final.get(key);
    if (known !== undefined) return known;
    const now = this.#clock.now();
    const earlier = this.#asked.get(key);
    if (earlier !== undefined && now - earlier.at < ASK_EVERY_MS) return await earlier.state;
    const asked = this.#chain.rootState(row.epoch - 1);
    this.#asked.set(key, { at: now, state: asked });
    const state = await asked;
    if (state !== 'waiting') {
      this.#final.set(key, state);
      this.#asked.delete(key);
    }
    return state;
  }

  async #load(row: Published): Promise<UsableRoot> {
    const key = keyOf(row);
    if (this.#newest?.key === key) return this.#newest;
    const { epoch, root, ...data } = (await findEpoch(this.#db, row.epoch)) ?? fail('INTERNAL', 'an epoch is gone');
    const tree = await treeOf({ epoch, root, ...data });
    const cumulative = new Map(tree.entitlements.map((leaf) => [leaf.owner, leaf.cumulative]));
    this.#newest = { key, epoch, root, tree, cumulative };
    return this.#newest;
  }
}

/** A root that its chain lost and that was published again is another one. */
const keyOf = ({ epoch, tx_hash: txHash }: Published): string => `${epoch} ${txHash}`;
