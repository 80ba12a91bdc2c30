import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { API } from '../core/api.ts';
import { fail } from '../core/errors.ts';
import { grantFault, parseGrant } from '../core/grant.ts';
import { type Address, address, type Hex32, hex32, type UnixMs } from '../core/primitives.ts';
import type { ContentOrder, ContentView } from '../core/wire-content.ts';
import type { Context } from './context.ts';
import { integerColumn, one, type Sql } from './db.ts';
import { candidatesFor, chooseEdges, OFFER_LIVES_MS } from './edge-offers.ts';
import type { App } from './http.ts';
import { serve } from './router.ts';
import { requireSigned } from './signing.ts';

/** Of one publisher; a list of what else there is would cost more than it tells. */
export const MOST_CONTENTS = 10_000;

const contentRow = z.object({
  content: hex32,
  publisher: address,
  manifest_bytes: integerColumn,
  bytes: integerColumn,
  chunks: integerColumn,
  published_at: integerColumn,
});
type ContentRow = z.output<typeof contentRow>;
/** Owner and network are those of its enrolment and its newest offer; null: it lends nothing now. */
const placeRow = z.object({ device: address, owner: address, network: z.string().nullable(), lends: z.boolean() });

const findContent = (sql: Sql, content: Hex32): Promise<ContentRow | null> =>
  one(sql, contentRow, 'SELECT * FROM contents WHERE content = $1', [content]);

const placesOf = (sql: Sql, content: Hex32, now: UnixMs): Promise<readonly z.output<typeof placeRow>[]> =>
  sql.query(
    placeRow,
    `SELECT device, devices.owner, edge_offers.network, COALESCE(edge_offers.stated_at > $2, FALSE) AS lends
     FROM content_devices JOIN devices USING (device) LEFT JOIN edge_offers USING (device)
     WHERE content = $1 ORDER BY lends DESC, random()`,
    [content, now - OFFER_LIVES_MS],
  );

async function viewOf(sql: Sql, row: ContentRow, now: UnixMs): Promise<ContentView> {
  const devices = (await placesOf(sql, row.content, now)).map(({ device, lends }) => ({ device, lends }));
  const { content, publisher, bytes, chunks, manifest_bytes: manifestBytes, published_at: publishedAt } = row;
  return { content, publisher, manifestBytes, bytes, chunks, publishedAt, devices };
}

/**
 * Registers a content, or finds it registered, and brings its devices up to the number that is asked for. Throws CONFLICT when its name or its
 * sizes are taken by another, and TOO_MANY.
 */
export async function publish(sql: Sql, publisher: Address, order: ContentOrder, now: UnixMs): Promise<ContentView> {
  const { content, manifestBytes, bytes, chunks } = order;
  await sql.exec(
    `INSERT INTO contents (content, publisher, manifest_bytes, bytes, chunks, published_at)
     SELECT $1, $2, $3, $4, $5, $6 WHERE (SELECT COUNT(*) FROM contents WHERE publisher = $2) < $7
     ON CONFLICT DO NOTHING`,
    [content, publisher, manifestBytes, bytes, chunks, now, MOST_CONTENTS],
  );
  // Who asks for devices of one content at once does so one after the other.
  const row =
    (await one(sql, contentRow, 'SELECT * FROM contents WHERE content = $1 FOR UPDATE', [content])) ??
    fail('TOO_MANY', `an account publishes up to ${MOST_CONTENTS} contents`);
  const same = row.manifest_bytes === manifestBytes && row.bytes === bytes && row.chunks === chunks;
  if (row.publisher !== publisher || !same) fail('CONFLICT', 'this content is registered otherwise', { content });
  if (order.without.length > 0) {
    await sql.exec('DELETE FROM content_devices WHERE content = $1 AND device = ANY ($2::text[])', [
      content,
      order.without,
    ]);
  }
  const taken = await placesOf(sql, content, now);
  const avoided = new Set([...order.without, ...taken.map(({ device }) => device)]);
  const candidates = (await candidatesFor(sql, manifestBytes + bytes, now)).filter((one) => !avoided.has(one.device));
  const count = order.copies - taken.length;
  // Drawn anew each time: nothing is to be learnt by asking again but other devices.
  const by = { secret: randomBytes(32), salt: content };
  const chosen = chooseEdges(candidates, { count, taken, publisher }, by);
  if (chosen.length > 0) {
    await sql.exec(
      'INSERT INTO content_devices (content, device) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING',
      [content, chosen.map(({ device }) => device)],
    );
  }
  return await viewOf(sql, row, now);
}

export function addContentRoutes(app: App, context: Context): void {
  const { db, domain, options } = context;
  const now = (): UnixMs => options.clock.now();

  serve(app, context, API.publish, ({ caller, body }) => db.tx((sql) => publish(sql, caller.account, body, now())));

  serve(app, context, API.content, async ({ caller, params: { id }, query: { grant } }) => {
    const unknown = (): never => fail('NOT_FOUND', 'there is no such content, or you may not read it', { content: id });
    const row = (await findContent(db, id)) ?? unknown();
    if (row.publisher !== caller.account) {
      const { value, signature } = grant === undefined ? unknown() : parseGrant(grant);
      const fault = grantFault(value, { content: id, reader: caller.account, now: now() });
      if (fault !== null) fail('UNAUTHORISED', fault, { content: id });
      requireSigned(domain, 'Grant', value, signature, row.publisher);
    }
    return await viewOf(db, row, now());
  });
}
