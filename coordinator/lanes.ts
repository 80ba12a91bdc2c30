import { z } from 'zod';
import { asFailure, fail } from '../core/errors.ts';
import { type Address, address, type Hex32, hex32, lane } from '../core/primitives.ts';
import type { Verification } from './checks.ts';
import { clawBack } from './clawback.ts';
import type { Context } from './context.ts';
import { holdSuspects, lockCredits, releaseLane } from './credits.ts';
import { amountColumn, integerColumn, one, type Sql } from './db.ts';
import { type Effects, mergeEffects, noEffects } from './effects.ts';
import { idleRechecks, orderRechecks, triesOf } from './extra-jobs.ts';
import { account } from './ledger.ts';
import { rulesOf } from './results.ts';
import { settle } from './settle.ts';
import { conductsOf, namesOf } from './standing.ts';
import { asOrderedNow } from './tariff.ts';
import { type Credit, judgeLane, type LaneVerdict } from './verification/maturity.ts';

/**
 * Judges lanes that are under suspicion. What calls for a judgement is in the books with the result that did, so that whoever comes
 * after a crash asks the same question and gets the same answer. Nothing is locked but the credits before it begins.
 */

const suspectedRow = z.object({ device: address, lane });
const laneRow = z.object({
  suspicion: hex32.nullable(),
  network: z.string().nullable(),
  events: integerColumn,
});
const accrualRow = z.object({
  lease_id: hex32,
  job_id: hex32,
  owner: address,
  amount: amountColumn,
  output_hash: hex32,
  ordinal: integerColumn,
  accepted_at: integerColumn,
  by_checks: z.boolean(),
  checked: z.enum(['right', 'wrong']).nullable(),
});
type Accrual = z.output<typeof accrualRow>;

const MOST = 100;

/**
 * Rechecks of one result. What none of them could say anything of goes back to who paid it, and nobody is struck for it: paid, it would be
 * worth a liar's while to see to it that its checks come to nothing; struck, others could do that to anybody.
 */
const MOST_TRIES = 3;

type Here = Pick<Context, 'db' | 'signer' | 'options' | 'verification'>;

type LaneName = z.output<typeof suspectedRow>;
type Judged = {
  readonly effects: Effects;
  readonly work: boolean;
  /** Where the next begin: there may be more behind it. */
  readonly last: LaneName | null;
};

/**
 * Judges lanes of which something is known that was not judged, or that wait for nothing: so many at a time, by turns, since those that
 * cannot be paid stay. Answers what is to be told, and whether there is new work.
 */
export async function judgeLanes(context: Here, after: LaneName | null = null): Promise<Judged> {
  const { db, options, verification } = context;
  const effects = noEffects();
  let work = false;
  if (verification === null) return { effects, work, last: null };
  const lanes = await db.query(
    suspectedRow,
    `SELECT device, lane FROM lanes WHERE suspicion IS NOT NULL AND (events > judged OR NOT EXISTS (
       SELECT 1 FROM accruals JOIN jobs ON jobs.suspect = accruals.lease_id
       WHERE accruals.device = lanes.device AND accruals.lane = lanes.lane AND jobs.state = 'queued'
     )) AND (device, lane) > ($2, $3) ORDER BY device, lane LIMIT $1`,
    [MOST, after?.device ?? '', after?.lane ?? ''],
  );
  for (const suspected of lanes) {
    try {
      const verdict = await db.tx((sql) => judge(sql, context, verification, suspected));
      if (verdict === null) continue;
      if (verdict.kind === 'unpaid') {
        work = true;
        continue;
      }
      options.log('warn', 'lane-judged', { ...suspected, verdict: verdict.kind });
      if (verdict.kind === 'recheck') work = true;
      if (verdict.kind !== 'forfeit') continue;
      mergeEffects(effects, await callOff(context, verdict.credits));
    } catch (error) {
      // Something came between; it is judged with that.
      options.log('warn', 'lane-not-judged', { ...suspected, message: asFailure(error).message });
    }
  }
  return { effects, work, last: lanes.length < MOST ? null : (lanes.at(-1) ?? null) };
}

async function judge(
  sql: Sql,
  { signer, options }: Here,
  { policy, secret }: Verification,
  { device, lane: name }: LaneName,
): Promise<LaneVerdict | { readonly kind: 'unpaid' } | null> {
  const at = options.clock.now();
  const maturedTo = await lockCredits(sql);
  const row = await one(sql, laneRow, 'SELECT suspicion, network, events FROM lanes WHERE device = $1 AND lane = $2', [
    device,
    name,
  ]);
  if (row === null || row.suspicion === null) return null;
  await holdSuspects(sql, at);
  const all = await sql.query(
    accrualRow,
    `SELECT lease_id, job_id, owner, amount::text, output_hash, ordinal, accepted_at, by_checks, checked FROM accruals
     WHERE device = $1 AND lane = $2 ORDER BY ordinal`,
    [device, name],
  );
  const wrong = all.filter(({ checked }) => checked === 'wrong');
  await clawBack(sql, signer, idsOf(wrong), 'others computed another output', at);
  const tries = await triesOf(sql, idsOf(all.filter(({ checked }) => checked === null)));
  const isUnproven = ({ lease_id: leaseId }: Accrual) => (tries.get(leaseId) ?? 0) >= MOST_TRIES;
  await clawBack(sql, signer, idsOf(all.filter(isUnproven)), 'nobody could say whether the output was right', at);
  const rest = all.filter((accrual) => accrual.checked !== 'wrong' && !isUnproven(accrual));
  const owner = all[0]?.owner ?? (await ownerOf(sql, device));
  const names = namesOf(device, { owner, network: row.network });
  const conducts = await conductsOf(sql, names, at, policy);
  const verdict = judgeLane(secret, row.suspicion, rest.map(creditOf), conducts, policy);
  let settled = true;
  if (verdict.kind === 'forfeit') {
    const why = 'several results of this device were wrong: all of this lane that was not mature goes back';
    await clawBack(sql, signer, idsOf(rest), why, at);
  } else if (verdict.kind === 'recheck') {
    const chosen = new Set(verdict.leases);
    const suspects = rest.flatMap(({ lease_id: leaseId, job_id: jobId, output_hash: outputHash }) =>
      chosen.has(leaseId) ? [{ leaseId, jobId, outputHash, tries: tries.get(leaseId) ?? 0 }] : [],
    );
    settled = await orderRechecks(sql, secret, signer.address, suspects, (then) => asOrderedNow(options, then), at);
  }
  // A result that was judged meanwhile is an event more: then nothing of this happens, and all is asked again.
  const written = await sql.exec(
    `UPDATE lanes SET judged = CASE WHEN $5 THEN events ELSE judged END,
       suspicion = CASE WHEN $4 THEN NULL ELSE suspicion END
     WHERE device = $1 AND lane = $2 AND events = $3`,
    [device, name, row.events, verdict.kind !== 'recheck', settled],
  );
  if (written === 0) fail('CONFLICT', 'a result came while the lane was judged', { device });
  if (verdict.kind === 'release') await releaseLane(sql, row.suspicion, maturedTo, at);
  return settled ? verdict : { kind: 'unpaid' };
}

const idsOf = (accruals: readonly Accrual[]): readonly Hex32[] => accruals.map(({ lease_id }) => lease_id);

const creditOf = (row: Accrual): Credit => ({
  ...{ leaseId: row.lease_id, amount: row.amount, acceptedAt: row.accepted_at, ordinal: row.ordinal },
  // Who is paid back is what the books say of each: clawback.ts.
  payer: row.by_checks ? account.checks : account.hold(row.job_id),
  checked: row.checked === 'right',
  checking: false,
});

async function ownerOf(sql: Sql, device: Address): Promise<Address> {
  const row = await one(sql, z.object({ owner: address }), 'SELECT owner FROM devices WHERE device = $1', [device]);
  return row?.owner ?? fail('INTERNAL', 'a device with a lane is not enrolled', { device });
}

/** Checks of what went back that nobody has begun; those that are under way are seen through and paid. */
async function callOff(context: Here, credits: readonly Credit[]): Promise<Effects> {
  const { db, options } = context;
  const jobIds = await idleRechecks(
    db,
    credits.map(({ leaseId }) => leaseId),
  );
  if (jobIds.length === 0) return noEffects();
  const cancels = jobIds.map((jobId) => ({ kind: 'cancel', jobId }) as const);
  return await db.tx((sql) => settle(sql, cancels, rulesOf(context), options.clock.now()));
}

/** Bonds that were left behind go back to who paid them. */
export async function returnBonds({ db, signer, options, verification }: Here): Promise<void> {
  if (verification === null) return;
  const { maturity, faults } = verification.policy;
  const at = options.clock.now();
  await db.tx(async (sql) => {
    await lockCredits(sql);
    const rows = await sql.query(
      z.object({ lease_id: hex32 }),
      `SELECT accruals.lease_id FROM accruals LEFT JOIN lane_cuts USING (device, lane)
       WHERE ordinal <= $1 AND accepted_at < $2 AND (lane_cuts.counted IS NULL OR lane_cuts.counted - ordinal < $3)
       ORDER BY accruals.lease_id LIMIT $4`,
      [maturity.bond, at - faults.memoryMs, maturity.jobs, MOST],
    );
    await clawBack(
      sql,
      signer,
      rows.map((row) => row.lease_id),
      'a bond that was left behind',
      at,
    );
  });
}
