import { hash } from 'node:crypto';
import { z } from 'zod';
import { answersCommitment } from '../../core/audit.ts';
import { fromHex } from '../../core/keccak.ts';
import { type Address, address, type Hex32, hex32, type UnixMs } from '../../core/primitives.ts';
import { nextAuditAt } from '../../core/storage-terms.ts';
import type { CoordinatorMessage } from '../../core/wire.ts';
import { integerColumn, one, type Sql } from '../db.ts';
import { randomId } from '../ids.ts';
import { unforeseen } from './chance.ts';
import { endAgreement, payForAudit } from './pay.ts';
import { idsOf, type Locked, lockAgreement, type Notice, noticeOf } from './rows.ts';
import { markDevice } from './standings.ts';
import type { StorageRules } from './terms.ts';

/**
 * An audit of an agreement, which has one at a time. Each asks with a token that was not used before.
 *
 *   due ─ asked ─┬─ right answer ─► paid; due again at a time that is drawn
 *    ▲           ├─ wrong, none, or none in time ─► a strike; due again soon, or lost
 *    └───────────┴─ its session ended ─► broken off; due again soon, and a few in a row are a strike
 */

/** Agreements that are asked for at once. */
const AT_ONCE = 100;
/** Whoever ends its session whenever it is asked is not spared for ever. */
const MOST_BROKEN_OFF = 3;
/** Whoever is not seen for so long after its time to answer was gone before it was over. */
const GONE_MS = 120_000;

const sha256 = (data: Uint8Array): Uint8Array => hash('sha256', data, 'buffer');

export type Asked = {
  readonly device: Address;
  readonly message: Extract<CoordinatorMessage, { type: 'audit' }>;
};

const askedRow = z.object({
  agreement_id: hex32,
  audit_id: hex32,
  device: address,
  answer_by: integerColumn,
  seed: hex32,
});

/** Takes the next token of what is due of these devices, one agreement of each. Two that do so at once take different ones. */
export async function drawAudits(
  sql: Sql,
  devices: readonly Address[],
  { terms }: StorageRules,
  now: UnixMs,
): Promise<readonly Asked[]> {
  if (devices.length === 0) return [];
  const due = await idsOf(
    sql,
    `SELECT DISTINCT ON (device) agreement_id FROM agreements WHERE device = ANY ($1::text[]) AND state = 'sealed'
       AND audit_id IS NULL AND next_audit_at <= $2 AND NOT EXISTS (
         SELECT 1 FROM agreements AS asked WHERE asked.device = agreements.device AND asked.audit_id IS NOT NULL
       ) ORDER BY device, next_audit_at LIMIT ${AT_ONCE}`,
    [devices, now],
  );
  const asked: Asked[] = [];
  for (const agreementId of due) {
    const row = await one(
      sql,
      askedRow,
      `UPDATE agreements SET audit_id = $2, answer_by = $3, token_next = token_next + 1, next_audit_at = NULL
       WHERE agreement_id = $1 AND state = 'sealed' AND audit_id IS NULL AND next_audit_at <= $4 AND token_next < token_count
       RETURNING agreement_id, audit_id, device, answer_by, '0x' || substr(tokens, (token_next - 1) * 128 + 1, 64) AS seed`,
      [agreementId, randomId(), now + terms.answerWithinMs, now],
    );
    if (row === null) continue;
    const { audit_id: auditId, device, answer_by: answerBy, seed } = row;
    asked.push({ device, message: { type: 'audit', auditId, agreementId, seed, answerBy } });
  }
  return asked;
}

const commitmentRow = z.object({ commitment: hex32 });

async function isRight(sql: Sql, { agreement }: Locked, answer: Hex32 | null): Promise<boolean> {
  if (answer === null) return false;
  const row = await one(
    sql,
    commitmentRow,
    `SELECT '0x' || substr(tokens, (token_next - 1) * 128 + 65, 64) AS commitment FROM agreements WHERE agreement_id = $1`,
    [agreement.agreement_id],
  );
  return row !== null && answersCommitment(fromHex(answer), fromHex(row.commitment), sha256);
}

export type Verdict = 'passed' | 'failed' | 'unanswered';
export type Judged = { readonly verdict: Verdict | null; readonly notices: readonly Notice[] };
const NOTHING: Judged = { verdict: null, notices: [] };

/** Judges an answer. What nobody asked, or is judged already, says nothing. */
export async function judgeAnswer(
  sql: Sql,
  device: Address,
  { auditId, answer }: { readonly auditId: Hex32; readonly answer: Hex32 | null },
  rules: StorageRules,
  now: UnixMs,
): Promise<Judged> {
  const [agreementId] = await idsOf(sql, 'SELECT agreement_id FROM agreements WHERE audit_id = $1 AND device = $2', [
    auditId,
    device,
  ]);
  const locked = agreementId === undefined ? null : await lockAgreement(sql, agreementId);
  if (locked === null || locked.agreement.audit_id !== auditId) return NOTHING;
  const { file, agreement } = locked;
  if (now > (agreement.answer_by ?? now)) return await strike(sql, locked, 'unanswered', rules, now);
  if (answer === null || !(await isRight(sql, locked, answer))) return await strike(sql, locked, 'failed', rules, now);
  const left = { tokens: agreement.token_count - agreement.token_next, endsAt: file.ends_at };
  const next = left.tokens > 0 ? nextAuditAt(now, left, unforeseen(), rules.terms) : null;
  await sql.exec(
    `UPDATE agreements SET audit_id = NULL, answer_by = NULL, strikes = 0, broken_off = 0, next_audit_at = $2 WHERE agreement_id = $1`,
    [agreement.agreement_id, next],
  );
  await markDevice(sql, device, 'passed', rules.terms, now);
  await payForAudit(sql, locked, { token: agreement.token_next - 1, answer }, rules, now);
  return { verdict: 'passed', notices: [{ device, agreementId: null }] };
}

/** Soon, and not when it is expected. */
const soon = (now: UnixMs, { terms }: StorageRules): UnixMs =>
  Math.round(now + terms.answerWithinMs * (1 + unforeseen()));

async function strike(
  sql: Sql,
  locked: Locked,
  verdict: 'failed' | 'unanswered',
  rules: StorageRules,
  now: UnixMs,
): Promise<Judged> {
  const { agreement } = locked;
  const { agreement_id: agreementId, device } = agreement;
  const strikes = agreement.strikes + 1;
  const noMoreTokens = agreement.token_next >= agreement.token_count;
  await markDevice(sql, device, verdict, rules.terms, now);
  const standing: Notice = { device, agreementId: null };
  if (strikes >= rules.terms.strikes || noMoreTokens) {
    await endAgreement(sql, locked, 'lost', rules, now);
    return { verdict, notices: [noticeOf(agreement), standing] };
  }
  await sql.exec(
    `UPDATE agreements SET audit_id = NULL, answer_by = NULL, strikes = $2, broken_off = 0, next_audit_at = $3 WHERE agreement_id = $1`,
    [agreementId, strikes, soon(now, rules)],
  );
  return { verdict, notices: [standing] };
}

/** Its session ended while it was asked. Nothing is held against it, unless it happens again and again. */
export async function breakOff(sql: Sql, agreementId: Hex32, rules: StorageRules, now: UnixMs): Promise<Judged> {
  const locked = await lockAgreement(sql, agreementId);
  if (locked === null || locked.agreement.audit_id === null) return NOTHING;
  const { agreement } = locked;
  if (agreement.broken_off >= MOST_BROKEN_OFF) return await strike(sql, locked, 'unanswered', rules, now);
  const next = agreement.token_next < agreement.token_count ? soon(now, rules) : null;
  await sql.exec(
    `UPDATE agreements SET audit_id = NULL, answer_by = NULL, broken_off = broken_off + 1, next_audit_at = $2 WHERE agreement_id = $1`,
    [agreementId, next],
  );
  return NOTHING;
}

/** What a device was being asked: an earlier session of it did not answer. */
export const askedOf = (sql: Sql, device: Address): Promise<readonly Hex32[]> =>
  idsOf(sql, 'SELECT agreement_id FROM agreements WHERE device = $1 AND audit_id IS NOT NULL', [device]);

const overdueRow = z.object({ agreement_id: hex32, seen_at: integerColumn, answer_by: integerColumn });
export type Overdue = { readonly agreementId: Hex32; readonly wasThere: boolean };

/**
 * Audits whose time is over and of which it is known whether the device was there all the while: a session that ended would have broken it off
 * when the next began.
 */
export async function overdueAudits(sql: Sql, now: UnixMs, most: number): Promise<readonly Overdue[]> {
  const rows = await sql.query(
    overdueRow,
    `SELECT agreement_id, seen_at, answer_by FROM agreements JOIN storage_devices USING (device)
     WHERE audit_id IS NOT NULL AND answer_by < $1 AND (seen_at > answer_by OR answer_by < $2) ORDER BY answer_by LIMIT $3`,
    [now, now - GONE_MS, most],
  );
  return rows.map((row) => ({ agreementId: row.agreement_id, wasThere: row.seen_at > row.answer_by }));
}

/** The time to answer is over, and nothing came. */
export async function judgeSilence(
  sql: Sql,
  { agreementId, wasThere }: Overdue,
  rules: StorageRules,
  now: UnixMs,
): Promise<Judged> {
  if (!wasThere) return await breakOff(sql, agreementId, rules, now);
  const locked = await lockAgreement(sql, agreementId);
  const answerBy = locked?.agreement.answer_by ?? now;
  // It was judged, and perhaps asked again, meanwhile.
  if (locked === null || locked.agreement.audit_id === null || answerBy >= now) return NOTHING;
  return await strike(sql, locked, 'unanswered', rules, now);
}
