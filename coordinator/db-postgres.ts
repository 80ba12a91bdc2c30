import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { z } from 'zod';
import type { Db, Param, Sql } from './db.ts';
import { migrate } from './migrations.ts';

/** Connections of one process. */
const POOL = 12;
const CONNECT_MS = 10_000;
const STATEMENT_MS = 60_000;
/** Two transactions that wait for each other, or that saw each other's half: the one that is thrown out begins anew. */
const AGAIN: ReadonlySet<string> = new Set(['40001', '40P01']);
const TRIES = 6;
const PAUSE_MS = 20;

const names = new Map<string, string>();

/** Every text is prepared once on each connection: texts are constants of this program, so there are few. */
function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = createHash('sha256').update(text).digest('base64url').slice(0, 20);
  names.set(text, name);
  return name;
}

type Client = Pick<pg.ClientBase, 'query'>;

const sqlOver = (client: Client): Sql => {
  const ask = (text: string, params: readonly Param[]) =>
    params.length === 0 ? client.query(text) : client.query({ name: nameOf(text), text, values: [...params] });
  return {
    async query(row, text, params = []) {
      const { rows } = await ask(text, params);
      return z.array(row).parse(rows);
    },
    async exec(text, params = []) {
      return (await ask(text, params)).rowCount ?? 0;
    },
  };
};

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** Opens a PostgreSQL database and brings its tables up to date. `work` of a transaction may run more than once. */
export async function openPostgres(url: string, failed: (message: string) => void): Promise<Db> {
  const pool = new pg.Pool({
    ...{ connectionString: url, max: POOL, connectionTimeoutMillis: CONNECT_MS, statement_timeout: STATEMENT_MS },
    application_name: 'idlemesh-coordinator',
    // What is looked up by its index stays there: disks no longer turn.
    options: '-c random_page_cost=1.1',
  });
  // Of connections that rest: without a listener it would end the process.
  pool.on('error', (error) => failed(error.message));

  async function once<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    let broken = false;
    try {
      await client.query('BEGIN');
      const result = await work(sqlOver(client));
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {
        broken = true;
      });
      throw error;
    } finally {
      client.release(broken);
    }
  }

  const db: Db = {
    ...sqlOver({ query: pool.query.bind(pool) as Client['query'] }),
    async tx(work) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await once(work);
        } catch (error) {
          if (attempt === TRIES || !AGAIN.has(codeOf(error))) throw error;
          await delay(PAUSE_MS * attempt * (0.5 + Math.random()));
        }
      }
    },
    close: () => pool.end(),
  };
  try {
    await migrate(db);
    return db;
  } catch (error) {
    await pool.end();
    throw error;
  }
}
