import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Db } from '../../../coordinator/db.ts';
import { openPostgres } from '../../../coordinator/db-postgres.ts';
import { parse } from '../../../coordinator/device-messages.ts';
import { fastKeccak } from '../../../coordinator/keccak.ts';
import { booksBalance } from '../../../coordinator/ledger.ts';
import { Reports } from '../../../coordinator/report-groups.ts';
import { SignatureChecks } from '../../../coordinator/signature-checks.ts';
import { Signer } from '../../../coordinator/signing.ts';
import { type Hex32, ZERO_HASH } from '../../../core/primitives.ts';
import { itemsHash, reportHash } from '../../../core/typed-data.ts';
import { encodeWire } from '../../../core/wire.ts';
import { newAccount } from '../../support/chain.ts';
import { PRICE } from '../../support/network.ts';
import { TestPostgres } from '../../support/postgres.ts';
import { randomAddress } from '../../support/random.ts';
import { insertJobs } from '../dispatch/jobs.ts';
import { DOMAIN, type Key, newKey, signed } from './messages.ts';

export type Size = { readonly devices: number; readonly each: number; readonly items: number; readonly rounds: number };

/**
 * Reports stored and receipted a second, in each round, by one coordinator on a PostgreSQL that syncs every commit: from the text
 * that a device sends to the text of its receipt, without the WebSocket. A device sends its next report when it has the receipt.
 */
export async function storeRounds(size: Size): Promise<readonly number[]> {
  const server = await TestPostgres.start();
  try {
    const db = await openPostgres(await server.database(), () => undefined);
    try {
      const [fsync] = await db.query(z.object({ fsync: z.string() }), 'SHOW fsync');
      const [commit] = await db.query(z.object({ synchronous_commit: z.string() }), 'SHOW synchronous_commit');
      if (fsync?.fsync !== 'on' || commit?.synchronous_commit !== 'on') throw new Error('commits are not synced');
      const signer = new Signer(newAccount().privateKey, DOMAIN);
      const clock = { now: () => Date.now() };
      const reports = new Reports({ db, signer, options: { clock } });
      const checks = new SignatureChecks(DOMAIN, await fastKeccak());
      const rounds: number[] = [];
      for (let round = 0; round < size.rounds; round++) rounds.push(await storeRound(db, reports, checks, size));
      const stored = await db.query(z.object({ count: z.coerce.number() }), 'SELECT count(*) FROM receipts');
      if (stored[0]?.count !== size.rounds * size.devices * size.each) throw new Error('reports are missing');
      if (!(await booksBalance(db))) throw new Error('the books do not balance');
      return rounds;
    } finally {
      await db.close();
    }
  } finally {
    await server.close();
  }
}

async function storeRound(
  db: Db,
  reports: Reports,
  checks: SignatureChecks,
  { devices, each, items }: Size,
): Promise<number> {
  const keys = Array.from({ length: devices }, newKey);
  const leases = await acceptedLeases(db, keys, each * items);
  const texts = keys.map((key) => chain(key, leases.get(key.address) ?? [], items));
  const begun = performance.now();
  await Promise.all(
    texts.map(async (own) => {
      const peer = {};
      for (const text of own) {
        const message = parse(text);
        if (message?.type !== 'report') throw new Error('a report is not what it was');
        await checks.check(peer, 'Report', message.value, message.signature, message.value.device);
        const answer = await reports.receive(message);
        if (answer.kind !== 'receipt') throw new Error(`a good report was answered ${answer.kind}`);
        if (answer.message.value.credited !== message.value.total) throw new Error('a good report was not credited');
        encodeWire(answer.message);
      }
    }),
  );
  return (devices * each * 1000) / (performance.now() - begun);
}

/** Each of a job of its own, whose hold is in the books. */
async function acceptedLeases(
  db: Db,
  keys: readonly Key[],
  each: number,
): Promise<ReadonlyMap<string, readonly Hex32[]>> {
  const consumer = newAccount().address;
  await insertJobs(db, consumer, keys.length * each);
  await db.exec(
    `INSERT INTO devices (device, owner, issued_at, expires_at, signature)
     SELECT device, $2, 1, 2, '' FROM unnest($1::text[]) AS device`,
    [keys.map(({ address }) => address), randomAddress()],
  );
  const rows = await db.query(
    z.object({ lease_id: z.string(), device: z.string() }),
    `INSERT INTO leases (lease_id, job_id, copy, device, owner, issued_at, deadline, state, output_hash)
     SELECT '0x' || encode(sha256(job_id::bytea), 'hex'), job_id, 0, ($2::text[])[1 + (number - 1) % $3], '', 1, 2, 'accepted', $4
     FROM (SELECT job_id, row_number() OVER () AS number FROM jobs WHERE consumer = $1) AS numbered
     RETURNING lease_id, device`,
    [consumer, keys.map(({ address }) => address), keys.length, ZERO_HASH],
  );
  await db.exec('ANALYZE');
  const own = new Map<string, Hex32[]>();
  for (const row of rows) own.set(row.device, [...(own.get(row.device) ?? []), row.lease_id as Hex32]);
  return own;
}

/** All reports of a device, as it sends them. */
function chain(key: Key, leases: readonly Hex32[], itemsEach: number): readonly string[] {
  const owner = `0x${randomBytes(20).toString('hex')}` as const;
  let previous: Hex32 = ZERO_HASH;
  return Array.from({ length: leases.length / itemsEach }, (_, at) => {
    const mine = leases.slice(at * itemsEach, (at + 1) * itemsEach);
    const items = mine.map((leaseId) => ({ leaseId, outputHash: ZERO_HASH, amount: PRICE }));
    const value = {
      ...{ owner, device: key.address, sequence: at + 1, previous, periodStart: 1, periodEnd: 2 },
      ...{ itemsHash: itemsHash(items), itemCount: items.length, total: PRICE * BigInt(items.length) },
    };
    previous = reportHash(value);
    return encodeWire({ type: 'report', value, signature: signed(key, value), items });
  });
}
