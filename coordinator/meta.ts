import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { type Db, one, type Sql } from './db.ts';

const metaRow = z.object({ value: z.string() });

export async function readMeta(sql: Sql, key: string): Promise<string | null> {
  return (await one(sql, metaRow, 'SELECT value FROM meta WHERE key = $1', [key]))?.value ?? null;
}

/** Writes what nobody has written. */
export async function firstMeta(sql: Sql, key: string, value: string): Promise<void> {
  await sql.exec('INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING', [key, value]);
}

export async function writeMeta(sql: Sql, key: string, value: string): Promise<void> {
  await sql.exec(
    'INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value',
    [key, value],
  );
}

/** A random secret made once for these books, whoever comes first: 32 bytes in hex. */
export async function keptSecret(db: Db, key: string): Promise<string> {
  await firstMeta(db, key, randomBytes(32).toString('hex'));
  return (await readMeta(db, key)) ?? fail('INTERNAL', `${key} was written and is not there`);
}
