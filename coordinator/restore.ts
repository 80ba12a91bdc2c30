import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { parseJson } from '../core/dsse.ts';
import { fail } from '../core/errors.ts';
import { byteCount, type Hex32, hex32, type UnixMs, unixMs } from '../core/primitives.ts';
import { FORMAT, quoted, type Table, tablesOf } from './backup.ts';
import { type Db, one, type Sql } from './db.ts';
import { countBooks } from './epochs.ts';
import { SCHEMA } from './migrations.ts';
import { noteRecount } from './recounted.ts';

/** Written in one statement, at most. */
const ROWS = 1_000;
const BYTES = 4 * 1024 * 1024;

const head = z.strictObject({
  format: z.literal(FORMAT.format),
  version: z.literal(FORMAT.version),
  schema: z.number().int(),
  at: unixMs,
});
const tail = z.strictObject({ rows: z.number().int(), sha256: z.string() });
const part = z.union([
  z.array(z.string().nullable()),
  z.strictObject({ table: z.string(), columns: z.array(z.string()) }),
  z.strictObject({ sequence: z.string(), value: z.string().nullable() }),
  z.strictObject({ blob: hex32, bytes: byteCount }),
]);

const foundRow = z.object({ found: z.boolean() });
const setRow = z.object({ value: z.unknown() });

export type Restored = {
  /** Of which moment the books are. */
  readonly at: UnixMs;
  readonly rows: number;
  /** Owners for whom both calculators agreed. */
  readonly owners: number;
  /** Files that open jobs need, which are not in a backup. */
  readonly blobs: readonly Hex32[];
};

/**
 * Brings the books of a backup into an empty database, counts them by both calculators, and only then commits. Throws BAD_INPUT when
 * the file is none or is damaged, REFUSED when it is of another version, CONFLICT when the database is not empty, INTERNAL when the books
 * do not add up: the database is then as it was.
 */
export async function restore(db: Db, path: string, now: UnixMs): Promise<Restored> {
  const { header, rows } = await check(path);
  if (header.schema !== SCHEMA) {
    fail(
      'REFUSED',
      `the backup is of schema ${header.schema} and this version has ${SCHEMA}; restore it with the version it is of`,
    );
  }
  const restored = await db.tx(
    async (sql) => {
      const tables = await requireEmpty(sql);
      for (const { name } of tables) await sql.exec(`ALTER TABLE ${quoted(name)} DISABLE TRIGGER USER`);
      const blobs = await load(sql, path, tables);
      for (const { name } of tables) await sql.exec(`ALTER TABLE ${quoted(name)} ENABLE TRIGGER USER`);
      const owed = await countBooks(sql);
      await noteRecount(sql, now, owed.size);
      return { at: header.at, rows, owners: owed.size, blobs };
    },
    { snapshot: true },
  );
  await db.exec('ANALYZE');
  return restored;
}

/** Not with node:readline: to it U+2028 and U+2029 end a line, too, and both may stand in a text that somebody wrote. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let begun = '';
  for await (const piece of createReadStream(path, 'utf8')) {
    const lines = String(piece).split('\n');
    const last = lines.pop() ?? '';
    for (const line of lines) {
      yield begun + line;
      begun = '';
    }
    begun += last;
  }
  if (begun !== '') yield begun;
}

/** Reads all of it once, before anything is written. */
async function check(path: string) {
  const damaged = (why: string): never => fail('BAD_INPUT', `${path} is no whole backup: ${why}`, { path });
  const digest = createHash('sha256');
  let header: z.output<typeof head> | null = null;
  let rows = 0;
  let last: string | null = null;
  try {
    for await (const line of linesOf(path)) {
      header ??= head.safeParse(parseJson(line)).data ?? damaged('it does not begin like one');
      if (last !== null) {
        digest.update(`${last}\n`);
        rows += 1;
      }
      last = line;
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') fail('NOT_FOUND', `there is no ${path}`);
    throw error;
  }
  const end = tail.safeParse(parseJson(last ?? '')).data ?? damaged('its end is missing');
  if (header === null || end.rows !== rows || end.sha256 !== digest.digest('hex')) return damaged('it was changed');
  return { header, rows };
}

/** What the migrations themselves have written is no content. */
const isMade = (name: string): string => (name === 'meta' ? `WHERE NOT (key = 'matured-to' AND value = '0')` : '');

async function requireEmpty(sql: Sql): Promise<readonly Table[]> {
  // Whoever starts a coordinator on it meanwhile waits, and then finds these books.
  await sql.exec('LOCK TABLE meta IN ACCESS EXCLUSIVE MODE');
  const tables = await tablesOf(sql);
  for (const { name } of tables) {
    const row = await one(sql, foundRow, `SELECT EXISTS (SELECT 1 FROM ${quoted(name)} ${isMade(name)}) AS found`);
    if (row?.found !== false) {
      fail('CONFLICT', `the database is not empty: ${name} has rows; restore into an empty one`, { table: name });
    }
  }
  await sql.exec('DELETE FROM meta');
  return tables;
}

async function load(sql: Sql, path: string, tables: readonly Table[]): Promise<readonly Hex32[]> {
  const blobs: Hex32[] = [];
  let table: Table | null = null;
  let waiting: string[] = [];
  let bytes = 0;
  const flush = async () => {
    if (table !== null && waiting.length > 0) await insert(sql, table, waiting);
    waiting = [];
    bytes = 0;
  };
  let number = 0;
  for await (const line of linesOf(path)) {
    number += 1;
    const value = parseJson(line);
    if (number === 1 || tail.safeParse(value).success) continue;
    const read = part.safeParse(value).data ?? fail('BAD_INPUT', `line ${number} of the backup is not understood`);
    if (Array.isArray(read)) {
      waiting.push(line);
      bytes += line.length;
      if (waiting.length >= ROWS || bytes >= BYTES) await flush();
      continue;
    }
    await flush();
    if ('table' in read) table = sameTable(tables, read);
    else if ('blob' in read) blobs.push(read.blob);
    else if (read.value !== null) {
      await sql.query(setRow, 'SELECT setval($1::text::regclass, $2::bigint) AS value', [read.sequence, read.value]);
    }
  }
  await flush();
  return blobs;
}

function sameTable(
  tables: readonly Table[],
  { table, columns }: { readonly table: string; readonly columns: readonly string[] },
): Table {
  const found = tables.find(({ name }) => name === table);
  const names = found?.columns.map(({ name }) => name).join();
  if (found === undefined || names !== columns.join()) fail('BAD_INPUT', `the backup has another table ${table}`);
  return found;
}

async function insert(sql: Sql, { name, columns }: Table, rows: readonly string[]): Promise<void> {
  const names = columns.map((column) => quoted(column.name)).join(', ');
  const values = columns.map(({ type }, at) => `(line ->> ${at})::${type}`).join(', ');
  await sql.exec(
    `INSERT INTO ${quoted(name)} (${names}) OVERRIDING SYSTEM VALUE
     SELECT ${values} FROM jsonb_array_elements($1::text::jsonb) AS lines (line)`,
    [`[${rows.join()}]`],
  );
}
