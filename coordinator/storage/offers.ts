import { z } from 'zod';
import { type Address, address, type UnixMs } from '../../core/primitives.ts';
import { NEW_STANDING } from '../../core/storage-terms.ts';
import type { StorageOffer } from '../../core/wire-storage.ts';
import type { Sql } from '../db.ts';
import type { Peer } from '../peer.ts';
import { LIVE } from './rows.ts';

/** How often it is noted who is connected. */
export const SEEN_EVERY_MS = 20_000;
/** Who was not noted for so long is not connected, as far as new shards go. */
const HERE_WITHIN_MS = 4 * SEEN_EVERY_MS;

/**
 * What a device lends to others' shards, in place of what it said before. What it holds beyond that is to be moved, the newest first; with null
 * it says nothing of what it holds, and gets nothing new.
 */
export async function stateStorage(
  sql: Sql,
  { device, owner, network }: Pick<Peer, 'device' | 'owner' | 'network'>,
  offer: StorageOffer | null,
  now: UnixMs,
): Promise<void> {
  if (offer === null) {
    return void (await sql.exec('UPDATE storage_devices SET lent_bytes = NULL WHERE device = $1', [device]));
  }
  await sql.exec(
    `INSERT INTO storage_devices (device, owner, network, lent_bytes, used_bytes, seen_at, alpha, beta)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (device) DO UPDATE SET owner = EXCLUDED.owner, network = EXCLUDED.network, lent_bytes = EXCLUDED.lent_bytes,
       used_bytes = EXCLUDED.used_bytes, seen_at = GREATEST(storage_devices.seen_at, EXCLUDED.seen_at)`,
    [device, owner, network, offer.lentBytes, offer.usedBytes, now, NEW_STANDING.alpha, NEW_STANDING.beta],
  );
  await sql.exec(
    `UPDATE agreements SET moving = placed.moving FROM (
       SELECT agreement_id, SUM(bytes) OVER (ORDER BY created_at, agreement_id) > $2 AS moving FROM agreements
       WHERE device = $1 AND ${LIVE}
     ) AS placed WHERE agreements.agreement_id = placed.agreement_id AND agreements.moving <> placed.moving`,
    [device, offer.lentBytes],
  );
}

/** Those of them that keep something, or lend room, are there now. */
export async function noteSeen(sql: Sql, devices: readonly Address[], now: UnixMs): Promise<void> {
  if (devices.length === 0) return;
  await sql.exec('UPDATE storage_devices SET seen_at = $2 WHERE device = ANY ($1::text[]) AND seen_at < $2', [
    devices,
    now,
  ]);
}

const candidate = z.object({ device: address, owner: address, network: z.string().nullable() });
export type Candidate = z.output<typeof candidate>;

/**
 * Devices that are connected, have room for so many bytes beside what they have promised to take, and are in good standing. None that is
 * banned, blocked, or not enrolled any more.
 */
export const storageCandidates = (sql: Sql, bytes: number, now: UnixMs): Promise<readonly Candidate[]> =>
  sql.query(
    candidate,
    `SELECT storage_devices.device, storage_devices.owner, network FROM storage_devices JOIN devices USING (device)
     LEFT JOIN (
       SELECT device, SUM(bytes) AS promised, COALESCE(SUM(bytes) FILTER (WHERE state = 'open'), 0) AS coming
       FROM agreements WHERE ${LIVE} GROUP BY device
     ) AS taken USING (device)
     WHERE lent_bytes - GREATEST(used_bytes + COALESCE(coming, 0), COALESCE(promised, 0)) >= $1 AND seen_at > $2
       AND COALESCE(suspended_until, 0) <= $3 AND devices.expires_at > $3 AND devices.blocked IS NULL
       AND NOT EXISTS (SELECT 1 FROM bans WHERE bans.address IN (storage_devices.device, storage_devices.owner))
     ORDER BY storage_devices.device`,
    [bytes, now - HERE_WITHIN_MS, now],
  );
