import { z } from 'zod';
import { fail } from '../../core/errors.ts';
import { type Hex32, hex32, sameAddress, type UnixMs } from '../../core/primitives.ts';
import { bytesOfShards, nextAuditAt, shardsHash } from '../../core/storage-terms.ts';
import { shardBytesAt } from '../../core/stored-file.ts';
import type { Domain } from '../../core/typed-data.ts';
import { encodeWire } from '../../core/wire.ts';
import type { Sealing } from '../../core/wire-storage.ts';
import { one, type Sql } from '../db.ts';
import { requireSigned } from '../signing.ts';
import { unforeseen } from './chance.ts';
import { endAgreement } from './pay.ts';
import { agreementsOfFile, findFile, type Locked, type Notice, noticeOf } from './rows.ts';
import type { StorageRules } from './terms.ts';
import { isHealthy, thereOf } from './views.ts';

const CLOCK_SKEW_MS = 10 * 60_000;

const hashRow = z.object({ shards_hash: hex32 });

/** Throws BAD_INPUT for what is not what was agreed, and UNAUTHORISED when the device did not sign for it. */
function requireKept(
  { file, agreement }: Locked,
  { shards, tokens, acknowledgement }: Sealing,
  domain: Domain,
  now: UnixMs,
): Hex32 {
  const { value, signature } = acknowledgement;
  const { shape } = file;
  const fits = shards.length === shape.groups && shards.every(({ bytes }, at) => bytes === shardBytesAt(shape, at));
  if (!fits) fail('BAD_INPUT', 'these are not the shards of a place of this file');
  const hash = shardsHash(shards);
  const about = value.agreementId === agreement.agreement_id && sameAddress(value.device, agreement.device);
  if (!about || value.shardsHash !== hash || value.bytes !== bytesOfShards(shards)) {
    fail('BAD_INPUT', 'the device has signed for something else');
  }
  if (value.issuedAt > now + CLOCK_SKEW_MS) fail('BAD_INPUT', 'the signature is from the future; check the clock');
  if (new Set(tokens.map(({ seed }) => seed)).size < tokens.length) fail('BAD_INPUT', 'a seed is there twice');
  requireSigned(domain, 'Kept', value, signature, agreement.device);
  return hash;
}

/**
 * What was agreed is there: from now on it is audited and paid, and what it takes the place of is over. The same again changes nothing. Throws
 * CONFLICT when the agreement is over, or was sealed with other shards, as this place or as an earlier one of the same number.
 */
export async function sealAgreement(
  sql: Sql,
  locked: Locked,
  sealing: Sealing,
  { domain, rules }: { readonly domain: Domain; readonly rules: StorageRules },
  now: UnixMs,
): Promise<readonly Notice[]> {
  const { agreement } = locked;
  const { agreement_id: agreementId, file_id: fileId, idx } = agreement;
  const hash = requireKept(locked, sealing, domain, now);
  const known = await one(sql, hashRow, 'SELECT shards_hash FROM place_shards WHERE file_id = $1 AND idx = $2', [
    fileId,
    idx,
  ]);
  if (known !== null && known.shards_hash !== hash)
    fail('CONFLICT', 'this place of the file has other shards', { idx });
  if (agreement.state === 'sealed') return [];
  if (agreement.state !== 'open') fail('CONFLICT', 'this agreement is over; ask for another place', { agreementId });
  if (known === null) {
    await sql.exec('INSERT INTO place_shards (file_id, idx, shards_hash, shards) VALUES ($1, $2, $3, $4)', [
      ...[fileId, idx, hash, JSON.stringify(sealing.shards)],
    ]);
  }
  const notices = await endEarlier(sql, locked, rules, now);
  const { tokens, acknowledgement } = sealing;
  const due = nextAuditAt(now, { tokens: tokens.length, endsAt: locked.file.ends_at }, unforeseen(), rules.terms);
  await sql.exec(
    `UPDATE agreements SET state = 'sealed', sealed_at = $2, paid_to = $2, acknowledgement = $3, tokens = $4, token_count = $5,
       next_audit_at = $6 WHERE agreement_id = $1`,
    [
      ...[agreementId, now, encodeWire(acknowledgement)],
      tokens.map(({ seed, commitment }) => seed.slice(2) + commitment.slice(2)).join(''),
      ...[tokens.length, due],
    ],
  );
  return [noticeOf(agreement), ...notices];
}

/** The same place elsewhere. Who came back in time, or asked to be rid of it, kept it to a good end. */
async function endEarlier(
  sql: Sql,
  { agreement }: Locked,
  rules: StorageRules,
  now: UnixMs,
): Promise<readonly Notice[]> {
  const all = await agreementsOfFile(sql, agreement.file_id);
  const earlier = all.find(({ idx, state }) => idx === agreement.idx && state === 'sealed');
  if (earlier === undefined) return [];
  const there = await thereOf(sql, [earlier.device], rules.terms.graceMs, now);
  const why = earlier.moving || isHealthy(earlier, there) ? 'moved' : 'lost';
  const file = (await findFile(sql, agreement.file_id)) ?? fail('INTERNAL', 'an agreement without its file');
  await endAgreement(sql, { file, agreement: earlier }, why, rules, now);
  return [noticeOf(earlier)];
}
