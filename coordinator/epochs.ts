import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { type Entitlement, type MerkleTree, merkleTree } from '../core/merkle.ts';
import { type Amount, encodeAmount, sum } from '../core/money.ts';
import { type Address, address, amount, type Hex32, hex32, type UnixMs } from '../core/primitives.ts';
import { type Epoch, itemOutcome } from '../core/wire.ts';
import type { Chain } from './chain.ts';
import { amountColumn, type Db, integerColumn, one, type Sql } from './db.ts';
import { account, booksBalance, booksOf, creditedByLedger, type Entry, post } from './ledger.ts';
import type { Clock, Log } from './options.ts';

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

/** The newest epoch whose root is on chain. */
export const latestPublished = (sql: Sql): Promise<EpochRow | null> =>
  one(sql, epochRow, 'SELECT * FROM epochs WHERE tx_hash IS NOT NULL ORDER BY epoch DESC LIMIT 1');

const latestClosed = (sql: Sql): Promise<EpochRow | null> =>
  one(sql, epochRow, 'SELECT * FROM epochs ORDER BY epoch DESC LIMIT 1');

const unpublished = (sql: Sql): Promise<readonly EpochRow[]> =>
  sql.query(epochRow, 'SELECT * FROM epochs WHERE tx_hash IS NULL ORDER BY epoch');

/** A tree per published root, rebuilt from its data set and checked against it. */
export function treeOf(row: EpochRow): MerkleTree {
  const tree = merkleTree(row.entitlements);
  if (tree.root !== row.root) fail('INTERNAL', `the data set of epoch ${row.epoch} does not lead to its root`);
  return tree;
}

const outcomeRow = z.object({
  owner: address,
  outcomes: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(z.array(itemOutcome)),
});

/** Calculator two of two: per owner, what the receipts that were signed say, summed here. */
async function creditedByReceipts(sql: Sql): Promise<ReadonlyMap<Address, Amount>> {
  const totals = new Map<Address, Amount>();
  for (const { owner, outcomes } of await sql.query(outcomeRow, 'SELECT owner, outcomes FROM receipts')) {
    const credited = sum(outcomes.map((outcome) => (outcome.kind === 'credited' ? outcome.amount : 0n)));
    if (credited > 0n) totals.set(owner, (totals.get(owner) ?? 0n) + credited);
  }
  return totals;
}

/** First owner for whom the two differ; null when they agree to the unit. */
export function firstDifference(a: ReadonlyMap<Address, Amount>, b: ReadonlyMap<Address, Amount>): Address | null {
  for (const owner of new Set([...a.keys(), ...b.keys()])) {
    if ((a.get(owner) ?? 0n) !== (b.get(owner) ?? 0n)) return owner;
  }
  return null;
}

/**
 * Closes an epoch in the books when something new was credited: two independent calculators must agree to the unit and the
 * books must balance, or it throws INTERNAL and nothing is signed. Answers whether one was closed.
 */
export async function closeEpoch(db: Db, now: UnixMs): Promise<boolean> {
  return await db.tx(
    async (sql) => {
      const last = await latestClosed(sql);
      const owed = await creditedByLedger(sql);
      const total = sum(owed.values());
      if (total === (last?.total ?? 0n)) return false;
      const differing = firstDifference(owed, await creditedByReceipts(sql));
      if (differing !== null) fail('INTERNAL', `ledger and receipts disagree about ${differing}`, { owner: differing });
      if (!(await booksBalance(sql))) fail('INTERNAL', 'the books do not balance');
      const leaves: Entitlement[] = [...owed].map(([owner, cumulative]) => ({ owner, cumulative }));
      const tree = merkleTree(leaves);
      const text = JSON.stringify(
        tree.entitlements.map((leaf) => ({ owner: leaf.owner, cumulative: encodeAmount(leaf.cumulative) })),
      );
      await sql.exec('INSERT INTO epochs (epoch, root, total, closed_at, entitlements) VALUES ($1, $2, $3, $4, $5)', [
        ...[(last?.epoch ?? 0) + 1, tree.root, total.toString(), now, text],
      ]);
      return true;
      // The calculators must see the same books: a report that comes between them is no disagreement.
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
  chain: Chain,
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
      const entries: Entry[] = [];
      for (const { owner, cumulative } of row.entitlements) {
        const fresh = cumulative - (await booksOf(sql, owner)).published;
        entries.push({ account: account.credited(owner), amount: -fresh });
        entries.push({ account: account.published(owner), amount: fresh });
      }
      await post(sql, { kind: 'epoch', key: `epoch:${row.epoch}`, at: clock.now(), entries });
      await sql.exec('UPDATE epochs SET tx_hash = $2 WHERE epoch = $1', [row.epoch, txHash]);
    });
    log('info', 'epoch-published', { epoch: row.epoch, root: row.root, total: row.total.toString(), txHash });
    published(row.epoch, row.root);
  }
}

/** A practice chain that lost its last second may have lost a root: it is published again, at the same index. */
async function forgetLostRoots(db: Db, chain: Chain, log: Log): Promise<void> {
  const count = await chain.rootCount();
  const lost = await db.exec('UPDATE epochs SET tx_hash = NULL WHERE tx_hash IS NOT NULL AND epoch > $1', [count]);
  if (lost > 0) log('error', 'roots-lost-by-chain', { count, lost });
}
