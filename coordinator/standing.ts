import { z } from 'zod';
import type { Amount } from '../core/money.ts';
import { type Address, address, type Lane, type UnixMs } from '../core/primitives.ts';
import type { Context } from './context.ts';
import { amountColumn, integerColumn, type Sql } from './db.ts';
import type { VerificationPolicy } from './verification/policy.ts';
import { type Conduct, conductOf, dayOf, NO_TRUST, type Party, type Trust } from './verification/trust.ts';

/** What is remembered of devices, owners and networks, read for many at once. */

/** What a session is told of its device. */
export type Standing = { readonly trustedWith: ReadonlySet<string>; readonly restUntil: UnixMs };
export const NO_STANDING: Standing = { trustedWith: new Set(), restUntil: 0 };

const restRow = z.object({ device: address, rest_until: integerColumn });
const kindRow = z.object({ device: address, kind: z.string() });

export async function standingsOf(
  sql: Sql,
  devices: readonly Address[],
  { trustedAfter }: VerificationPolicy,
): Promise<ReadonlyMap<Address, Standing>> {
  const rests = await sql.query(restRow, 'SELECT device, rest_until FROM devices WHERE device = ANY ($1::text[])', [
    devices,
  ]);
  const kinds = await sql.query(
    kindRow,
    'SELECT device, kind FROM trust WHERE device = ANY ($1::text[]) AND valid >= $2',
    [devices, trustedAfter],
  );
  const standings = new Map<Address, { trustedWith: Set<string>; restUntil: UnixMs }>();
  for (const { device, rest_until } of rests) standings.set(device, { trustedWith: new Set(), restUntil: rest_until });
  for (const { device, kind } of kinds) standings.get(device)?.trustedWith.add(kind);
  return standings;
}

export async function standingOf(
  { db, verification }: Pick<Context, 'db' | 'verification'>,
  device: Address,
): Promise<Standing> {
  if (verification === null) return NO_STANDING;
  return (await standingsOf(db, [device], verification.policy)).get(device) ?? NO_STANDING;
}

export type Asked = { readonly device: Address; readonly kind: string; readonly lane: Lane };
export type TrackRecord = { readonly trust: Trust; readonly stake: Amount };

const recordRow = z.object({ place: integerColumn, valid: integerColumn, stake: amountColumn });

/** The record of each with that kind of work, and what it would lose in the lane; in the order in which they are asked for. */
export async function recordsOf(sql: Sql, asked: readonly Asked[]): Promise<readonly TrackRecord[]> {
  if (asked.length === 0) return [];
  const rows = await sql.query(
    recordRow,
    `SELECT asked.place, COALESCE(trust.valid, 0) AS valid,
       (COALESCE(lanes.earned, 0) - COALESCE(lane_cuts.released, 0))::text AS stake
     FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS asked (device, kind, lane, place)
     LEFT JOIN trust ON trust.device = asked.device AND trust.kind = asked.kind
     LEFT JOIN lanes ON lanes.device = asked.device AND lanes.lane = asked.lane
     LEFT JOIN lane_cuts ON lane_cuts.device = asked.device AND lane_cuts.lane = asked.lane
     ORDER BY asked.place`,
    [asked.map(({ device }) => device), asked.map(({ kind }) => kind), asked.map(({ lane }) => lane)],
  );
  return rows.map(({ valid, stake }) => ({ trust: { ...NO_TRUST, valid }, stake }));
}

/** Whose conduct a result is: that of its device, its owner and its line. */
export const namesOf = (device: Address, { owner, network }: Party): readonly string[] => [
  ...[`device ${device}`, `owner ${owner}`],
  ...(network === null ? [] : [`network ${network}`]),
];

const dayRow = z.object({ name: z.string(), day: integerColumn, checked: integerColumn, bad: integerColumn });

/** As far back as is remembered, in the order of the names. */
export async function conductsOf(
  sql: Sql,
  names: readonly string[],
  at: UnixMs,
  policy: VerificationPolicy,
): Promise<readonly Conduct[]> {
  const rows = await sql.query(
    dayRow,
    'SELECT name, day, checked, bad FROM conduct WHERE name = ANY ($1::text[]) AND day >= $2',
    [names, dayOf(at - policy.faults.memoryMs)],
  );
  return names.map((name) =>
    conductOf(
      rows.filter((row) => row.name === name),
      at,
      policy,
    ),
  );
}
