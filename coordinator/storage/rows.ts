import { z } from 'zod';
import { fail } from '../../core/errors.ts';
import { type Address, address, type Hex32, hex32 } from '../../core/primitives.ts';
import { fileShape } from '../../core/stored-file.ts';
import { AGREEMENT_ENDS, type AgreementTerms } from '../../core/wire-storage.ts';
import { amountColumn, integerColumn, one, type Param, type Sql } from '../db.ts';

const json = z.string().transform((text): unknown => JSON.parse(text));
const nullableInteger = integerColumn.nullable();

const fileRow = z.object({
  file_id: hex32,
  consumer: address,
  hold_id: hex32,
  shape: json.pipe(fileShape),
  place_bytes: integerColumn,
  price: amountColumn,
  fee_bps: z.number(),
  months: z.number(),
  held: amountColumn,
  spent: amountColumn,
  refunded: amountColumn,
  ends_at: integerColumn,
  ended_at: nullableInteger,
  manifest_bytes: nullableInteger,
  repairer: address.nullable(),
  repair_until: integerColumn,
});
export type FileRow = z.output<typeof fileRow>;
const FILE = Object.keys(fileRow.shape).join(', ');

const agreementRow = z.object({
  agreement_id: hex32,
  file_id: hex32,
  idx: z.number(),
  replaces: hex32.nullable(),
  device: address,
  owner: address,
  network: z.string().nullable(),
  bytes: integerColumn,
  state: z.enum(['open', 'sealed', 'ended', 'lost']),
  why: z.enum(AGREEMENT_ENDS).nullable(),
  created_at: integerColumn,
  sealed_at: nullableInteger,
  ended_at: nullableInteger,
  moving: z.boolean(),
  paid_to: nullableInteger,
  payments: z.number(),
  held_back: amountColumn,
  token_count: z.number(),
  token_next: z.number(),
  audit_id: hex32.nullable(),
  answer_by: nullableInteger,
  strikes: z.number(),
  broken_off: z.number(),
});
export type AgreementRow = z.output<typeof agreementRow>;
/** `tokens` is left out: it is long. */
const AGREEMENT = Object.keys(agreementRow.shape)
  .map((name) => `agreements.${name}`)
  .join(', ');

/** Still in force. */
export const LIVE = `state IN ('open', 'sealed')`;
export const isLive = ({ state }: Pick<AgreementRow, 'state'>): boolean => state === 'open' || state === 'sealed';

export const findFile = (sql: Sql, fileId: Hex32): Promise<FileRow | null> =>
  one(sql, fileRow, `SELECT ${FILE} FROM stored_files WHERE file_id = $1`, [fileId]);

/** Whoever changes anything of a file or its agreements locks the file first. */
export const lockFile = (sql: Sql, fileId: Hex32): Promise<FileRow | null> =>
  one(sql, fileRow, `SELECT ${FILE} FROM stored_files WHERE file_id = $1 FOR UPDATE`, [fileId]);

export const filesAfter = (sql: Sql, consumer: Address, after: string, most: number): Promise<readonly FileRow[]> =>
  sql.query(
    fileRow,
    `SELECT ${FILE} FROM stored_files WHERE consumer = $1 AND file_id > $2 AND ended_at IS NULL ORDER BY file_id LIMIT $3`,
    [consumer, after, most],
  );

export const agreementsOfFile = (sql: Sql, fileId: Hex32): Promise<readonly AgreementRow[]> =>
  sql.query(agreementRow, `SELECT ${AGREEMENT} FROM agreements WHERE file_id = $1 ORDER BY idx, agreement_id`, [
    fileId,
  ]);

export const findAgreement = (sql: Sql, agreementId: Hex32): Promise<AgreementRow | null> =>
  one(sql, agreementRow, `SELECT ${AGREEMENT} FROM agreements WHERE agreement_id = $1`, [agreementId]);

export type Locked = { readonly file: FileRow; readonly agreement: AgreementRow };

/** An agreement as it stays until the transaction ends. */
export async function lockAgreement(sql: Sql, agreementId: Hex32): Promise<Locked | null> {
  const found = await findAgreement(sql, agreementId);
  if (found === null) return null;
  const file = (await lockFile(sql, found.file_id)) ?? fail('INTERNAL', 'an agreement without its file');
  const agreement = await one(
    sql,
    agreementRow,
    `SELECT ${AGREEMENT} FROM agreements WHERE agreement_id = $1 FOR UPDATE`,
    [agreementId],
  );
  return agreement === null ? null : { file, agreement };
}

const termsRow = z.object({
  agreement_id: hex32,
  consumer: address,
  bytes: integerColumn,
  price: amountColumn,
  ends_at: integerColumn,
  state: agreementRow.shape.state,
  why: agreementRow.shape.why,
});
export type Told = { readonly terms: AgreementTerms; readonly why: z.output<typeof agreementRow>['why'] };

const toldOf = (row: z.output<typeof termsRow>): Told => ({
  terms: {
    ...{ agreementId: row.agreement_id, consumer: row.consumer, bytes: row.bytes, price: row.price },
    ...{ endsAt: row.ends_at, sealed: row.state === 'sealed' },
  },
  why: isLive(row) ? null : (row.why ?? 'lost'),
});
const TERMS = `SELECT agreement_id, consumer, bytes, price, ends_at, state, why FROM agreements JOIN stored_files USING (file_id)`;

/** Those of a device that are in force, in the order of their ids. */
export const toldAfter = async (sql: Sql, device: Address, after: string, most: number): Promise<readonly Told[]> =>
  (
    await sql.query(
      termsRow,
      `${TERMS} WHERE device = $1 AND agreement_id > $2 AND ${LIVE} ORDER BY agreement_id LIMIT $3`,
      [device, after, most],
    )
  ).map(toldOf);

/** These of a device, as they are now. */
export const toldNamed = async (sql: Sql, device: Address, ids: readonly Hex32[]): Promise<readonly Told[]> =>
  (await sql.query(termsRow, `${TERMS} WHERE device = $1 AND agreement_id = ANY ($2::text[])`, [device, ids])).map(
    toldOf,
  );

/** What a device is to hear of: an agreement, or (null) how it stands. */
export type Notice = { readonly device: Address; readonly agreementId: Hex32 | null };
export const noticeOf = ({ device, agreement_id: agreementId }: AgreementRow): Notice => ({ device, agreementId });

const idRow = z.object({ agreement_id: hex32 });
export const idsOf = async (sql: Sql, text: string, params: readonly Param[]): Promise<readonly Hex32[]> =>
  (await sql.query(idRow, text, params)).map(({ agreement_id }) => agreement_id);
