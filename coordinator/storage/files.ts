import { z } from 'zod';
import { fail } from '../../core/errors.ts';
import { canonicalJson, keccakText } from '../../core/keccak.ts';
import type { Address, Hex32, UnixMs } from '../../core/primitives.ts';
import { MONTH_MS, storageCost } from '../../core/storage-terms.ts';
import { placeBytesOf } from '../../core/stored-file.ts';
import type { FileOffer, FileOrder } from '../../core/wire-storage.ts';
import { one, type Sql } from '../db.ts';
import { hold } from '../ledger.ts';
import { openPlaces } from './placing.ts';
import { agreementsOfFile, type FileRow, findFile, lockFile } from './rows.ts';
import type { StorageRules } from './terms.ts';
import { currentPlaces } from './views.ts';

/** Of one account. */
const MOST_FILES = 10_000;

const offerOf = (file: FileRow, places: FileOffer['places']): FileOffer => ({
  ...{ fileId: file.file_id, places, price: file.price, held: file.held, endsAt: file.ends_at },
});

/**
 * Finds places for a file and holds its whole term of the deposit, in one transaction. The same order again gets the same places. Throws
 * CONFLICT when there is another file of that name or it is over, INSUFFICIENT_FUNDS, REFUSED when too few devices have room, and TOO_MANY.
 */
export async function storeFile(
  sql: Sql,
  consumer: Address,
  { fileId, shape, months }: FileOrder,
  rules: StorageRules,
  now: UnixMs,
): Promise<FileOffer> {
  const placeBytes = placeBytesOf(shape);
  const text = canonicalJson(shape);
  const held = BigInt(shape.n) * storageCost(rules.price, placeBytes, months * MONTH_MS);
  const written = await sql.exec(
    `INSERT INTO stored_files (file_id, consumer, hold_id, shape, places, needed, place_bytes, price, fee_bps, months, held,
       created_at, ends_at)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
     WHERE (SELECT COUNT(*) FROM stored_files WHERE consumer = $2 AND ended_at IS NULL) < $14 ON CONFLICT DO NOTHING`,
    [
      // Whoever chooses the name of a file must not choose that of an account.
      ...[fileId, consumer, keccakText(`stored file ${fileId}`), text, shape.n, shape.k, placeBytes],
      ...[rules.price.toString(), rules.feeBps, months, held.toString(), now, now + months * MONTH_MS, MOST_FILES],
    ],
  );
  const file = (await lockFile(sql, fileId)) ?? fail('TOO_MANY', `an account stores up to ${MOST_FILES} files`);
  if (file.consumer !== consumer || file.months !== months || canonicalJson(file.shape) !== text) {
    fail('CONFLICT', 'there is another file of this name', { fileId });
  }
  if (file.ended_at !== null) fail('CONFLICT', 'this file was dropped, or its term is over; store it anew', { fileId });
  if (written === 0) return offerOf(file, currentPlaces(await agreementsOfFile(sql, fileId)));
  await hold(sql, consumer, file.hold_id, held, now, { what: 'the file', key: `hold:${file.hold_id}` });
  const wanted = Array.from({ length: shape.n }, (_, index) => ({ index, replaces: null }));
  return offerOf(file, [...(await openPlaces(sql, file, wanted, { taken: [], avoided: new Set() }, now))]);
}

/** Throws NOT_FOUND for a file of somebody else, which looks like none. */
export async function requireOwn(sql: Sql, consumer: Address, fileId: Hex32): Promise<FileRow> {
  const file = await findFile(sql, fileId);
  return file !== null && file.consumer === consumer ? file : noSuchFile(fileId);
}

export const noSuchFile = (fileId: Hex32): never => fail('NOT_FOUND', 'you have no such file', { fileId });

/** Keeps what only the owner can read, in place of what was kept before. The caller has bounded it. */
export async function keepManifest(sql: Sql, consumer: Address, fileId: Hex32, manifest: Uint8Array): Promise<void> {
  const file = await lockFile(sql, fileId);
  if (file === null || file.consumer !== consumer || file.ended_at !== null) return noSuchFile(fileId);
  await sql.exec(
    `INSERT INTO file_manifests (file_id, manifest) VALUES ($1, decode($2, 'base64'))
     ON CONFLICT (file_id) DO UPDATE SET manifest = EXCLUDED.manifest`,
    [fileId, Buffer.from(manifest).toString('base64')],
  );
  await sql.exec('UPDATE stored_files SET manifest_bytes = $2 WHERE file_id = $1', [fileId, manifest.byteLength]);
}

const manifestRow = z.object({ text: z.string() });

/** Throws NOT_FOUND when none is kept. */
export async function manifestOf(sql: Sql, consumer: Address, fileId: Hex32): Promise<Uint8Array> {
  await requireOwn(sql, consumer, fileId);
  const row = await one(
    sql,
    manifestRow,
    `SELECT encode(manifest, 'base64') AS text FROM file_manifests WHERE file_id = $1`,
    [fileId],
  );
  return Buffer.from((row ?? fail('NOT_FOUND', 'no manifest of this file is kept', { fileId })).text, 'base64');
}
