import { z } from 'zod';
import { type Address, address, type UnixMs } from '../core/primitives.ts';
import type { EdgeOffer } from '../core/wire-content.ts';
import type { Sql } from './db.ts';
import type { Peer } from './peer.ts';
import { type Secret, shuffled } from './verification/draw.ts';
import { countAsOne, type Party } from './verification/trust.ts';

/** An offer that was not stated again for so long is no offer: its device has gone without a word. */
export const OFFER_LIVES_MS = 3_600_000;

/** What a device lends to published content, in place of what it said before. */
export async function stateOffer(
  sql: Sql,
  { device, owner, network }: Pick<Peer, 'device' | 'owner' | 'network'>,
  offer: EdgeOffer | null,
  now: UnixMs,
): Promise<void> {
  if (offer === null) return void (await sql.exec('DELETE FROM edge_offers WHERE device = $1', [device]));
  await sql.exec(
    `INSERT INTO edge_offers (device, owner, network, free_bytes, used_bytes, stated_at) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (device) DO UPDATE SET owner = EXCLUDED.owner, network = EXCLUDED.network,
       free_bytes = EXCLUDED.free_bytes, used_bytes = EXCLUDED.used_bytes, stated_at = EXCLUDED.stated_at`,
    [device, owner, network, offer.freeBytes, offer.usedBytes, now],
  );
}

const candidate = z.object({ device: address, owner: address, network: z.string().nullable() });
export type Candidate = Party & { readonly device: Address };

/**
 * Devices that lend room for so many bytes: what is free, and what an unpopular chunk gives way from. None that is banned, blocked, or
 * not enrolled any more.
 */
export const candidatesFor = (sql: Sql, bytes: number, now: UnixMs): Promise<readonly Candidate[]> =>
  sql.query(
    candidate,
    `SELECT edge_offers.device, edge_offers.owner, edge_offers.network FROM edge_offers JOIN devices USING (device)
     WHERE free_bytes + used_bytes >= $1 AND stated_at > $2 AND devices.expires_at > $3 AND devices.blocked IS NULL
       AND NOT EXISTS (SELECT 1 FROM bans WHERE bans.address IN (edge_offers.device, edge_offers.owner))
     ORDER BY edge_offers.device`,
    [bytes, now - OFFER_LIVES_MS, now],
  );

/**
 * Up to `count` of them in an order that nobody outside can foresee: no two of one owner or one network, none that counts as one with
 * those that are `taken`, and none of the publisher's own.
 */
export function chooseEdges(
  candidates: readonly Candidate[],
  asked: { readonly count: number; readonly taken: readonly Party[]; readonly publisher: Address },
  by: { readonly secret: Secret; readonly salt: string },
): readonly Candidate[] {
  const chosen: Candidate[] = [];
  for (const one of shuffled(by.secret, 'edge', by.salt, candidates)) {
    if (chosen.length >= asked.count) break;
    if (one.owner === asked.publisher) continue;
    if (![...asked.taken, ...chosen].some((other) => countAsOne(one, other))) chosen.push(one);
  }
  return chosen;
}
