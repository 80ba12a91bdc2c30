import { z } from 'zod';
import { SCORE_REASONS } from '../../core/lending.ts';
import { type Address, address, type UnixMs } from '../../core/primitives.ts';
import {
  type Mark,
  MONTH_MS,
  marked,
  NEW_STANDING,
  type StorageTerms,
  scoreOf,
  verdictOn,
} from '../../core/storage-terms.ts';
import type { CoordinatorMessage } from '../../core/wire.ts';
import { amountColumn, integerColumn, one, type Sql } from '../db.ts';

/** Who kept nothing that they were given begins anew after so long. */
const DISQUALIFIED_MS = MONTH_MS;

const standingRow = z.object({
  alpha: z.number(),
  beta: z.number(),
  reason: z.enum(SCORE_REASONS),
  suspended_until: integerColumn.nullable(),
  disqualified: z.boolean(),
  passed: integerColumn,
  failed: integerColumn,
});
type StandingRow = z.output<typeof standingRow>;
const COLUMNS = Object.keys(standingRow.shape).join(', ');

const isSuspended = ({ suspended_until: until }: Pick<StandingRow, 'suspended_until'>, now: UnixMs): boolean =>
  until !== null && until > now;

/**
 * How a device stands after something that is said of it. Nobody is disqualified who was not suspended before, and nobody for being away: that has
 * its own end.
 */
function afterMark(row: StandingRow, mark: Mark, { suspendedMs }: StorageTerms, now: UnixMs): StandingRow {
  const before = row.disqualified && !isSuspended(row, now) ? { ...row, ...NEW_STANDING, disqualified: false } : row;
  const standing = marked(before, mark);
  const counted = { passed: before.passed + Number(mark === 'passed'), failed: before.failed + Number(isFault(mark)) };
  const after = { ...before, ...standing, ...counted };
  if (before.disqualified) return after;
  if (mark === 'passed') return { ...after, reason: mark };
  const verdict = verdictOn(standing);
  if (verdict === 'disqualified' && mark !== 'offline' && isSuspended(before, now)) {
    return { ...after, reason: 'disqualified', disqualified: true, suspended_until: now + DISQUALIFIED_MS };
  }
  const until = verdict === 'good' ? before.suspended_until : now + suspendedMs;
  return { ...after, reason: mark, suspended_until: until };
}

const isFault = (mark: Mark): boolean => mark === 'failed' || mark === 'unanswered';

/** Remembers what was said of a device. */
export async function markDevice(
  sql: Sql,
  device: Address,
  mark: Mark,
  terms: StorageTerms,
  now: UnixMs,
): Promise<void> {
  const row = await one(sql, standingRow, `SELECT ${COLUMNS} FROM storage_devices WHERE device = $1 FOR UPDATE`, [
    device,
  ]);
  if (row === null) return;
  const after = afterMark(row, mark, terms, now);
  await sql.exec(
    `UPDATE storage_devices SET alpha = $2, beta = $3, reason = $4, suspended_until = $5, disqualified = $6, passed = $7, failed = $8
     WHERE device = $1`,
    [
      ...[device, after.alpha, after.beta, after.reason, after.suspended_until, after.disqualified],
      ...[after.passed, after.failed],
    ],
  );
}

const toldRow = standingRow.extend({ device: address, credited: amountColumn, held_back: amountColumn });
type StandingMessage = Extract<CoordinatorMessage, { type: 'storage-standing' }>;

/** What devices are told of how they stand; those that never lent anything are left out. */
export async function standingsOf(
  sql: Sql,
  devices: readonly Address[],
  now: UnixMs,
): Promise<ReadonlyMap<Address, StandingMessage>> {
  const rows = await sql.query(
    toldRow,
    `SELECT device, ${COLUMNS}, credited::text, COALESCE((
       SELECT SUM(held_back - CEIL(held_back * fee_bps / 10000)) FROM agreements JOIN stored_files USING (file_id)
       WHERE agreements.device = storage_devices.device AND state = 'sealed'
     ), 0)::text AS held_back FROM storage_devices WHERE device = ANY ($1::text[])`,
    [devices],
  );
  return new Map(
    rows.map((row) => [
      row.device,
      {
        type: 'storage-standing',
        score: row.passed + row.failed === 0 && row.reason === 'new' ? null : scoreOf(row),
        reason: row.reason,
        suspendedUntil: isSuspended(row, now) ? row.suspended_until : null,
        ...{ passed: row.passed, failed: row.failed, credited: row.credited, heldBack: row.held_back },
      },
    ]),
  );
}
