import { z } from 'zod';
import { type Address, address, type Hex32, hex32, type UnixMs } from '../core/primitives.ts';
import type { Sql } from './db.ts';
import { HELD } from './leases.ts';

/** Of owners and of devices: of an owner all devices are meant. */

const row = z.object({ address, why: z.string() });

export async function ban(sql: Sql, who: Address, why: string, at: UnixMs): Promise<void> {
  await sql.exec('INSERT INTO bans (address, why, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [who, why, at]);
}

/** Answers whether there was one. */
export const unban = async (sql: Sql, who: Address): Promise<boolean> =>
  (await sql.exec('DELETE FROM bans WHERE address = $1', [who])) > 0;

/** Those of them that are banned, with the reason. */
export async function bannedAmong(sql: Sql, who: readonly Address[]): Promise<ReadonlyMap<Address, string>> {
  if (who.length === 0) return new Map();
  const rows = await sql.query(row, 'SELECT address, why FROM bans WHERE address = ANY ($1::text[])', [who]);
  return new Map(rows.map((one) => [one.address, one.why]));
}

const leaseRow = z.object({ lease_id: hex32, device: address });
export type HeldLease = { readonly leaseId: Hex32; readonly device: Address };
const held = (rows: readonly z.output<typeof leaseRow>[]): readonly HeldLease[] =>
  rows.map((one) => ({ leaseId: one.lease_id, device: one.device }));

/** Some of what an owner's devices, or a device, hold, as long as it is banned. */
export const heldByBanned = async (sql: Sql, who: Address, most: number): Promise<readonly HeldLease[]> =>
  held(
    await sql.query(
      leaseRow,
      `SELECT lease_id, device FROM leases
       WHERE ${HELD} AND device = ANY (ARRAY(SELECT device FROM devices WHERE owner = $1 OR device = $1))
         AND EXISTS (SELECT 1 FROM bans WHERE address = $1) LIMIT $2`,
      [who, most],
    ),
  );

/** Some of the leases under way of a version of a workload, as long as it is disabled: an old order that comes again ends nothing. */
export const heldOf = async (
  sql: Sql,
  { workload, version }: { readonly workload: string; readonly version: string },
  most: number,
): Promise<readonly HeldLease[]> =>
  held(
    await sql.query(
      leaseRow,
      `SELECT leases.lease_id, leases.device FROM leases JOIN jobs ON jobs.job_id = leases.job_id
       WHERE ${HELD} AND jobs.workload = $1 AND jobs.version = $2
         AND EXISTS (SELECT 1 FROM disabled_workloads WHERE workload = $1 AND version = $2) LIMIT $3`,
      [workload, version, most],
    ),
  );
