import { z } from 'zod';
import type { Chain } from './chain.ts';
import { type Db, one, type Sql } from './db.ts';
import { account, move, post } from './ledger.ts';
import type { Clock, Log } from './options.ts';

const KEY = 'deposits-seen-to-block';
/** Most blocks looked through in one request. */
const SPAN = 5_000;

const metaRow = z.object({ value: z.string() });

export async function readMeta(sql: Sql, key: string): Promise<string | null> {
  return (await one(sql, metaRow, 'SELECT value FROM meta WHERE key = $1', [key]))?.value ?? null;
}

/** Writes what nobody has written. */
export async function firstMeta(sql: Sql, key: string, value: string): Promise<void> {
  await sql.exec('INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING', [key, value]);
}

async function writeMeta(sql: Sql, key: string, value: string): Promise<void> {
  await sql.exec(
    'INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value',
    [key, value],
  );
}

/**
 * Books every deposit on chain that is not booked yet. What was seen is stored with the booking, and each deposit is named by
 * its transaction and log, so a crash between the two can neither lose nor double one. Throws CHAIN_AWAY.
 */
export async function bookDeposits(db: Db, chain: Chain, clock: Clock, log: Log): Promise<void> {
  const head = await chain.head();
  let seen = Number((await readMeta(db, KEY)) ?? '-1');
  if (seen > head) {
    log('error', 'chain-went-back', { seen, head });
    seen = -1;
  }
  while (seen < head) {
    const upTo = Math.min(head, seen + SPAN);
    const deposits = await chain.deposits(seen + 1, upTo);
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
      await writeMeta(sql, KEY, String(upTo));
    });
    seen = upTo;
  }
}
