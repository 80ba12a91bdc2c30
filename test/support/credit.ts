import type { Sql } from '../../coordinator/db.ts';
import { account, move, post } from '../../coordinator/ledger.ts';
import type { Address } from '../../core/primitives.ts';
import { encodeWire } from '../../core/wire.ts';
import { randomHex32 } from './random.ts';

/** Credits an owner in the books as a receipt that has matured does, with money from nowhere. */
export async function credit(sql: Sql, owner: Address, amount: bigint): Promise<void> {
  const hash = randomHex32();
  await post(sql, { kind: 'receipt', key: hash, at: 1, entries: move('external', account.matured(owner), amount) });
  await sql.exec(
    `INSERT INTO reports (report_hash, device, sequence, value, signature, items, at)
     SELECT $1, 'device', COUNT(*) + 1, '{}', '', '[]', 1 FROM reports`,
    [hash],
  );
  const outcomes = encodeWire([{ leaseId: hash, kind: 'credited', amount }]);
  await sql.exec(
    `INSERT INTO receipts (report_hash, owner, value, signature, outcomes, at) VALUES ($1, $2, $4, '', $3, 1)`,
    [hash, owner, outcomes, encodeWire({ credited: amount })],
  );
}
