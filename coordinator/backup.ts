import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { hex32, type UnixMs } from '../core/primitives.ts';
import { type Db, integerColumn, type Sql } from './db.ts';
import { SCHEMA } from './migrations.ts';

/**
 * The books as a file of JSON lines, of one moment, readable by either database:
 *
 *   {"format":"idlemesh-backup","version":1,"schema":8,"at":…}
 *   {"table":"jobs","columns":[…]} and its rows, each a list of texts
 *   {"sequence":"transfers_id_seq","value":"12"}
 *   {"blob":"0x…","bytes":1}                    a file that open jobs need, which is not in here
 *   {"rows":…,"sha256":"…"}                     of all bytes before
 *
 * It holds the secret that access tokens are made with: it is for nobody else to read.
 */
export const FORMAT = { format: 'idlemesh-backup', version: 1 } as const;

const FETCH = 1_000;

const columnRow = z.object({ table: z.string(), column: z.string(), type: z.string() });
export type Table = {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
};

/** All tables of the books; one that refers to another comes behind those that do not. */
export async function tablesOf(sql: Sql): Promise<readonly Table[]> {
  const rows = await sql.query(
    columnRow,
    `SELECT relname::text AS table, attname::text AS column, format_type(atttypid, atttypmod) AS type
     FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'schema_version' AND attnum > 0
       AND NOT attisdropped
     ORDER BY EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = pg_class.oid AND contype = 'f'), relname, attnum`,
  );
  const tables = new Map<string, { readonly name: string; readonly type: string }[]>();
  for (const { table, column, type } of rows) {
    const columns = tables.get(table) ?? [];
    columns.push({ name: column, type });
    tables.set(table, columns);
  }
  return [...tables].map(([name, columns]) => ({ name, columns }));
}

/** Names come from the catalogue of the database alone. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const lineRow = z.object({ line: z.string() });
const sequenceRow = z.object({ sequence: z.string(), value: z.string().nullable() });
const blobRow = z.object({ blob: hex32, bytes: integerColumn });

/** What every open job needs of files: its input, and the outputs that wait for their verdict. */
const NEEDED = `
  SELECT input_hash AS blob, input_bytes AS bytes FROM queue JOIN jobs USING (job_id)
  UNION SELECT leases.output_hash, leases.output_bytes FROM queue JOIN leases USING (job_id)
    WHERE leases.state = 'finished' AND leases.output_hash IS NOT NULL`;

async function* linesOf(sql: Sql, at: UnixMs): AsyncGenerator<string> {
  yield JSON.stringify({ ...FORMAT, schema: SCHEMA, at });
  for (const { name, columns } of await tablesOf(sql)) {
    yield JSON.stringify({ table: name, columns: columns.map((column) => column.name) });
    const texts = columns.map((column) => `${quoted(column.name)}::text`).join(', ');
    await sql.exec(`DECLARE kept CURSOR FOR SELECT jsonb_build_array(${texts})::text AS line FROM ${quoted(name)}`);
    for (;;) {
      const rows = await sql.query(lineRow, `FETCH ${FETCH} FROM kept`);
      for (const { line } of rows) yield line;
      if (rows.length < FETCH) break;
    }
    await sql.exec('CLOSE kept');
  }
  const sequences = await sql.query(
    sequenceRow,
    `SELECT sequencename::text AS sequence, last_value::text AS value FROM pg_sequences WHERE schemaname = 'public'`,
  );
  for (const one of sequences) yield JSON.stringify(one);
  for (const one of await sql.query(blobRow, NEEDED)) yield JSON.stringify(one);
}

export type BackupSummary = { readonly rows: number; readonly bytes: number; readonly sha256: string };

/**
 * Writes the books as they are at one moment, while coordinators go on. The file is there when it is whole, and only its user may
 * read it. Throws CONFLICT when there is one.
 */
export async function backup(db: Db, path: string, at: UnixMs): Promise<BackupSummary> {
  const partial = `${path}.part`;
  await rm(partial, { force: true });
  const file = await open(partial, 'wx', 0o600);
  try {
    const summary = await db.tx(
      async (sql) => {
        await file.truncate(0);
        return await write(linesOf(sql, at), (bytes, position) => file.write(bytes, 0, bytes.length, position));
      },
      { snapshot: true },
    );
    await file.sync();
    await file.close();
    const taken = await open(path, 'wx', 0o600).catch((error: unknown) =>
      fail('CONFLICT', `${path} is there already; name another file`, { path }, error),
    );
    await taken.close();
    await rename(partial, path);
    return summary;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw error;
  }
}

const PIECE = 1_024 * 1_024;

async function write(
  lines: AsyncIterable<string>,
  put: (bytes: Uint8Array, position: number) => Promise<unknown>,
): Promise<BackupSummary> {
  const digest = createHash('sha256');
  let [rows, bytes, waiting] = [0, 0, ''];
  const flush = async () => {
    const piece = Buffer.from(waiting);
    waiting = '';
    await put(piece, bytes);
    digest.update(piece);
    bytes += piece.length;
  };
  for await (const line of lines) {
    waiting += `${line}\n`;
    rows += 1;
    if (waiting.length >= PIECE) await flush();
  }
  await flush();
  const sha256 = digest.digest('hex');
  const last = Buffer.from(`${JSON.stringify({ rows, sha256 })}\n`);
  await put(last, bytes);
  return { rows, bytes: bytes + last.length, sha256 };
}
