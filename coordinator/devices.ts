import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { type Address, address, type Signature, type UnixMs } from '../core/primitives.ts';
import type { Struct } from '../core/typed-data.ts';
import { bannedAmong } from './bans.ts';
import { integerColumn, one, type Sql } from './db.ts';

const deviceRow = z.object({
  device: address,
  owner: address,
  issued_at: integerColumn,
  expires_at: integerColumn,
  blocked: z.string().nullable(),
  /** Why it or its owner is banned; null: neither is. */
  banned: z.string().nullable(),
});
export type Device = z.output<typeof deviceRow>;

export const findDevice = (sql: Sql, device: Address): Promise<Device | null> =>
  one(
    sql,
    deviceRow,
    `SELECT device, owner, issued_at, expires_at, blocked, (
       SELECT why FROM bans WHERE bans.address = devices.device OR bans.address = devices.owner LIMIT 1) AS banned
     FROM devices WHERE device = $1`,
    [device],
  );

/** One that may work here. Throws UNAUTHORISED or REFUSED. */
export async function requireDevice(sql: Sql, device: Address, now: UnixMs): Promise<Device> {
  const found = await findDevice(sql, device);
  if (found === null || found.expires_at <= now)
    return fail('UNAUTHORISED', 'the device is not enrolled; enrol it first');
  if (found.banned !== null) fail('REFUSED', `banned from this network: ${found.banned}`);
  if (found.blocked !== null) fail('REFUSED', `the device is blocked: ${found.blocked}`);
  return found;
}

/**
 * Stores an enrolment whose signature was checked; the newest of the same owner stands. Throws REFUSED when either is banned, or the device belongs
 * to another owner: whoever has seen a device's address could otherwise take over what it earns.
 */
export async function enrol(sql: Sql, value: Struct<'Enrollment'>, signature: Signature, now: UnixMs): Promise<void> {
  if (value.expiresAt <= now) fail('REFUSED', 'the enrolment has expired; sign a new one', { device: value.device });
  const [why] = (await bannedAmong(sql, [value.device, value.owner])).values();
  if (why !== undefined) fail('REFUSED', `banned from this network: ${why}`, { device: value.device });
  const known = await findDevice(sql, value.device);
  if (known !== null && known.owner !== value.owner) {
    fail('REFUSED', 'the device is enrolled by another owner', { device: value.device });
  }
  await sql.exec(
    `INSERT INTO devices (device, owner, issued_at, expires_at, signature) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (device) DO UPDATE SET issued_at = EXCLUDED.issued_at, expires_at = EXCLUDED.expires_at,
       signature = EXCLUDED.signature WHERE devices.issued_at < EXCLUDED.issued_at`,
    [value.device, value.owner, value.issuedAt, value.expiresAt, signature],
  );
}

/** For good: a device that signed two different reports with one sequence earns nothing more. */
export async function block(sql: Sql, device: Address, why: string): Promise<void> {
  await sql.exec('UPDATE devices SET blocked = $2 WHERE device = $1', [device, why]);
}
