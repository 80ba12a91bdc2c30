import { z } from 'zod';
import { Failure, fail, isFailure } from '../core/errors.ts';
import { type Entitlement, type MerkleTree, merkleTree } from '../core/merkle.ts';
import { encodeAmount, sum } from '../core/money.ts';
import { type Address, address, amount, type Hex32, hex32, type UnixMs } from '../core/primitives.ts';
import type { Epoch } from '../core/wire.ts';
import type { Chain } from './chain.ts';
import { mature } from './credits.ts';
import { amountColumn, type Db, integerColumn, one, type Sql } from './db.ts';
import { keccakMany } from './keccak.ts';
import { bookEpoch, booksBalance, dueInAll, type Owed, owedByLedger } from './ledger.ts';
import type { Clock, Log } from './options.ts';
import { owedByReceipts } from './recount.ts';
import { noteRecount } from './recounted.ts';

const entitlements = z.array(z.strictObject({ owner: address, cumulative: amount }));
const epochRow = z.object({
  epoch: integerColumn,
  root: hex32,
  total: amountColumn,
  closed_at: integerColumn,
  tx_hash: hex32.nullable(),
  entitlements: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(entitlements),
});

const newestRow = z.object({ newest: integerColumn });
type EpochRow = z.output<typeof epochRow>;

export const epochView = (row: EpochRow): Epoch => ({
  epoch: row.epoch,
  root: row.root,
  total: row.total,
  closedAt: row.closed_at,
  txHash: row.tx_hash,
  format: 'standard-v1',
  entitlements: row.entitlements,
});

export const findEpoch = (sql: Sql, epoch: number): Promise<EpochRow | null> =>
  one(sql, epochRow, 'SELECT * FROM epochs WHERE epoch = $1', [epoch]);

const publishedRow = z.object({ epoch: integerColumn, root: hex32, tx_hash: hex32, owners: integerColumn });

/** An epoch whose root is on chain, without its data set; null: the newest one. */
export async function findPublished(sql: Sql, epoch: number | null): Promise<z.output<typeof publishedRow> | null> {
  const row = await one(
    sql,
    publishedRow,
    `SELECT epoch, root, tx_hash, owners FROM epochs WHERE tx_hash IS NOT NULL AND epoch <= $1
     ORDER BY epoch DESC LIMIT 1`,
    [epoch ?? Number.MAX_SAFE_INTEGER],
  );
  return row !== null && (epoch === null || row.epoch === epoch) ? row : null;
}

const latestClosed = (sql: Sql): Promise<EpochRow | null> =>
  one(sql, epochRow, 'SELECT * FROM epochs ORDER BY epoch DESC LIMIT 1');

const unpublished = (sql: Sql): Promise<readonly EpochRow[]> =>
  sql.query(epochRow, 'SELECT * FROM epochs WHERE tx_hash IS NULL ORDER BY epoch');

/** A tree per published root, rebuilt from its data set and checked against it. */
export async function treeOf(row: EpochRow): Promise<MerkleTree> {
  const tree = merkleTree(row.entitlements, await keccakMany());
  if (tree.root !== row.root) fail('INTERNAL', `the data set of epoch ${row.epoch} does not lead to its root`);
  return tree;
}

/** What is asked of the chain. */
type Roots = Pick<Chain, 'rootCount' | 'publication' | 'publish'>;

export type Calculator = (sql: Sql) => Promise<ReadonlyMap<Address, Owed>>;

/** First owner for whom the two differ; null when they agree to the unit. */
export function firstDifference(a: ReadonlyMap<Address, Owed>, b: ReadonlyMap<Address, Owed>): Address | null {
  for (const owner of new Set([...a.keys(), ...b.keys()])) {
    const [one, other] = [a.get(owner) ?? NOTHING, b.get(owner) ?? NOTHING];
    if (one.due !== other.due || one.credited !== other.credited) return owner;
  }
  return null;
}
const NOTHING: Owed = { due: 0n, credited: 0n };

/** Whether it was the count of the books that failed, and nothing else. */
export const isMiscount = (error: unknown): boolean => isFailure(error, 'INTERNAL') && error.info['counted'] === false;

/**
 * What all owners have coming, counted by both calculators; the caller's transaction is a snapshot. Throws INTERNAL when they do not agree
 * to the unit, or the books do not balance.
 */
export async function countBooks(
  sql: Sql,
  [ours, theirs]: readonly [Calculator, Calculator] = [owedByLedger, owedByReceipts],
): Promise<ReadonlyMap<Address, Owed>> {
  try {
    const owed = await ours(sql);
    const differing = firstDifference(owed, await theirs(sql));
    if (differing !== null) fail('INTERNAL', `ledger and receipts disagree about ${differing}`, { owner: differing });
    if (!(await booksBalance(sql))) fail('INTERNAL', 'the books do not balance');
    return owed;
  } catch (error) {
    if (!isFailure(error, 'INTERNAL')) throw error;
    throw new Failure('INTERNAL', error.message, { ...error.info, counted: false }, error);
  }
}

/**
 * Lets mature what is due, and closes an epoch in the books when there is something new: two independent calculators must agree
 * to the unit and the books must balance, or it throws INTERNAL and nothing is signed. Answers whether one was closed.
 */
export async function closeEpoch(
  db: Db,
  now: UnixMs,
  calculators?: readonly [Calculator, Calculator],
): Promise<boolean> {
  await db.tx((sql) => mature(sql, now));
  // Both must see the same state of the books: a report that comes between them is no disagreement.
  return await db.tx(
    async (sql) => {
      const last = await latestClosed(sql);
      if ((await dueInAll(sql)) === (last?.total ?? 0n)) return false;
      const owed = await countBooks(sql, calculators);
      await noteRecount(sql, now, owed.size);
      const leaves: Entitlement[] = [...owed].flatMap(([owner, { due }]) =>
        due > 0n ? [{ owner, cumulative: due }] : [],
      );
      const total = sum(leaves.map(({ cumulative }) => cumulative));
      if (total < (last?.total ?? 0n)) fail('INTERNAL', 'the books owe less than a root has promised');
      const tree = merkleTree(leaves, await keccakMany());
      const text = JSON.stringify(
        tree.entitlements.map((leaf) => ({ owner: leaf.owner, cumulative: encodeAmount(leaf.cumulative) })),
      );
      const written = await sql.exec(
        `INSERT INTO epochs (epoch, root, total, closed_at, entitlements, owners) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT DO NOTHING`,
        [(last?.epoch ?? 0) + 1, tree.root, total.toString(), now, text, leaves.length],
      );
      return written > 0;
    },
    { snapshot: true },
  );
}

/**
 * Publishes closed epochs in order; the root of epoch n is number n-1 on chain. A crash after the transaction and before the
 * database is healed by looking at the chain first, so no epoch is published twice. Throws CHAIN_AWAY, or CONFLICT when the
 * chain holds a root that these books do not know.
 */
export async function publishEpochs(
  db: Db,
  chain: Roots,
  clock: Clock,
  log: Log,
  published: (epoch: number, root: Hex32) => void,
): Promise<void> {
  await forgetLostRoots(db, chain, log);
  for (const row of await unpublished(db)) {
    const there = await chain.publication(row.epoch - 1);
    if (there !== null && there.root !== row.root) {
      fail('CONFLICT', `root ${row.epoch - 1} on chain is not that of epoch ${row.epoch}`, { epoch: row.epoch });
    }
    if (there === null) {
      const count = await chain.rootCount();
      if (count !== row.epoch - 1) {
        fail('CONFLICT', `the chain has ${count} roots, so epoch ${row.epoch} cannot be next`, { epoch: row.epoch });
      }
    }
    const txHash = there?.txHash ?? (await chain.publish(row.root, row.total, row.epoch - 1));
    await db.tx(async (sql) => {
      await bookEpoch(sql, row.epoch, row.entitlements, clock.now());
      await sql.exec('UPDATE epochs SET tx_hash = $2 WHERE epoch = $1', [row.epoch, txHash]);
    });
    log('info', 'epoch-published', { epoch: row.epoch, root: row.root, total: row.total.toString(), txHash });
    published(row.epoch, row.root);
  }
}

/**
 * A practice chain that lost its last second may have lost a root: it is published again, at the same index. Throws CONFLICT when it is
 * the books that lost some.
 */
async function forgetLostRoots(db: Db, chain: Roots, log: Log): Promise<void> {
  const count = await chain.rootCount();
  const newest = (await one(db, newestRow, 'SELECT COALESCE(MAX(epoch), 0) AS newest FROM epochs'))?.newest ?? 0;
  // What was published since is owed, and nobody here knows it: the next root would take it back.
  if (count > newest) {
    fail('CONFLICT', `the chain has ${count} roots and these books know ${newest}: they are older than the chain`, {
      epoch: newest,
    });
  }
  const lost = await db.exec('UPDATE epochs SET tx_hash = NULL WHERE tx_hash IS NOT NULL AND epoch > $1', [count]);
  if (lost > 0) log('error', 'roots-lost-by-chain', { count, lost });
}
