import { z } from 'zod';
import {
  ADMIN_ACTIONS,
  type AdminAction,
  type AdminAnswer,
  type AdminOrder,
  readVersion,
  type ShownAction,
  versionText,
  type WorkloadVersion,
} from '../core/admin.ts';
import { asFailure, fail } from '../core/errors.ts';
import { type Address, address, type Hex32, hex32, type Signature, type UnixMs } from '../core/primitives.ts';
import { ban, type HeldLease, heldByBanned, heldOf, unban } from './bans.ts';
import type { Context } from './context.ts';
import { integerColumn, one, type Sql } from './db.ts';
import { disable, enable } from './disabled.ts';
import type { Effects } from './effects.ts';
import { countBooks, isMiscount } from './epochs.ts';
import type { Happening } from './happenings.ts';
import { noteRecount } from './recounted.ts';
import { refundJob } from './refund.ts';
import { rulesOf } from './results.ts';
import { settle } from './settle.ts';
import { requireSigned } from './signing.ts';
import { sumTotals } from './totals.ts';

/** How old an order may be, or how far its clock ahead. */
const CLOCK_SKEW_MS = 10 * 60_000;
/** Leases taken back in one transaction. */
const AT_ONCE = 500;
/** What devices are told begins with it. */
export const WITHDRAWN = 'withdrawn by the network';

const found = z.object({ found: z.number() });
const actionRow = z.object({
  action_id: hex32,
  admin: address,
  action: z.enum(ADMIN_ACTIONS),
  subject: z.string(),
  why: z.string(),
  at: integerColumn,
  result: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(z.record(z.string(), z.string())),
});
type ActionRow = z.output<typeof actionRow>;

const answerOf = ({ action_id: id, action, subject, why, at, result }: ActionRow): AdminAnswer => ({
  ...{ id, action, subject, why, at, result },
});

const COLUMNS = Object.keys(actionRow.shape).join(', ');
const findAction = (sql: Sql, id: Hex32): Promise<ActionRow | null> =>
  one(sql, actionRow, `SELECT ${COLUMNS} FROM admin_actions WHERE action_id = $1`, [id]);

const ABOUT_VERSIONS: ReadonlySet<AdminAction> = new Set(['disable', 'disable-now', 'enable']);

/** The newest first, with nobody's job or address but the admins'. */
export async function shownActions(sql: Sql, most: number): Promise<readonly ShownAction[]> {
  const rows = await sql.query(actionRow, `SELECT ${COLUMNS} FROM admin_actions ORDER BY at DESC, action_id LIMIT $1`, [
    most,
  ]);
  return rows.map(({ admin, action, subject, why, at }) => ({
    ...{ admin, action, why, at },
    subject: ABOUT_VERSIONS.has(action) ? subject : null,
  }));
}

/** Who carries out what an order means for devices that are connected. */
type Hands = { readonly apply: (effects: Effects) => void; readonly heedRules: () => Promise<void> };

/**
 * Carries out an order of an admin: once, however often it is sent. It is written with what it changed, in one transaction, and kept
 * for ever. Throws UNAUTHORISED, BAD_INPUT, and what the order itself is refused with.
 */
export async function carryOut(
  context: Context,
  hands: Hands,
  { value, signature }: { readonly value: AdminOrder; readonly signature: Signature },
): Promise<AdminAnswer> {
  const { db, domain, options, networkId, replica } = context;
  const now = options.clock.now();
  if (!(options.admins ?? []).includes(value.admin)) fail('UNAUTHORISED', 'this account is no admin of the network');
  if (value.networkId !== networkId) fail('UNAUTHORISED', 'the order is for another network');
  const id = requireSigned(domain, 'AdminAction', value, signature, value.admin);
  const answer = await db.tx(
    async (sql) => {
      const known = await findAction(sql, id);
      if (known !== null) return answerOf(known);
      if (Math.abs(value.issuedAt - now) > CLOCK_SKEW_MS) {
        fail('UNAUTHORISED', 'the order is too old or from the future; check the clock');
      }
      const result = await perform(context, sql, value, now);
      await sql.exec(
        `INSERT INTO admin_actions (action_id, admin, action, subject, why, issued_at, signature, at, result)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
        [
          ...[id, value.admin, value.action, value.subject, value.why, value.issuedAt, signature, now],
          JSON.stringify(result),
        ],
      );
      return { id, action: value.action, subject: value.subject, why: value.why, at: now, result };
      // Else a report that comes between the two calculators would be a disagreement.
    },
    { snapshot: value.action === 'recount' },
  );
  options.log('warn', 'admin-action', { admin: value.admin, action: value.action, subject: value.subject, id });
  // Also when it is sent again: the first time it may not have come so far.
  replica.rules();
  await hands.heedRules();
  await takeBack(context, hands, value);
  return answer;
}

async function perform(
  { signer, options }: Context,
  sql: Sql,
  { action, subject, why }: AdminOrder,
  now: UnixMs,
): Promise<Readonly<Record<string, string>>> {
  switch (action) {
    case 'disable':
    case 'disable-now': {
      const version = readVersion(subject);
      await requireKnown(sql, options.catalogue.entries, version);
      await disable(sql, version, why, now);
      return {};
    }
    case 'enable':
      if (!(await enable(sql, readVersion(subject)))) fail('NOT_FOUND', `${subject} is not disabled`);
      return {};
    case 'ban':
      await ban(sql, readAddress(subject), why, now);
      return {};
    case 'unban':
      if (!(await unban(sql, readAddress(subject)))) fail('NOT_FOUND', `${subject} is not banned`);
      return {};
    case 'refund': {
      const { clawedBack, fromFees } = await refundJob(sql, signer, readJob(subject), why, now);
      return { clawedBack: clawedBack.toString(), fromFees: fromFees.toString() };
    }
    case 'recount':
      return await recount(sql, now);
  }
}

async function recount(sql: Sql, now: UnixMs): Promise<Readonly<Record<string, string>>> {
  let owed: Awaited<ReturnType<typeof countBooks>>;
  try {
    owed = await countBooks(sql);
  } catch (error) {
    if (!isMiscount(error)) throw error;
    await noteRecount(sql, now, null);
    return { balanced: 'no', why: asFailure(error).message };
  }
  await noteRecount(sql, now, owed.size);
  const totals = await sumTotals(sql);
  const texts = Object.entries(totals).map(([kind, amount]) => [kind, amount.toString()]);
  return { balanced: 'yes', owners: String(owed.size), ...Object.fromEntries(texts) };
}

function readAddress(subject: string): Address {
  const read = address.safeParse(subject);
  return read.success ? read.data : fail('BAD_INPUT', `"${subject}" is no address of an owner or a device`);
}

function readJob(subject: string): Hex32 {
  const read = hex32.safeParse(subject);
  return read.success ? read.data : fail('BAD_INPUT', `"${subject}" is no job id`);
}

/** A name that is mistyped would disable nothing, and nobody would notice. */
async function requireKnown(
  sql: Sql,
  entries: readonly { readonly id: string; readonly version: string }[],
  asked: WorkloadVersion,
): Promise<void> {
  const offered = entries.map(({ id: workload, version }) => ({ workload, version }));
  if (offered.some((one) => versionText(one) === versionText(asked))) return;
  const open = await one(
    sql,
    found,
    `SELECT 1 AS found FROM queue JOIN jobs USING (job_id) WHERE jobs.workload = $1 AND jobs.version = $2 LIMIT 1`,
    [asked.workload, asked.version],
  );
  if (open !== null) return;
  const names = offered.map(versionText).join(', ');
  fail('NOT_FOUND', `no job and no catalogue knows ${versionText(asked)}; offered are: ${names}`);
}

/** Takes leases back where the order says so. Nobody is blamed for them, and their jobs go to others if they may. */
async function takeBack(context: Context, hands: Hands, { action, subject, why }: AdminOrder): Promise<void> {
  const { db } = context;
  if (action === 'disable-now') {
    const version = readVersion(subject);
    await takeAll(context, hands, why, () => heldOf(db, version, AT_ONCE));
  } else if (action === 'ban') {
    const who = readAddress(subject);
    await takeAll(context, hands, why, () => heldByBanned(db, who, AT_ONCE));
  }
}

async function takeAll(
  context: Context,
  { apply }: Hands,
  why: string,
  next: () => Promise<readonly HeldLease[]>,
): Promise<void> {
  const { db, options } = context;
  const reason = `${WITHDRAWN}: ${why}`.slice(0, 200);
  for (;;) {
    const leases = await next();
    if (leases.length === 0) return;
    const happenings = leases.map(
      ({ leaseId }): Happening => ({ kind: 'loss', leaseId, why: reason, loss: 'excused' }),
    );
    const effects = await db.tx((sql) => settle(sql, happenings, rulesOf(context), options.clock.now()));
    for (const { leaseId, device } of leases) {
      effects.messages.push({ device, message: { type: 'cancel', leaseId, reason } });
    }
    apply(effects);
  }
}
