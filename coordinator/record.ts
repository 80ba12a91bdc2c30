import { z } from 'zod';
import { type Address, address, type Hex32, hex32, type Lane, lane, type UnixMs } from '../core/primitives.ts';
import { isCompared, wordOnSuspect } from './checks.ts';
import { integerColumn, type Sql } from './db.ts';
import type { DecidedJob } from './jobs.ts';
import type { LeaseRow } from './leases.ts';
import { conductsOf, namesOf } from './standing.ts';
import type { VerificationPolicy } from './verification/policy.ts';
import { afterBad, afterValid, countAsOne, dayOf, type Party, restsUntil, type Trust } from './verification/trust.ts';
import { type JobDecision, workloadKey } from './verify.ts';

/** What settled jobs say of those who did them, written in the transaction that settles them: some statements for all. */

/** A job at its end. */
export type Concluded = {
  readonly job: DecidedJob;
  readonly decision: Exclude<JobDecision, { kind: 'open' }>;
  readonly leases: readonly LeaseRow[];
  /** The first so many accepted copies are paid by the consumer. */
  readonly consumers: number;
};

type Accrual = {
  readonly lease: LeaseRow;
  readonly job: DecidedJob;
  readonly byChecks: boolean;
  readonly checked: boolean;
};
/** Of one result that was compared, what it says of its device. */
type Word = Party & { readonly device: Address; readonly kind: string };
type Praise = Word & { readonly partners: readonly Party[] };
type Strike = Word & { readonly lane: Lane; readonly leaseId: Hex32 };
type Findings = {
  readonly accruals: Accrual[];
  readonly good: Praise[];
  readonly bad: Strike[];
  readonly suspects: { readonly leaseId: Hex32; readonly wrong: boolean; readonly kind: string }[];
  readonly agreed: { readonly jobId: Hex32; readonly kind: string }[];
};

const partyOf = ({ owner, network }: LeaseRow): Party => ({ owner, network });

function findingsOf(ends: readonly Concluded[]): Findings {
  const found: Findings = { accruals: [], good: [], bad: [], suspects: [], agreed: [] };
  for (const { job, decision, leases, consumers } of ends) {
    const kind = workloadKey(job.workload, job.image);
    const accepted = decision.kind === 'failed' ? [] : decision.accepted;
    const right = leases.filter(({ lease_id }) => accepted.includes(lease_id));
    const compared = decision.kind === 'settled' && isCompared(job, leases);
    for (const [at, lease] of right.entries()) {
      found.accruals.push({ lease, job, byChecks: at >= consumers, checked: compared });
    }
    const word = job.suspect === null ? null : wordOnSuspect(decision);
    // Without a word it stays open, and whoever judges its lane has it checked again.
    if (job.suspect !== null && word !== null) {
      found.suspects.push({ leaseId: job.suspect, wrong: word === 'wrong', kind });
    }
    if (!compared) continue;
    for (const lease of right) {
      // Of a job of the network's own nobody else works at the same time, so that it makes nobody trusted.
      const partners = job.about !== null ? [] : right.filter((other) => !countAsOne(other, lease)).map(partyOf);
      found.good.push({ ...partyOf(lease), device: lease.device, kind, partners });
    }
    for (const lease of leases) {
      if (!decision.rejected.includes(lease.lease_id)) continue;
      found.bad.push({ ...partyOf(lease), device: lease.device, kind, lane: job.lane, leaseId: lease.lease_id });
    }
    if (job.about === null) found.agreed.push({ jobId: job.job_id, kind });
  }
  return found;
}

/** Whether the network has paid for a copy, or may have: who gets that back is in the books of verification alone. */
const isPaidByChecks = ({ job }: Concluded): boolean => job.about !== null || job.checks_hold > 0n;

/**
 * Answers the devices of which something is known that was not. Without a policy, what began under one is seen through: who paid for
 * each copy is kept, and what a recheck showed; nobody is trusted for it, and no lane is held.
 */
export async function record(
  sql: Sql,
  all: readonly Concluded[],
  policy: VerificationPolicy | null,
  at: UnixMs,
): Promise<readonly Address[]> {
  const ends = policy === null ? all.filter(isPaidByChecks) : all;
  if (ends.length === 0) return [];
  const { accruals, good, suspects, agreed, ...found } = findingsOf(ends);
  await accrue(sql, accruals, at);
  const refuted = await judgeSuspects(sql, suspects);
  if (policy === null) {
    await keepConduct(sql, [], refuted, at);
    return [];
  }
  const bad = [...found.bad, ...refuted];
  await keepConduct(sql, good, bad, at);
  await keepTrust(sql, good, bad, policy);
  await strike(sql, bad, policy, at);
  if (agreed.length > 0) {
    await sql.exec(
      `INSERT INTO agreed (job_id, kind, at) SELECT job_id, kind, $3::bigint FROM unnest($1::text[], $2::text[])
         AS fresh (job_id, kind) ON CONFLICT DO NOTHING`,
      [agreed.map(({ jobId }) => jobId), agreed.map(({ kind }) => kind), at],
    );
  }
  return [...new Set([...good, ...bad].map(({ device }) => device))];
}

/** Numbers the accepted leases of each device and lane, in the order in which they were accepted. */
async function accrue(sql: Sql, accruals: readonly Accrual[], at: UnixMs): Promise<void> {
  if (accruals.length === 0) return;
  const leases = accruals.map(({ lease }) => lease);
  await sql.exec(
    `WITH fresh AS MATERIALIZED (
       SELECT *, row_number() OVER (PARTITION BY device, lane ORDER BY place DESC) - 1 AS later FROM unnest($1::text[], $2::text[],
         $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::numeric[], $9::boolean[], $10::boolean[])
         WITH ORDINALITY
         AS fresh (lease_id, job_id, device, owner, network, lane, output_hash, amount, by_checks, right_one, place)
     ), counted AS (
       INSERT INTO lanes (device, lane, latest, earned)
       SELECT device, lane, COUNT(*), SUM(amount) FROM fresh GROUP BY device, lane ORDER BY device, lane
       ON CONFLICT (device, lane) DO UPDATE
         SET latest = lanes.latest + EXCLUDED.latest, earned = lanes.earned + EXCLUDED.earned
       RETURNING device, lane, latest
     )
     INSERT INTO accruals (lease_id, job_id, device, owner, network, lane, output_hash, amount, ordinal, accepted_at,
       by_checks, checked)
     SELECT lease_id, job_id, fresh.device, owner, network, fresh.lane, output_hash, amount,
       counted.latest - later, $11::bigint, by_checks, CASE WHEN right_one THEN 'right' END
     FROM fresh JOIN counted USING (device, lane)`,
    [
      ...[leases.map(({ lease_id }) => lease_id), leases.map(({ job_id }) => job_id)],
      ...[leases.map(({ device }) => device), leases.map(({ owner }) => owner), leases.map(({ network }) => network)],
      ...[accruals.map(({ job }) => job.lane), leases.map(({ output_hash }) => output_hash)],
      accruals.map(({ job }) => job.pay.toString()),
      ...[accruals.map(({ byChecks }) => byChecks), accruals.map(({ checked }) => checked), at],
    ],
  );
}

const suspectRow = z.object({
  ...{ lease_id: hex32, device: address, owner: address, network: z.string().nullable(), lane },
  checked: z.enum(['right', 'wrong']),
});

/** Writes what their checks showed; answers those that were wrong. What is mature or was taken back has no more to lose. */
async function judgeSuspects(sql: Sql, suspects: Findings['suspects']): Promise<readonly Strike[]> {
  if (suspects.length === 0) return [];
  const rows = await sql.query(
    suspectRow,
    `UPDATE accruals SET checked = CASE WHEN told.wrong THEN 'wrong' ELSE 'right' END
     FROM unnest($1::text[], $2::boolean[]) AS told (lease_id, wrong)
     WHERE accruals.lease_id = told.lease_id AND accruals.checked IS NULL
     RETURNING accruals.lease_id, device, owner, network, lane, checked`,
    [suspects.map(({ leaseId }) => leaseId), suspects.map(({ wrong }) => wrong)],
  );
  await sql.exec(
    `UPDATE lanes SET events = events + 1 FROM (
       SELECT DISTINCT device, lane FROM unnest($1::text[], $2::text[]) AS told (device, lane)
     ) AS told WHERE lanes.device = told.device AND lanes.lane = told.lane`,
    [rows.map(({ device }) => device), rows.map((row) => row.lane)],
  );
  const kinds = new Map(suspects.map(({ leaseId, kind }) => [leaseId, kind]));
  return rows.flatMap(({ lease_id: leaseId, checked, ...word }) =>
    checked === 'right' ? [] : [{ ...word, leaseId, kind: kinds.get(leaseId) ?? '' }],
  );
}

async function keepConduct(sql: Sql, good: readonly Word[], bad: readonly Word[], at: UnixMs): Promise<void> {
  const counts = new Map<string, { checked: number; bad: number }>();
  const add = ({ device, ...party }: Word, isBad: boolean) => {
    for (const name of namesOf(device, party)) {
      const count = counts.get(name) ?? { checked: 0, bad: 0 };
      counts.set(name, count);
      count.checked += 1;
      count.bad += Number(isBad);
    }
  };
  for (const word of good) add(word, false);
  for (const word of bad) add(word, true);
  if (counts.size === 0) return;
  await sql.exec(
    `INSERT INTO conduct (name, day, checked, bad)
     SELECT name, $4::int, checked, bad FROM unnest($1::text[], $2::int[], $3::int[]) AS fresh (name, checked, bad) ORDER BY name
     ON CONFLICT (name, day) DO UPDATE
       SET checked = conduct.checked + EXCLUDED.checked, bad = conduct.bad + EXCLUDED.bad`,
    [
      [...counts.keys()],
      ...[[...counts.values()].map(({ checked }) => checked), [...counts.values()].map((count) => count.bad)],
      dayOf(at),
    ],
  );
}

const trustRow = z.object({
  device: address,
  kind: z.string(),
  valid: integerColumn,
  partners: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(z.array(z.object({ owner: address, network: z.string().nullable() }))),
});

async function keepTrust(
  sql: Sql,
  good: readonly Praise[],
  bad: readonly Strike[],
  policy: VerificationPolicy,
): Promise<void> {
  const keyOf = ({ device, kind }: Pick<Word, 'device' | 'kind'>): string => `${device} ${kind}`;
  const praised = good.filter(({ partners }) => partners.length > 0);
  const named = [...new Map([...praised, ...bad].map((word) => [keyOf(word), word])).values()];
  if (named.length === 0) return;
  // Made and locked in one go, in one order.
  const rows = await sql.query(
    trustRow,
    `INSERT INTO trust (device, kind, valid, partners)
     SELECT device, kind, 0, '[]' FROM unnest($1::text[], $2::text[]) AS fresh (device, kind) ORDER BY device, kind
     ON CONFLICT (device, kind) DO UPDATE SET device = EXCLUDED.device RETURNING device, kind, valid, partners`,
    [named.map(({ device }) => device), named.map(({ kind }) => kind)],
  );
  const trusts = new Map(rows.map(({ valid, partners, ...row }): [string, Trust] => [keyOf(row), { valid, partners }]));
  for (const word of praised) {
    const before = trusts.get(keyOf(word));
    if (before !== undefined) trusts.set(keyOf(word), afterValid(before, word.partners, policy));
  }
  for (const word of bad) trusts.set(keyOf(word), afterBad());
  const after = named.flatMap((word) => {
    const trust = trusts.get(keyOf(word));
    return trust === undefined ? [] : [{ ...word, ...trust }];
  });
  await sql.exec(
    `UPDATE trust SET valid = fresh.valid, partners = fresh.partners
     FROM unnest($1::text[], $2::text[], $3::int[], $4::text[]) AS fresh (device, kind, valid, partners)
     WHERE trust.device = fresh.device AND trust.kind = fresh.kind`,
    [
      ...[after.map(({ device }) => device), after.map(({ kind }) => kind), after.map(({ valid }) => valid)],
      after.map(({ partners }) => JSON.stringify(partners)),
    ],
  );
}

/** Holds the lanes until they are judged, and gives their devices a rest. */
async function strike(sql: Sql, bad: readonly Strike[], policy: VerificationPolicy, at: UnixMs): Promise<void> {
  if (bad.length === 0) return;
  const devices = [...new Set(bad.map(({ device }) => device))].sort();
  const conducts = await conductsOf(
    sql,
    devices.map((device) => `device ${device}`),
    at,
    policy,
  );
  await sql.exec(
    `UPDATE devices SET rest_until = GREATEST(rest_until, resting.until)
     FROM unnest($1::text[], $2::bigint[]) AS resting (device, until) WHERE devices.device = resting.device`,
    [devices, conducts.map((conduct) => restsUntil(conduct, at, policy))],
  );
  await sql.exec(
    `UPDATE lanes SET suspicion = COALESCE(lanes.suspicion, struck.lease_id), network = struck.network, events = events + 1
     FROM (
       SELECT DISTINCT ON (device, lane) * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
         AS struck (device, lane, lease_id, network) ORDER BY device, lane
     ) AS struck WHERE lanes.device = struck.device AND lanes.lane = struck.lane`,
    [
      ...[bad.map(({ device }) => device), bad.map((one) => one.lane), bad.map(({ leaseId }) => leaseId)],
      bad.map(({ network }) => network),
    ],
  );
}
