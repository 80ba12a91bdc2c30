import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { fail } from '../../core/errors.ts';
import type { Hex32, UnixMs } from '../../core/primitives.ts';
import type { Place } from '../../core/wire-storage.ts';
import type { Sql } from '../db.ts';
import { integerColumn, one } from '../db.ts';
import { chooseEdges } from '../edge-offers.ts';
import { randomId } from '../ids.ts';
import type { Party } from '../verification/trust.ts';
import { storageCandidates } from './offers.ts';
import { type AgreementRow, type FileRow, isLive } from './rows.ts';

/** Room that is seen by two at once would be given away twice. */
const alone = (sql: Sql): Promise<number> =>
  sql.exec(`SELECT pg_advisory_xact_lock(hashtextextended('storage-places', 0))`);

const countRow = z.object({ count: integerColumn });

/**
 * Opens agreements on other devices, of owners and networks that differ from each other and from those of the file's other places. Which of
 * those that have room nobody can foresee. Throws REFUSED when there are too few.
 */
export async function openPlaces(
  sql: Sql,
  file: FileRow,
  wanted: readonly { readonly index: number; readonly replaces: Hex32 | null }[],
  among: { readonly taken: readonly AgreementRow[]; readonly avoided: ReadonlySet<string> },
  now: UnixMs,
): Promise<readonly Place[]> {
  await alone(sql);
  const candidates = (await storageCandidates(sql, file.place_bytes, now)).filter(
    ({ device }) => !among.avoided.has(device),
  );
  const taken: readonly Party[] = among.taken.filter(isLive);
  const asked = { count: wanted.length, taken, publisher: file.consumer };
  const chosen = chooseEdges(candidates, asked, { secret: randomBytes(32), salt: file.file_id });
  if (chosen.length < wanted.length) {
    const there = (await one(sql, countRow, 'SELECT COUNT(*) AS count FROM storage_devices WHERE lent_bytes > 0'))
      ?.count;
    fail(
      'REFUSED',
      `${wanted.length} devices of different owners and networks with room for ${file.place_bytes} bytes are needed, and there are ${chosen.length} now; try again later, or store less`,
      { needed: wanted.length, found: chosen.length, lending: there ?? 0 },
    );
  }
  const places = wanted.flatMap(({ index, replaces }, at) => {
    const on = chosen[at];
    return on === undefined ? [] : [{ ...on, index, replaces, agreementId: randomId() }];
  });
  await sql.exec(
    `INSERT INTO agreements (agreement_id, file_id, idx, replaces, device, owner, network, bytes, state, created_at)
     SELECT agreement_id, $1, idx, replaces, device, owner, network, $2::bigint, 'open', $3::bigint
     FROM unnest($4::text[], $5::int[], $6::text[], $7::text[], $8::text[], $9::text[])
       AS fresh (agreement_id, idx, replaces, device, owner, network)`,
    [
      ...[file.file_id, file.place_bytes, now],
      ...[places.map(({ agreementId }) => agreementId), places.map(({ index }) => index)],
      ...[places.map(({ replaces }) => replaces), places.map(({ device }) => device)],
      ...[places.map(({ owner }) => owner), places.map(({ network }) => network)],
    ],
  );
  return places.map(({ index, agreementId, device }) => ({ index, agreementId, device }));
}
