import { z } from 'zod';
import type { UnixMs } from '../core/primitives.ts';
import { type Db, integerColumn, one } from './db.ts';
import { writeMeta } from './meta.ts';
import { SCHEMA } from './migrations.ts';
import type { Clock } from './options.ts';

const FOLLOWED = 'chain-followed-at';
/** What is noted for all replicas, of which one follows the chain at a time. */
const NOTE_EVERY_MS = 10_000;
/** A chain that nobody could read for so long: orders would be refused for deposits that were made. */
const CHAIN_LATE_MS = 10 * 60_000;
/** Whoever asks more often than this gets the same answer. */
const FRESH_MS = 500;
const ANSWER_WITHIN_MS = 3_000;

const row = z.object({ version: integerColumn, followed: z.string().transform(Number).nullable() });

/** Whether this coordinator should get traffic. */
export class Readiness {
  readonly #db: Db;
  readonly #clock: Clock;
  readonly #replica: { readonly away: string | null };
  readonly #since: UnixMs;
  #notedAt = 0;
  #looked: { readonly at: number; readonly found: Promise<string | null> } | null = null;
  /** What is wrong with the books; null: nothing that is known. */
  broken: string | null = null;
  draining = false;

  constructor(db: Db, clock: Clock, replica: { readonly away: string | null }) {
    this.#db = db;
    this.#clock = clock;
    this.#replica = replica;
    this.#since = clock.now();
  }

  /** The chain was just read to its head. */
  async followed(): Promise<void> {
    const now = this.#clock.now();
    if (now - this.#notedAt < NOTE_EVERY_MS) return;
    await writeMeta(this.#db, FOLLOWED, String(now));
    this.#notedAt = now;
  }

  /** Why it should get none, for everybody to read; null: it should. */
  async reason(): Promise<string | null> {
    if (this.draining) return 'the coordinator is going down';
    if (this.#replica.away !== null) return 'the database does not answer';
    // Whose sum it is that differs is in the log, and nobody else's to read.
    return this.broken?.replaceAll(/0x[0-9a-fA-F]{40,}/g, '0x…') ?? (await this.#look());
  }

  #look(): Promise<string | null> {
    const now = performance.now();
    if (this.#looked === null || now - this.#looked.at > FRESH_MS) this.#looked = { at: now, found: this.#ask() };
    return this.#looked.found;
  }

  async #ask(): Promise<string | null> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), ANSWER_WITHIN_MS);
    });
    const asked = one(
      this.#db,
      row,
      `SELECT version, (SELECT value FROM meta WHERE key = $1) AS followed FROM schema_version WHERE id = 1`,
      [FOLLOWED],
    ).catch(() => null);
    const found = await Promise.race([asked, late]);
    clearTimeout(timer);
    if (found === null) return 'the database does not answer';
    if (found.version < SCHEMA) return 'the tables of the database are older than this version; they were set back';
    const silent = this.#clock.now() - Math.max(found.followed ?? 0, this.#since);
    if (silent > CHAIN_LATE_MS) return `the chain could not be read for ${Math.floor(silent / 60_000)} minutes`;
    return null;
  }
}
