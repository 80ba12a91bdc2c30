import { z } from 'zod';
import { type Hex32, hex32 } from '../core/primitives.ts';
import type { Chain, Deposit } from './chain.ts';
import { type Db, integerColumn, type Sql } from './db.ts';
import { groupBy } from './group-by.ts';
import { account, balanceOf, move, post } from './ledger.ts';
import { readMeta, writeMeta } from './meta.ts';
import type { Clock, Log } from './options.ts';

/** What is asked of the chain. */
export type Events = Pick<Chain, 'head' | 'blockHash' | 'startBlock' | 'deposits' | 'claims'>;

const KEY = 'chain-seen-to';
/** Most blocks looked through in one request. */
const SPAN = 5_000;

/** Up to which block the chain was read, and that block's hash when it was known. */
type Seen = { readonly block: number; readonly hash: string | null };

async function readSeen(sql: Sql, startBlock: number): Promise<Seen> {
  const [block, hash = null] = (await readMeta(sql, KEY))?.split(' ') ?? [];
  return block === undefined ? { block: startBlock - 1, hash: null } : { block: Number(block), hash };
}

/**
 * Books every deposit and claim on chain that is not booked yet, of blocks that are confirmed. What was seen is stored with the
 * booking, so a crash loses none, and none is booked twice wherever a reorganisation moves it: a deposit is named by its transaction
 * and its place in it, a claim adds what its owner was not yet paid. When the block that was seen last is not on the chain any more,
 * all is looked through anew. A deposit that the chain loses for good stays in the books: to wait for confirmations is what keeps
 * that from happening. Throws CHAIN_AWAY.
 */
export async function followChain(db: Db, chain: Events, clock: Clock, log: Log): Promise<void> {
  const head = await chain.head();
  const { block, hash } = await readSeen(db, chain.startBlock);
  let seen = block;
  if (seen > head || (hash !== null && (await chain.blockHash(seen)) !== hash)) {
    log('error', 'chain-went-back', { seen, head });
    seen = chain.startBlock - 1;
  }
  while (seen < head) {
    const upTo = Math.min(head, seen + SPAN);
    // Read before the events: should the block be replaced in between, the next look notices.
    const at = await chain.blockHash(upTo);
    const [deposits, claims] = [await chain.deposits(seen + 1, upTo), await chain.claims(seen + 1, upTo)];
    let done = upTo;
    await db.tx(async (sql) => {
      // To be alone is no fence: two that look what was paid, and ask nodes that differ, would both add to it.
      await sql.exec("SELECT pg_advisory_xact_lock(hashtextextended('chain-events', 0))");
      await bookDeposits(sql, deposits, clock, log);
      for (const claim of claims) {
        if (!(await bookClaim(sql, claim, clock, log))) done = Math.min(done, claim.block - 1);
      }
      await writeMeta(sql, KEY, done === upTo && at !== null ? `${done} ${at}` : String(done));
    });
    // The books do not know its root yet: what came after it is looked at again, which changes nothing.
    if (done < upTo) return;
    seen = upTo;
  }
}

async function bookDeposits(sql: Sql, deposits: readonly Deposit[], clock: Clock, log: Log): Promise<void> {
  const byTransaction = groupBy(deposits, ({ txHash }) => txHash);
  const old = await bookedByLog(sql, [...byTransaction.keys()]);
  for (const [txHash, all] of byTransaction) {
    const logs = [...new Map(all.map((one) => [one.logIndex, one])).values()].sort((a, b) => a.logIndex - b.logIndex);
    for (const [place, { from, amount }] of logs.entries()) {
      if (place < (old.get(txHash) ?? 0)) continue;
      const key = `deposit:${txHash}#${place}`;
      const entries = move(account.external, account.deposit(from), amount);
      if (await post(sql, { kind: 'deposit', key, at: clock.now(), entries })) {
        log('info', 'deposit', { from, amount: amount.toString() });
      }
    }
  }
}

const oldRow = z.object({ tx_hash: hex32, count: integerColumn });

/**
 * How many deposits of these transactions have the name that they had once, `deposit:TRANSACTION:LOG`. A log's number counts within
 * its block and changes with it, so that name says no more than that a deposit of this transaction was booked.
 */
async function bookedByLog(sql: Sql, txHashes: readonly Hex32[]): Promise<ReadonlyMap<Hex32, number>> {
  if (txHashes.length === 0) return new Map();
  const rows = await sql.query(
    oldRow,
    `SELECT split_part(key, ':', 2) AS tx_hash, COUNT(*) AS count FROM transfers
     WHERE kind = 'deposit' AND split_part(key, ':', 2) = ANY ($1::text[]) GROUP BY 1`,
    [txHashes],
  );
  return new Map(rows.map((row) => [row.tx_hash, row.count]));
}

/**
 * An event says what its owner was paid in all time. What that adds to the books is booked, so that a claim that the chain lost and
 * took anew, in another transaction or behind other logs, counts once. False: more was paid than the books know to be published; a root of which they
 * have not noted yet that it is on chain.
 */
async function bookClaim(
  sql: Sql,
  { owner, cumulative, txHash }: Awaited<ReturnType<Chain['claims']>>[number],
  clock: Clock,
  log: Log,
): Promise<boolean> {
  const fresh = cumulative - (await balanceOf(sql, account.claimed(owner)));
  if (fresh <= 0n) return true;
  if ((await balanceOf(sql, account.published(owner))) < fresh) {
    log('warn', 'claim-before-its-root', { owner, txHash });
    return false;
  }
  const entries = move(account.published(owner), account.claimed(owner), fresh);
  if (await post(sql, { kind: 'claim', key: `claim:${owner}:${cumulative}`, at: clock.now(), entries })) {
    log('info', 'claim', { owner, amount: fresh.toString() });
  }
  return true;
}
