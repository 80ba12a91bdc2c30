import { z } from 'zod';
import type { UnixMs } from '../core/primitives.ts';
import type { DayResults } from '../core/status.ts';
import { type Db, integerColumn, type Sql } from './db.ts';

const DAY_MS = 86_400_000;

const row = z.object({ day: integerColumn, accepted: integerColumn, rejected: integerColumn });

/**
 * Results by day, for everybody to see. Counted in memory and written now and then, so that no task waits for it: who is killed loses
 * the last seconds of a figure that no money depends on.
 */
export class DayCounts {
  readonly #db: Db;
  #counted = new Map<number, { accepted: number; rejected: number }>();

  constructor(db: Db) {
    this.#db = db;
  }

  add({ accepted, rejected }: { readonly accepted: number; readonly rejected: number }, now: UnixMs): void {
    if (accepted + rejected === 0) return;
    const day = Math.floor(now / DAY_MS);
    const count = this.#counted.get(day) ?? { accepted: 0, rejected: 0 };
    count.accepted += accepted;
    count.rejected += rejected;
    this.#counted.set(day, count);
  }

  async write(): Promise<void> {
    if (this.#counted.size === 0) return;
    const counted = this.#counted;
    this.#counted = new Map();
    const days = [...counted];
    try {
      await this.#db.exec(
        `INSERT INTO results_by_day (day, accepted, rejected)
         SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[]) ORDER BY 1
         ON CONFLICT (day) DO UPDATE SET accepted = results_by_day.accepted + EXCLUDED.accepted,
           rejected = results_by_day.rejected + EXCLUDED.rejected`,
        [days.map(([day]) => day), days.map(([, one]) => one.accepted), days.map(([, one]) => one.rejected)],
      );
    } catch (error) {
      for (const [day, one] of days) this.add(one, day * DAY_MS);
      throw error;
    }
  }
}

/** Of the last days up to now that had any, the oldest first. */
export async function lastDays(sql: Sql, now: UnixMs, most: number): Promise<readonly DayResults[]> {
  const rows = await sql.query(
    row,
    'SELECT day, accepted, rejected FROM results_by_day WHERE day > $1::int ORDER BY day LIMIT $2',
    [Math.floor(now / DAY_MS) - most, most],
  );
  return rows.map(({ day, ...results }) => ({ day: new Date(day * DAY_MS).toISOString().slice(0, 10), ...results }));
}
