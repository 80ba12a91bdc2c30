import type { Chain } from './chain.ts';
import type { Db, Sql } from './db.ts';
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
 * booking, and each is named by its transaction and log, so a crash between the two can neither lose nor double one. When the
 * block that was seen last is not on the chain any more, all is looked through anew. Throws CHAIN_AWAY.
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
      for (const deposit of deposits) {
        const booked = await post(sql, {
          kind: 'deposit',
          key: `deposit:${deposit.txHash}:${deposit.logIndex}`,
          at: clock.now(),
          entries: move(account.external, account.deposit(deposit.from), deposit.amount),
        });
        if (booked) log('info', 'deposit', { from: deposit.from, amount: deposit.amount.toString() });
      }
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

/**
 * An event says what its owner was paid in all time. What that adds to the books is booked, so that a claim that the chain lost and
 * took anew, in another transaction, counts once. False: more was paid than the books know to be published; a root of which they
 * have not noted yet that it is on chain.
 */
async function bookClaim(
  sql: Sql,
  { owner, cumulative, txHash, logIndex }: Awaited<ReturnType<Chain['claims']>>[number],
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
  if (await post(sql, { kind: 'claim', key: `claim:${txHash}:${logIndex}`, at: clock.now(), entries })) {
    log('info', 'claim', { owner, amount: fresh.toString() });
  }
  return true;
}
