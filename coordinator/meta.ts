import { z } from 'zod';
import { one, type Sql } from './db.ts';

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
