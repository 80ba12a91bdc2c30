import { z } from 'zod';
import { asFailure } from '../../core/errors.ts';
import { type Address, address, type Hex32, hex32, type UnixMs } from '../../core/primitives.ts';
import type { AgreementEnd } from '../../core/wire-storage.ts';
import type { Db, Sql } from '../db.ts';
import { readMeta, writeMeta } from '../meta.ts';
import type { Log } from '../options.ts';
import { type Judged, judgeSilence, overdueAudits } from './audits.ts';
import { endFile, endOne } from './ending.ts';
import { idsOf, LIVE, lockFile, type Notice } from './rows.ts';
import { markDevice } from './standings.ts';
import type { StorageRules } from './terms.ts';

/** What time alone brings about: silence, absence, the end of terms. One coordinator at a time looks after it. */

/** Of each kind, in one go. */
const AT_ONCE = 200;
/** An upload that was not finished by then has no place any more. */
const OPEN_MS = 24 * 3_600_000;
/** Two looks further apart than this: nobody looked, and who was away in between nobody knows. */
const UNWATCHED_MS = 120_000;
const WATCHED = 'storage-watched';

export type Upkeep = {
  readonly db: Pick<Db, 'tx'> & Sql;
  readonly rules: StorageRules;
  readonly log: Log;
  /** How each audit ended that was judged by the clock. */
  readonly judged: (judged: Judged) => void;
};

/** Answers what devices are to hear of. What fails is told and does not keep the rest. */
export async function keepUp(upkeep: Upkeep, now: UnixMs): Promise<readonly Notice[]> {
  const { db, rules } = upkeep;
  const notices: Notice[] = [];
  const each = async <T>(
    items: readonly T[],
    work: (sql: Sql, item: T) => Promise<readonly Notice[]>,
  ): Promise<void> => {
    for (const item of items) {
      try {
        notices.push(...(await db.tx((sql) => work(sql, item))));
      } catch (error) {
        const { code, message } = asFailure(error);
        if (code === 'DATABASE_AWAY') throw error;
        upkeep.log('error', 'storage-not-kept-up', { item: JSON.stringify(item), code, message });
      }
    }
  };
  await db.tx((sql) => forgiveUnwatched(sql, now));
  await each(await overdueAudits(db, now, AT_ONCE), async (sql, overdue) => {
    const judged = await judgeSilence(sql, overdue, rules, now);
    upkeep.judged(judged);
    return judged.notices;
  });
  await each(await awayTooLong(db, rules, now), async (sql, device) => {
    await sql.exec('UPDATE storage_devices SET away_marked_at = $2 WHERE device = $1', [device, now]);
    await markDevice(sql, device, 'offline', rules.terms, now);
    return [{ device, agreementId: null }];
  });
  const end = (why: AgreementEnd) => (sql: Sql, id: Hex32) => endOne(sql, id, why, rules, now);
  await each(await ofLost(db, 'disqualified', now), end('disqualified'));
  await each(await ofLost(db, `seen_at < $1`, now - rules.terms.goneAfterMs), end('lost'));
  await each(await neverSealed(db, now), end('dropped'));
  await each(await atTerm(db, now), async (sql, fileId) => {
    const file = await lockFile(sql, fileId);
    return file === null ? [] : await endFile(sql, file, 'term', rules, now);
  });
  return notices;
}

/**
 * While no coordinator ran, nobody could be there and nobody could answer: that time is nobody's absence. All times that would count it are moved
 * by as much.
 */
async function forgiveUnwatched(sql: Sql, now: UnixMs): Promise<void> {
  const before = await readMeta(sql, WATCHED);
  const gap = before === null ? 0 : now - Number(before);
  if (gap > UNWATCHED_MS) {
    await sql.exec('UPDATE storage_devices SET seen_at = LEAST(seen_at + $1::bigint, $2::bigint)', [gap, now]);
    await sql.exec('UPDATE agreements SET answer_by = answer_by + $1::bigint WHERE audit_id IS NOT NULL', [gap]);
  }
  // A clock that was set back counts from there.
  await writeMeta(sql, WATCHED, String(now));
}

const deviceRow = z.object({ device: address });

/** Away for longer than they may be, with shards, and not marked for it lately. */
async function awayTooLong(sql: Sql, { terms }: StorageRules, now: UnixMs): Promise<readonly Address[]> {
  const rows = await sql.query(
    deviceRow,
    `SELECT device FROM storage_devices WHERE seen_at < $1 AND away_marked_at < $2
       AND EXISTS (SELECT 1 FROM agreements WHERE agreements.device = storage_devices.device AND state = 'sealed') LIMIT ${AT_ONCE}`,
    [now - terms.graceMs, now - terms.auditEveryMs],
  );
  return rows.map(({ device }) => device);
}

const ofLost = (sql: Sql, which: 'disqualified' | 'seen_at < $1', before: UnixMs): Promise<readonly Hex32[]> =>
  idsOf(
    sql,
    `SELECT agreement_id FROM storage_devices JOIN agreements USING (device)
     WHERE ${which === 'disqualified' ? 'disqualified AND suspended_until > $1' : which} AND ${LIVE} LIMIT ${AT_ONCE}`,
    [before],
  );

const neverSealed = (sql: Sql, now: UnixMs): Promise<readonly Hex32[]> =>
  idsOf(sql, `SELECT agreement_id FROM agreements WHERE state = 'open' AND created_at < $1 LIMIT ${AT_ONCE}`, [
    now - OPEN_MS,
  ]);

const fileIdRow = z.object({ file_id: hex32 });

async function atTerm(sql: Sql, now: UnixMs): Promise<readonly Hex32[]> {
  const rows = await sql.query(
    fileIdRow,
    `SELECT file_id FROM stored_files WHERE ended_at IS NULL AND ends_at <= $1 ORDER BY ends_at LIMIT ${AT_ONCE}`,
    [now],
  );
  return rows.map(({ file_id }) => file_id);
}
