import { fail } from '../../core/errors.ts';
import type { Hex32, UnixMs } from '../../core/primitives.ts';
import type { Place } from '../../core/wire-storage.ts';
import type { Sql } from '../db.ts';
import { endAgreement } from './pay.ts';
import { openPlaces } from './placing.ts';
import { type AgreementRow, agreementsOfFile, type FileRow, isLive, type Notice, noticeOf } from './rows.ts';
import type { StorageRules } from './terms.ts';
import { isHealthy, placeOf, thereOf } from './views.ts';

/** A device whose place of a file was lost less long ago gets none of it: it is likely to fail again. */
const AVOIDED_MS = 24 * 3_600_000;

/**
 * Another place in place of one that is lost, away for too long, to be moved, or was never sealed. The caller has locked the file. The same
 * again answers the same place. Throws NOT_FOUND, and REFUSED for a place that is healthy or when no device has room.
 */
export async function replacePlace(
  sql: Sql,
  file: FileRow,
  lost: Hex32,
  rules: StorageRules,
  now: UnixMs,
): Promise<{ readonly place: Place; readonly notices: readonly Notice[] }> {
  const all = await agreementsOfFile(sql, file.file_id);
  const old = all.find(({ agreement_id }) => agreement_id === lost);
  if (old === undefined) return fail('NOT_FOUND', 'the file has no such place', { lost });
  const own = all.filter(({ idx }) => idx === old.idx);
  const next = own.find((one) => one !== old && isLive(one) && (one.state === 'open' || !isLive(old)));
  if (next !== undefined) return { place: placeOf(next), notices: [] };
  if (file.ended_at !== null) fail('CONFLICT', 'this file was dropped, or its term is over');
  if (old.state === 'sealed' && !old.moving) {
    const there = await thereOf(sql, [old.device], rules.terms.graceMs, now);
    if (isHealthy(old, there)) fail('REFUSED', 'this place is healthy', { lost });
  }
  const notices = await makeWay(sql, file, own, rules, now);
  const taken = all.filter(({ idx }) => idx !== old.idx);
  const avoided = new Set(
    all.filter((one) => isLive(one) || (one.ended_at ?? 0) > now - AVOIDED_MS).map(({ device }) => device),
  );
  const wanted = [{ index: old.idx, replaces: lost }];
  const [place] = await openPlaces(sql, file, wanted, { taken, avoided }, now);
  if (place === undefined) return fail('INTERNAL', 'a place was neither found nor refused');
  return { place, notices: [...notices, { device: place.device, agreementId: place.agreementId }] };
}

/** One that was never sealed makes way: there is one open agreement for a place at a time. */
async function makeWay(
  sql: Sql,
  file: FileRow,
  own: readonly AgreementRow[],
  rules: StorageRules,
  now: UnixMs,
): Promise<readonly Notice[]> {
  const open = own.filter(({ state }) => state === 'open');
  for (const agreement of open) await endAgreement(sql, { file, agreement }, 'dropped', rules, now);
  return open.map(noticeOf);
}
