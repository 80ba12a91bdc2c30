import { z } from 'zod';
import type { Address, Hex32, UnixMs } from '../../core/primitives.ts';
import { hex32 } from '../../core/primitives.ts';
import { REPAIR_MARGIN } from '../../core/stored-file.ts';
import { one, type Sql } from '../db.ts';
import { type FileRow, lockFile } from './rows.ts';

/** A repair that is not done by then may be begun by another. */
const LEASE_MS = 10 * 60_000;

const nextRow = z.object({ file_id: hex32 });

/** Whether the account may do now for the file what its owner may. */
export const repairs = ({ repairer, repair_until: until }: FileRow, account: Address, now: UnixMs): boolean =>
  repairer === account && until > now;

/**
 * The file that lacks most, or has places on devices that want to be rid of them. Left out are those that are being stored, that somebody repairs,
 * and of which too little is there to make the rest from. A place that is open is on its way, for as long as it may be. null: there is none.
 */
const nextRepair = async (sql: Sql, graceMs: number, now: UnixMs): Promise<Hex32 | null> => {
  const next = await one(
    sql,
    nextRow,
    `SELECT file_id FROM stored_files JOIN (
       SELECT file_id, COUNT(*) FILTER (WHERE state = 'sealed' AND seen_at > $1) AS healthy,
         COUNT(*) FILTER (WHERE state = 'open' AND replaces IS NULL) AS coming, BOOL_OR(state = 'sealed' AND moving) AS leaving
       FROM agreements JOIN storage_devices USING (device) WHERE state IN ('open', 'sealed') GROUP BY file_id
     ) AS counted USING (file_id)
     WHERE ended_at IS NULL AND ends_at > $2 AND repair_until <= $2 AND healthy >= needed
       AND (healthy + coming < LEAST(places, needed + ${REPAIR_MARGIN}) OR (leaving AND coming = 0))
     ORDER BY healthy - needed, leaving, file_id LIMIT 1`,
    [now - graceMs, now],
  );
  return next?.file_id ?? null;
};

/** Lends the file that needs it most to one repairer at a time. */
export async function leaseRepair(
  sql: Sql,
  repairer: Address,
  graceMs: number,
  now: UnixMs,
): Promise<{ readonly file: FileRow; readonly expiresAt: UnixMs } | null> {
  const fileId = await nextRepair(sql, graceMs, now);
  const file = fileId === null ? null : await lockFile(sql, fileId);
  // Somebody was quicker: there is another next time.
  if (file === null || file.repair_until > now || file.ended_at !== null) return null;
  const expiresAt = now + LEASE_MS;
  await sql.exec('UPDATE stored_files SET repairer = $2, repair_until = $3 WHERE file_id = $1', [
    ...[file.file_id, repairer, expiresAt],
  ]);
  return { file: { ...file, repairer, repair_until: expiresAt }, expiresAt };
}
