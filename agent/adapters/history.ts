import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'libsql';
import { asFailure, fail } from '../../core/errors.ts';
import type { Reason } from '../../core/guards.ts';
import type { SwitchEntry, SwitchPage, SwitchQuery } from '../../core/ipc.ts';
import { LANES } from '../../core/primitives.ts';
import type { History, Log } from '../ports.ts';

const DAY_MS = 24 * 60 * 60_000;
const KEEP_MS = 90 * DAY_MS;
const KEEP_ENTRIES = 10_000;
/** What is older or too much goes once in so many entries: an index walk is not worth it for each. */
const TIDY_EVERY = 100;
/** Writing waits this long for company: nothing that must be quick may wait for a disk. */
const GATHER_MS = 250;
/** A disk that takes nothing loses the oldest of what waits. */
const MOST_WAITING = 1_000;

const SCHEMA = `
PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=500;
CREATE TABLE IF NOT EXISTS switches (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  lane TEXT NOT NULL,
  gpu TEXT,
  was TEXT NOT NULL,
  became TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS switches_by_time ON switches (at);
`;

/** A file of another version may tell of reasons that this one has no sentence for. */
const REASONS: Readonly<Record<Reason['kind'], true>> = {
  ...{
    'settings-broken': true,
    'ledger-unwritable': true,
    'sandbox-leaks': true,
    paused: true,
    'lane-not-offered': true,
    'lane-off': true,
  },
  ...{
    'no-gpu': true,
    'gpu-refused': true,
    drained: true,
    'engine-unchecked': true,
    'engine-absent': true,
    'engine-forbidden': true,
  },
  ...{ 'engine-unfit': true, 'disk-low': true, 'schedule-closed': true, 'on-battery': true, metered: true },
  ...{ 'too-hot': true, game: true, fullscreen: true, 'gpu-memory': true, 'gpu-busy': true, media: true },
  ...{ 'idle-unknown': true, 'in-use': true, 'cpu-busy': true, 'sensor-unknown': true, settling: true },
  ...{ 'coordinator-away': true, 'data-cap': true, 'fetching-image': true },
};

/** SQLite result codes ERROR (tables of somebody else), CORRUPT, NOTADB: the file's fault, and not the disk's. */
const FILE_CODES: ReadonlySet<number> = new Set([1, 11, 26]);
/** IOERR_SHORT_READ: it ends in the middle of a page. */
const CUT_CODE = 522;
const FILE_TEXT = /SQLITE_(CORRUPT|NOTADB)|not a database|malformed|no such (table|column)/i;

function isBroken(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (FILE_TEXT.test(error.message)) return true;
  const code = 'rawCode' in error ? Number(error.rawCode) : 0;
  return code === CUT_CODE || FILE_CODES.has(code & 0xff);
}

type Row = {
  readonly id: number;
  readonly at: number;
  readonly lane: string;
  readonly gpu: string | null;
  readonly was: string;
  readonly became: string;
};

function stateOf(text: string): 'run' | Reason | null {
  const value = parsed(text);
  if (value === 'run') return value;
  if (typeof value !== 'object' || value === null || !('kind' in value) || typeof value.kind !== 'string') return null;
  // Before it said why in a word, it said it in a sentence.
  if (value.kind === 'engine-unfit' && !('why' in value)) return null;
  return Object.hasOwn(REASONS, value.kind) ? (value as Reason) : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function entryOf({ id, at, lane: name, gpu, was, became }: Row): SwitchEntry | null {
  const lane = LANES.find((known) => known === name);
  const [from, to] = [stateOf(was), stateOf(became)];
  return lane === undefined || from === null || to === null ? null : { id, at, lane, gpu, from, to };
}

/**
 * The switches of a device in one SQLite file, opened when first needed. They are written together, some 250 ms after they
 * happened. The newest 10,000 of the last 90 days are kept; a file that cannot be read is moved aside.
 */
export function historyFile(path: string, options: { readonly log: Log; readonly now: () => number }): History {
  const { log } = options;
  let db: Database.Database | null = null;
  let waiting: Omit<SwitchEntry, 'id'>[] = [];
  let timer: NodeJS.Timeout | undefined;
  let written = 0;
  let complained = false;
  let closed = false;

  function opened(): Database.Database {
    if (db !== null) return db;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const fresh = new Database(path);
    try {
      fresh.exec(SCHEMA);
    } catch (error) {
      fresh.close();
      throw error;
    }
    db = fresh;
    return fresh;
  }

  function moveAside(detail: string): void {
    db?.close();
    db = null;
    const aside = `${path}.broken-${options.now()}`;
    for (const ending of ['', '-wal', '-shm']) {
      if (existsSync(`${path}${ending}`)) renameSync(`${path}${ending}`, `${aside}${ending}`);
    }
    log('error', 'history-broken', { detail, movedTo: aside });
  }

  /** Works on the file; one that is broken is replaced by an empty one. A disk that fails throws. */
  function onFile<T>(work: (file: Database.Database) => T): T {
    try {
      return work(opened());
    } catch (error) {
      if (!isBroken(error)) throw error;
      moveAside(asFailure(error).message);
      return work(opened());
    }
  }

  function store(file: Database.Database): void {
    const insert = file.prepare('INSERT INTO switches (at, lane, gpu, was, became) VALUES (?, ?, ?, ?, ?)');
    file.exec('BEGIN IMMEDIATE');
    try {
      for (const { at, lane, gpu, from, to } of waiting) {
        insert.run(at, lane, gpu, JSON.stringify(from), JSON.stringify(to));
      }
      if (written % TIDY_EVERY < waiting.length) tidy(file);
      file.exec('COMMIT');
    } catch (error) {
      if (file.inTransaction) file.exec('ROLLBACK');
      throw error;
    }
  }

  function tidy(file: Database.Database): void {
    file.prepare('DELETE FROM switches WHERE at < ?').run(options.now() - KEEP_MS);
    file.prepare('DELETE FROM switches WHERE id <= (SELECT MAX(id) FROM switches) - ?').run(KEEP_ENTRIES);
  }

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length === 0) return;
    try {
      onFile(store);
      written += waiting.length;
      waiting = [];
      complained = false;
    } catch (error) {
      // Tried again with the next switch.
      waiting = waiting.slice(-MOST_WAITING);
      if (!complained) log('warn', 'history-not-written', { detail: asFailure(error).message });
      complained = true;
    }
  }

  function read(file: Database.Database, { before, limit }: SwitchQuery): SwitchPage {
    const rows = file
      .prepare('SELECT id, at, lane, gpu, was, became FROM switches WHERE id < ? ORDER BY id DESC LIMIT ?')
      .all(before ?? Number.MAX_SAFE_INTEGER, limit + 1) as readonly Row[];
    const entries = rows.slice(0, limit).flatMap((row) => entryOf(row) ?? []);
    return { entries, more: rows.length > limit };
  }

  return {
    append(entry) {
      if (closed) return;
      waiting.push(entry);
      timer ??= setTimeout(flush, GATHER_MS);
    },
    page(query) {
      flush();
      try {
        return onFile((file) => read(file, query));
      } catch (error) {
        return fail('DISK_FULL', `the history cannot be read: ${asFailure(error).message}`, {}, error);
      }
    },
    close() {
      flush();
      closed = true;
      db?.close();
      db = null;
    },
  };
}
