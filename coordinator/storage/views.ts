import { z } from 'zod';
import { fail } from '../../core/errors.ts';
import { type Address, address, type Hex32, type UnixMs } from '../../core/primitives.ts';
import { type Holding, keptShard, type Place, type StoredFileView } from '../../core/wire-storage.ts';
import { integerColumn, type Sql } from '../db.ts';
import { groupBy } from '../group-by.ts';
import { type AgreementRow, agreementsOfFile, type FileRow, filesAfter, findAgreement } from './rows.ts';

const FIRST = { sealed: 0, open: 1, ended: 2, lost: 2 } as const;

/** Of each place the agreement that counts: one that is sealed, else one that is open, else the last. */
export function currentOf(agreements: readonly AgreementRow[]): readonly AgreementRow[] {
  return [...groupBy(agreements, ({ idx }) => idx).values()].flatMap((own) => {
    const [first] = own.sort((a, b) => FIRST[a.state] - FIRST[b.state] || b.created_at - a.created_at);
    return first ?? [];
  });
}

export const placeOf = ({ idx: index, agreement_id: agreementId, device }: AgreementRow): Place => ({
  ...{ index, agreementId, device },
});
export const currentPlaces = (agreements: readonly AgreementRow[]): Place[] => currentOf(agreements).map(placeOf);

const seenRow = z.object({ device: address, seen_at: integerColumn });

/** Those of the devices that were seen within the time that one may be away. */
export async function thereOf(
  sql: Sql,
  devices: readonly Address[],
  graceMs: number,
  now: UnixMs,
): Promise<ReadonlySet<Address>> {
  const rows = await sql.query(
    seenRow,
    'SELECT device, seen_at FROM storage_devices WHERE device = ANY ($1::text[]) AND seen_at > $2',
    [devices, now - graceMs],
  );
  return new Set(rows.map(({ device }) => device));
}

export const isHealthy = ({ state, device }: AgreementRow, there: ReadonlySet<Address>): boolean =>
  state === 'sealed' && there.has(device);

const shardsRow = z.object({
  idx: z.number(),
  shards: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(z.array(keptShard)),
});

/**
 * A file as its owner sees it. For who repairs it, places that are to be moved away are not healthy either, as far as enough others are left
 * to make them anew from.
 */
export async function viewOf(
  sql: Sql,
  file: FileRow,
  asker: 'owner' | 'repairer',
  graceMs: number,
  now: UnixMs,
): Promise<StoredFileView> {
  const { file_id: fileId, shape, manifest_bytes: manifestBytes, ends_at: endsAt } = file;
  const current = currentOf(await agreementsOfFile(sql, fileId));
  const there = await thereOf(
    sql,
    current.map(({ device }) => device),
    graceMs,
    now,
  );
  const known = await sql.query(shardsRow, 'SELECT idx, shards FROM place_shards WHERE file_id = $1', [fileId]);
  const shards = new Map(known.map((row) => [row.idx, row.shards]));
  let spare = current.filter((one) => isHealthy(one, there)).length - shape.k;
  const holdings = current.map((one) => {
    const healthy = isHealthy(one, there);
    const leaves = healthy && asker === 'repairer' && one.moving && spare-- > 0;
    return { ...placeOf(one), shards: shards.get(one.idx) ?? null, healthy: healthy && !leaves };
  });
  return { fileId, shape, manifestBytes, endsAt, holdings };
}

/** One place, with the shards that it was sealed with. */
export async function holdingOf(
  sql: Sql,
  agreementId: Hex32,
  shards: NonNullable<Holding['shards']>,
  graceMs: number,
  now: UnixMs,
): Promise<Holding> {
  const row = (await findAgreement(sql, agreementId)) ?? fail('INTERNAL', 'an agreement that was there is gone');
  const there = await thereOf(sql, [row.device], graceMs, now);
  return { ...placeOf(row), shards, healthy: isHealthy(row, there) };
}

const countsRow = z.object({
  file_id: z.string().transform((text) => text as Hex32),
  healthy: integerColumn,
  bytes: integerColumn,
});
const PAGE = 100;

/** An account's files that are not over. */
export async function filePageOf(sql: Sql, consumer: Address, after: Hex32 | undefined, graceMs: number, now: UnixMs) {
  const rows = await filesAfter(sql, consumer, after ?? '', PAGE + 1);
  const page = rows.slice(0, PAGE);
  const counts = await sql.query(
    countsRow,
    `SELECT file_id, COUNT(*) FILTER (WHERE seen_at > $2) AS healthy, SUM(bytes) AS bytes
     FROM agreements JOIN storage_devices USING (device) WHERE state = 'sealed' AND file_id = ANY ($1::text[]) GROUP BY file_id`,
    [page.map(({ file_id }) => file_id), now - graceMs],
  );
  const byFile = new Map(counts.map((row) => [row.file_id, row]));
  return {
    files: page.map(({ file_id: fileId, manifest_bytes: manifestBytes, ends_at: endsAt, shape }) => {
      const { healthy = 0, bytes = 0 } = byFile.get(fileId) ?? {};
      return { fileId, bytes, manifestBytes, endsAt, healthy, of: shape.n };
    }),
    next: rows.length > PAGE ? (page.at(-1)?.file_id ?? null) : null,
  };
}
