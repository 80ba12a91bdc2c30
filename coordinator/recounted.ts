import { z } from 'zod';
import { parseJson } from '../core/dsse.ts';
import { type UnixMs, unixMs } from '../core/primitives.ts';
import type { Sql } from './db.ts';
import { readMeta, writeMeta } from './meta.ts';

const KEY = 'recounted';

/** When all of the books were last counted by both calculators, since when each count has agreed, and over how many owners. */
const recounted = z.strictObject({ at: unixMs, since: unixMs.nullable(), owners: z.number().int() });
export type Recounted = z.output<typeof recounted>;

/** null: they were never counted. */
export async function lastRecount(sql: Sql): Promise<Recounted | null> {
  const read = recounted.safeParse(parseJson((await readMeta(sql, KEY)) ?? ''));
  return read.success ? read.data : null;
}

/** `owners` null: the two did not agree. */
export async function noteRecount(sql: Sql, at: UnixMs, owners: number | null): Promise<Recounted> {
  const before = await lastRecount(sql);
  const since = owners === null ? null : (before?.since ?? at);
  const noted: Recounted = { at, since, owners: owners ?? before?.owners ?? 0 };
  await writeMeta(sql, KEY, JSON.stringify(noted));
  return noted;
}
