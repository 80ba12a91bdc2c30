import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openDb } from '../../coordinator/db.ts';

const SOURCES = join(import.meta.dirname, '../../coordinator');

/** Of whatever decides what empty books are: the migrations and the library. */
function name(): string {
  const hash = createHash('sha256');
  const own = readdirSync(join(SOURCES, 'migrations')).sort();
  const library = dirname(createRequire(import.meta.url).resolve('@electric-sql/pglite'));
  hash.update(readFileSync(join(library, '../package.json')));
  for (const file of ['migrations.ts', ...own.map((one) => join('migrations', one))]) {
    hash.update(readFileSync(join(SOURCES, file)));
  }
  return join(tmpdir(), `idlemesh-empty-books-${hash.digest('hex').slice(0, 16)}`);
}

/**
 * Puts empty books of the embedded database into a folder that has none. To make them takes the library some seconds, and they are the
 * same each time: they are made once and copied.
 */
export async function putEmptyBooks(dataDir: string): Promise<void> {
  if (existsSync(join(dataDir, 'db'))) return;
  const kept = name();
  if (!existsSync(kept)) {
    const fresh = mkdtempSync(`${kept}-`);
    await (await openDb(fresh)).close();
    try {
      renameSync(join(fresh, 'db'), kept);
    } catch {
      // Somebody was quicker.
    }
    rmSync(fresh, { recursive: true, force: true });
  }
  cpSync(kept, join(dataDir, 'db'), { recursive: true });
}
