import { Client, type ClientConfig, Pool, type PoolClient, types } from 'pg';
import { Failure, fail, isFailure } from '../core/errors.ts';
import { parseDatabaseUrl } from './database-url.ts';
import { type Db, type Driver, type Notes, type Param, type Sql, sqlOver, type TxOptions } from './db.ts';
import { migrate } from './migrations.ts';
import type { Log } from './options.ts';
import { hasOldPlan, isAway, mayRunAgain, translated } from './postgres-errors.ts';

/** Connections of one replica, at most; it has one more to hear the others. */
const CONNECTIONS = 12;
const CONNECT_WITHIN_MS = 5_000;
const STATEMENT_MS = 30_000;
/** Sums over all the books. */
const SNAPSHOT_MS = 600_000;
const IDLE_IN_TRANSACTION_MS = 60_000;
const BEGIN_SNAPSHOT = `BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL statement_timeout = ${SNAPSHOT_MS};
  SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on`;
/** How often a transaction that met another is run, at most. */
const TRIES = 8;
const LOOK_AGAIN_MS = 1_000;
/** A connection that hears nothing may be dead without a word. */
const PING_MS = 10_000;
const CHANNEL = 'idlemesh';

const INT8 = 20;
/** Numbers as the embedded database gives them: BIGINT is a number where it fits. */
const typeParsers: NonNullable<ClientConfig['types']> = {
  getTypeParser(oid: number, format?: string) {
    if (oid === INT8 && format !== 'binary') {
      return (text: string) => (Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text));
    }
    return format === 'binary' ? types.getTypeParser(oid, 'binary') : types.getTypeParser(oid, 'text');
  },
};

/**
 * Opens a PostgreSQL database and brings its tables up to date; any number of processes may share it. One that is away is
 * waited for, until `signal` ends the waiting with CANCELLED. Throws BAD_INPUT for an address that is none, REFUSED when the
 * server does not let us in.
 */
export async function openPostgres(address: string, log: Log, signal?: AbortSignal): Promise<Db> {
  const { url, shown, mask } = parseDatabaseUrl(address);
  const config: ClientConfig = {
    ...{ connectionString: url, application_name: 'idlemesh', types: typeParsers, keepAlive: true },
    ...{ connectionTimeoutMillis: CONNECT_WITHIN_MS, statement_timeout: STATEMENT_MS },
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    // What is looked up by its index stays there: a plan that was made while a table was small is kept by its connection.
    options: '-c random_page_cost=1.1 -c enable_seqscan=off -c enable_bitmapscan=off',
  };
  await awaitServer(config, shown, mask, log, signal);
  const pool = new Pool({ ...config, max: CONNECTIONS, idleTimeoutMillis: 60_000 });
  // A connection that breaks tells who uses it; without listeners it would end the process, too.
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('error', (error) => log('warn', 'database-connection-lost', { message: mask(error.message) }));
  const guarded = <T>(work: () => Promise<T>): Promise<T> =>
    again(work).catch((error: unknown) => {
      throw translated(error, mask);
    });
  const outer: Sql = sqlOver((text, params) => withClient(pool, (client) => driverOf(client)(text, params)));
  const db: Db = {
    query: (row, text, params) => guarded(() => outer.query(row, text, params)),
    exec: (text, params) => guarded(() => outer.exec(text, params)),
    tx: (work, options = {}) => guarded(() => withClient(pool, (client) => transaction(client, work, options, mask))),
    alone: (name, work) =>
      alone(pool, name, work).catch((error: unknown) => {
        throw translated(error, mask);
      }),
    notes: notesOver(config, (texts) => db.exec(NOTIFY, [CHANNEL, JSON.stringify(texts)]), mask, log),
    pool: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    close: () => pool.end(),
  };
  try {
    await migrate(db);
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}

const NOTIFY = 'SELECT pg_notify($1, note) FROM jsonb_array_elements_text($2::text::jsonb) AS notes (note)';

async function awaitServer(
  config: ClientConfig,
  shown: string,
  mask: (text: string) => string,
  log: Log,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let tries = 0; ; tries++) {
    if (signal?.aborted) fail('CANCELLED', 'the coordinator was stopped while it waited for its database');
    const client = new Client(config);
    client.on('error', () => undefined);
    try {
      await client.connect();
      return;
    } catch (error) {
      const message = mask(error instanceof Error ? error.message : String(error));
      if (!isAway(error)) fail('REFUSED', `the database at ${shown} does not let the coordinator in: ${message}`);
      if (tries % 10 === 0) log('warn', 'database-awaited', { database: shown, message });
    } finally {
      await client.end().catch(() => undefined);
    }
    await pause(LOOK_AGAIN_MS, signal);
  }
}

async function withClient<T>(pool: Pool, use: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken = false;
  try {
    return await use(client);
  } catch (error) {
    broken = isAway(error) || isFailure(error, 'DATABASE_AWAY') || hasOldPlan(error);
    throw error;
  } finally {
    client.release(broken);
  }
}

/** Statements are written in the code, so there are few; their plans are kept by each connection. */
const names = new Map<string, string>();
function nameOf(text: string): string {
  const name = names.get(text) ?? `s${names.size}`;
  names.set(text, name);
  return name;
}

/** Nothing in it has a meaning in a list of PostgreSQL's, and it is not its NULL. */
const PLAIN = /^(?!null$)[\w:.+-]+$/i;

/** A list as text, where nothing in it needs quotes: the library would look for them in each item twice. */
function written(param: Param): Param {
  if (typeof param !== 'object' || param === null || param.length === 0) return param;
  let text = '{';
  for (const item of param) {
    if (typeof item === 'string' && !PLAIN.test(item)) return param;
    text += item === null ? 'NULL,' : `${item},`;
  }
  return `${text.slice(0, -1)}}`;
}

const driverOf =
  (client: PoolClient): Driver =>
  async (text, params: readonly Param[]) => {
    const named = params.length > 0 ? { name: nameOf(text) } : {};
    const { rows, rowCount } = await client.query({ text, values: params.map(written), ...named });
    return { rows, touched: rowCount ?? 0 };
  };

async function transaction<T>(
  client: PoolClient,
  work: (sql: Sql) => Promise<T>,
  { snapshot = false }: TxOptions,
  mask: (text: string) => string,
): Promise<T> {
  await client.query(snapshot ? BEGIN_SNAPSHOT : 'BEGIN');
  try {
    const result = await work(sqlOver(driverOf(client)));
    // Work that swallowed a statement's error has nothing to commit.
    const { command } = await client.query('COMMIT');
    if (command !== 'COMMIT') throw new Failure('INTERNAL', 'the transaction had failed and was rolled back');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((lost: Error) => {
      throw new Failure('DATABASE_AWAY', `the database does not answer: ${mask(lost.message)}`);
    });
    throw error;
  }
}

/** Runs again what met another transaction, after a random while that grows, so that two do not meet for ever. */
async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries >= TRIES || !mayRunAgain(error)) throw error;
      await pause(Math.random() * 5 * 2 ** tries);
    }
  }
}

/** The lock is the connection's: it is gone when the process is, or the connection. */
const alone = (pool: Pool, name: string, work: () => Promise<void>): Promise<void> =>
  withClient(pool, async (client) => {
    const lock = 'hashtextextended($1, 0)';
    const { rows } = await client.query(`SELECT pg_try_advisory_lock(${lock}) AS mine`, [name]);
    if (rows[0]?.mine !== true) return;
    try {
      await work();
    } finally {
      await client.query(`SELECT pg_advisory_unlock(${lock})`, [name]).catch(() => {
        throw new Failure('DATABASE_AWAY', 'the database does not answer');
      });
    }
  });

const notesOver = (
  config: ClientConfig,
  send: (texts: readonly string[]) => Promise<number>,
  mask: (text: string) => string,
  log: Log,
): Notes => ({
  async tell(texts) {
    if (texts.length > 0) await send(texts);
  },
  async listen(heard, mended, holding, signal) {
    while (!signal.aborted) {
      await hear(config, heard, mended, holding, signal).catch((error: unknown) => {
        if (!signal.aborted) log('warn', 'database-not-heard', { message: mask(String(error)) });
      });
      await pause(LOOK_AGAIN_MS / 4, signal);
    }
  },
});

/** Ends when the connection does. */
async function hear(
  config: ClientConfig,
  heard: (text: string) => void,
  mended: () => void,
  { space, number }: { readonly space: number; readonly number: number },
  signal: AbortSignal,
): Promise<void> {
  const client = new Client({ ...config, query_timeout: CONNECT_WITHIN_MS });
  const over = new Promise<void>((resolve, reject) => {
    client.on('error', reject);
    client.on('end', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  // Looked at below; until then it must not count as unhandled.
  over.catch(() => undefined);
  client.on('notification', ({ payload }) => heard(payload ?? ''));
  let ping: NodeJS.Timeout | undefined;
  try {
    await client.connect();
    await client.query(`LISTEN ${CHANNEL}`);
    // Of this replica alone; one that is still held is that of a connection that the database has not yet given up.
    await client.query('SELECT pg_advisory_lock($1, $2)', [space, number]);
    mended();
    ping = setInterval(() => {
      client.query('SELECT 1').catch((error: Error) => client.emit('error', error));
    }, PING_MS);
    await over;
  } finally {
    clearInterval(ping);
    await client.end().catch(() => undefined);
  }
}

const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
