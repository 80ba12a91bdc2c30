import type { Amount } from '../../core/money.ts';
import type { Hex32, UnixMs } from '../../core/primitives.ts';
import { HELD_BACK_PERCENT, storageCost } from '../../core/storage-terms.ts';
import type { AgreementEnd } from '../../core/wire-storage.ts';
import { addCredits } from '../credits.ts';
import type { Sql } from '../db.ts';
import { randomId } from '../ids.ts';
import { account, move, post } from '../ledger.ts';
import { type Shares, sharesOf } from '../shares.ts';
import type { FileRow, Locked } from './rows.ts';
import { dueOf, type StorageRules } from './terms.ts';

/**
 * The money of a stored file. All of it lies in the hold of the file, from the first day: what is paid, what is held back, what is still to be
 * earned. A payment is a credit like any other, and its fee waits in the hold until it matures.
 *
 *   deposit ─► hold:file ─ each passed audit, three quarters ─► pending:owner ─► …
 *      ▲           │ └──── what was held back, at a good end ──────┘
 *      └───────────┘ what was held back, where the place is lost; at the end of the file whatever is left
 *
 * One place of a file is paid to one device at a time, so what is held is always enough. The caller has locked the file.
 */

/** What an audit that was passed pays for the time from `fromAt` to `toAt`, and what of it waits. Calculator two has its own. */
function payOf({ price, fee_bps }: FileRow, bytes: number, ms: number): Shares & { readonly heldBack: Amount } {
  const whole = storageCost(price, bytes, ms);
  const heldBack = (whole * HELD_BACK_PERCENT) / 100n;
  return { ...sharesOf(whole - heldBack, fee_bps), heldBack };
}

/** Pays for the time that a passed audit vouches for. Nothing twice, and nothing beyond the end of the term. */
export async function payForAudit(
  sql: Sql,
  { file, agreement }: Locked,
  proof: { readonly token: number; readonly answer: Hex32 },
  rules: StorageRules,
  now: UnixMs,
): Promise<void> {
  const toAt = Math.min(now, file.ends_at);
  const fromAt = Math.max(agreement.paid_to ?? toAt, toAt - rules.terms.vouchesForMs);
  // A clock that was set back pays nothing.
  if (fromAt >= toAt) return;
  const { heldBack, ...shares } = payOf(file, agreement.bytes, toAt - fromAt);
  if (shares.pay === 0n) return;
  await pay(sql, { file, agreement }, shares, { kind: 'audit', fromAt, toAt, ...proof }, rules, now);
  await sql.exec('UPDATE agreements SET paid_to = $2, held_back = held_back + $3 WHERE agreement_id = $1', [
    agreement.agreement_id,
    toAt,
    heldBack.toString(),
  ]);
}

type Reason =
  | {
      readonly kind: 'audit';
      readonly fromAt: UnixMs;
      readonly toAt: UnixMs;
      readonly token: number;
      readonly answer: Hex32;
    }
  | { readonly kind: 'release' };

async function pay(
  sql: Sql,
  { file, agreement }: Locked,
  { pay: amount, fee, dust }: Shares,
  reason: Reason,
  rules: StorageRules,
  at: UnixMs,
): Promise<void> {
  const { agreement_id: agreementId, device, owner, payments: nth } = agreement;
  const { hold_id: jobId, consumer } = file;
  const paymentId = randomId();
  const maturesAt = await dueOf(sql, rules, at);
  const audit = reason.kind === 'audit' ? reason : null;
  await sql.exec(
    `INSERT INTO storage_payments (agreement_id, nth, payment_id, kind, from_at, to_at, token, answer, amount, fee, dust, matures_at, at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      ...[agreementId, nth, paymentId, reason.kind, audit?.fromAt ?? null, audit?.toAt ?? null],
      ...[audit?.token ?? null, audit?.answer ?? null, amount.toString(), fee.toString(), dust.toString()],
      ...[maturesAt, at],
    ],
  );
  await addCredits(sql, [
    {
      ...{ leaseId: paymentId, jobId, consumer, owner, device, amount, fee, dust, checks: 0n },
      ...{ byChecks: false, lane: null, terms: { maturesAt, earlyAt: null, needs: null } },
    },
  ]);
  await post(sql, {
    ...{ kind: 'storage', key: `storage:${agreementId}:${nth}`, at },
    entries: move(account.hold(jobId), account.pending(owner), amount),
  });
  await sql.exec('UPDATE agreements SET payments = payments + 1 WHERE agreement_id = $1', [agreementId]);
  await sql.exec('UPDATE stored_files SET spent = spent + $2 WHERE file_id = $1', [
    file.file_id,
    (amount + fee + dust).toString(),
  ]);
  await sql.exec('UPDATE storage_devices SET credited = credited + $2 WHERE device = $1', [device, amount.toString()]);
}

const KEPT: ReadonlySet<AgreementEnd> = new Set(['term', 'dropped', 'moved']);

/**
 * Ends an agreement that is in force. What was held back goes to who kept it to a good end, and else back to who paid. Its tokens go: each
 * was used, or never will be.
 */
export async function endAgreement(
  sql: Sql,
  { file, agreement }: Locked,
  why: AgreementEnd,
  rules: StorageRules,
  now: UnixMs,
): Promise<void> {
  const { agreement_id: agreementId, held_back: heldBack } = agreement;
  const kept = KEPT.has(why);
  if (heldBack > 0n && kept) {
    await pay(sql, { file, agreement }, sharesOf(heldBack, file.fee_bps), { kind: 'release' }, rules, now);
  } else if (heldBack > 0n) await giveBack(sql, file, agreementId, heldBack, now);
  await sql.exec(
    `UPDATE agreements SET state = $2, why = $3, ended_at = $4, held_back = 0, moving = FALSE, tokens = NULL, next_audit_at = NULL,
       audit_id = NULL, answer_by = NULL WHERE agreement_id = $1`,
    [agreementId, kept ? 'ended' : 'lost', why, now],
  );
}

/** To the deposit of who paid. `cause` names it: once per cause. */
async function giveBack(sql: Sql, file: FileRow, cause: Hex32, amount: Amount, at: UnixMs): Promise<void> {
  await post(sql, {
    ...{ kind: 'refund', key: `refund:${cause}`, at },
    entries: move(account.hold(file.hold_id), account.deposit(file.consumer), amount),
  });
  await sql.exec('UPDATE stored_files SET refunded = refunded + $2 WHERE file_id = $1', [
    file.file_id,
    amount.toString(),
  ]);
}

/** Closes the account of a file that has no agreement in force any more: but for fees of what is not mature, nothing is left in it. */
export async function settleFile(sql: Sql, file: FileRow, now: UnixMs): Promise<void> {
  const rest = file.held - file.spent - file.refunded;
  if (rest > 0n) await giveBack(sql, file, file.hold_id, rest, now);
  await sql.exec('UPDATE stored_files SET ended_at = $2, repairer = NULL, repair_until = 0 WHERE file_id = $1', [
    file.file_id,
    now,
  ]);
  await sql.exec('DELETE FROM place_shards WHERE file_id = $1', [file.file_id]);
  await sql.exec('DELETE FROM file_manifests WHERE file_id = $1', [file.file_id]);
}
