import { z } from 'zod';
import type { UnixMs } from '../core/primitives.ts';
import { integerColumn, one, type Sql } from './db.ts';

/**
 * Which replicas live, by an advisory lock that each holds on the connection on which it listens: the database drops it in the
 * moment the process dies. What a dead one had claimed is free at once instead of after its time.
 */
export const PRESENCE = 0x1d1e;

const numberRow = z.object({ number: integerColumn });

export async function nextReplica(sql: Sql): Promise<number> {
  return (await one(sql, numberRow, `SELECT nextval('replica_numbers') AS number`))?.number ?? 0;
}

/** Called while the lock is held. */
export async function arrive(sql: Sql, number: number): Promise<void> {
  await sql.exec('INSERT INTO replicas (number) VALUES ($1) ON CONFLICT DO NOTHING', [number]);
}

/** Frees what replicas had claimed that are no more. Answers whether there were any. */
export async function freeClaimsOfDead(sql: Sql, now: UnixMs): Promise<boolean> {
  const dead = await sql.query(
    numberRow,
    `DELETE FROM replicas WHERE NOT EXISTS (
       SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND objid = number AND objsubid = 2 AND granted
         AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
     ) RETURNING number`,
    [PRESENCE],
  );
  if (dead.length === 0) return false;
  await sql.exec('UPDATE queue SET claim_until = 0 WHERE claimed_by = ANY ($1::int[]) AND claim_until > $2', [
    dead.map(({ number }) => number),
    now,
  ]);
  return true;
}

/** Whoever has the database alone claimed all of it, before it was started anew. */
export async function freeAllClaims(sql: Sql): Promise<void> {
  await sql.exec('UPDATE queue SET claim_until = 0 WHERE claim_until > 0');
}
