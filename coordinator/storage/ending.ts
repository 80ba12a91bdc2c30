import { fail } from '../../core/errors.ts';
import type { Hex32, UnixMs } from '../../core/primitives.ts';
import type { AgreementEnd } from '../../core/wire-storage.ts';
import type { Sql } from '../db.ts';
import { endAgreement, settleFile } from './pay.ts';
import { agreementsOfFile, type FileRow, isLive, lockAgreement, lockFile, type Notice, noticeOf } from './rows.ts';
import type { StorageRules } from './terms.ts';

/** Ends every agreement of a file, and gives back what is left. The caller has locked the file; one that is over stays as it is. */
export async function endFile(
  sql: Sql,
  file: FileRow,
  why: AgreementEnd & ('term' | 'dropped'),
  rules: StorageRules,
  now: UnixMs,
): Promise<readonly Notice[]> {
  if (file.ended_at !== null) return [];
  const live = (await agreementsOfFile(sql, file.file_id)).filter(isLive);
  for (const agreement of live) {
    await endAgreement(sql, { file, agreement }, agreement.state === 'open' ? 'dropped' : why, rules, now);
  }
  const spent = (await lockFile(sql, file.file_id)) ?? fail('INTERNAL', 'a file that was there is gone');
  await settleFile(sql, spent, now);
  return live.map(noticeOf);
}

/** Ends one agreement, if it is in force still and `holds` says so of it as it is now. */
export async function endOne(
  sql: Sql,
  agreementId: Hex32,
  why: AgreementEnd,
  rules: StorageRules,
  now: UnixMs,
): Promise<readonly Notice[]> {
  const locked = await lockAgreement(sql, agreementId);
  if (locked === null || !isLive(locked.agreement)) return [];
  await endAgreement(sql, locked, why, rules, now);
  return [noticeOf(locked.agreement)];
}
