import { z } from 'zod';
import { asFailure } from '../core/errors.ts';
import type { NetworkStatus } from '../core/status.ts';
import { shownActions } from './admin.ts';
import type { Context } from './context.ts';
import { lastDays } from './day-counts.ts';
import { integerColumn, one } from './db.ts';
import { disabledVersions } from './disabled.ts';
import { epochsBefore } from './epoch-data.ts';
import { HELD } from './leases.ts';
import { lastRecount } from './recounted.ts';

/** Whoever asks more often gets the same. */
const FRESH_MS = 3_000;
const COUNTED_TO = 100_000;
const DAYS = 30;
const EPOCHS = 12;
const ACTIONS = 20;

const countsRow = z.object({ open: integerColumn, held: integerColumn });

/** What the network tells of itself, looked up at most every few seconds however many ask. */
export class Status {
  readonly #context: Context;
  readonly #devicesHere: () => number;
  #kept: { readonly at: number; readonly status: Promise<NetworkStatus> } | null = null;

  constructor(context: Context, devicesHere: () => number) {
    this.#context = context;
    this.#devicesHere = devicesHere;
  }

  get(): Promise<NetworkStatus> {
    const now = performance.now();
    if (this.#kept === null || now - this.#kept.at > FRESH_MS) {
      const kept = { at: now, status: this.#look() };
      kept.status.catch(() => {
        if (this.#kept === kept) this.#kept = null;
      });
      this.#kept = kept;
    }
    return this.#kept.status;
  }

  async #look(): Promise<NetworkStatus> {
    const { db, options, readiness, replica, totals } = this.#context;
    const now = options.clock.now();
    const counts = await one(
      db,
      countsRow,
      `SELECT (SELECT count(*) FROM (SELECT 1 FROM queue LIMIT $1) AS jobs) AS open,
         (SELECT count(*) FROM (SELECT 1 FROM leases WHERE ${HELD} LIMIT $1) AS held) AS held`,
      [COUNTED_TO],
    );
    const recounted = await lastRecount(db);
    const sums = await totals.get().catch((error: unknown) => {
      options.log('warn', 'books-not-summed', { message: asFailure(error).message });
      return {};
    });
    return {
      ...{ name: options.name, at: now, notReady: await readiness.reason() },
      ...{ coordinators: replica.others.length + 1, countedTo: COUNTED_TO },
      devices: replica.others.reduce((sum, other) => sum + other.devices, this.#devicesHere()),
      ...{ openJobs: counts?.open ?? 0, heldLeases: counts?.held ?? 0 },
      days: [...(await lastDays(db, now, DAYS))],
      books: {
        ...{ recountedAt: recounted?.at ?? null, balancedSince: recounted?.since ?? null },
        owners: recounted?.owners ?? 0,
        totals: Object.fromEntries(Object.entries(sums).map(([kind, sum]) => [kind, String(sum)])),
      },
      epochs: [...(await epochsBefore(db, null, EPOCHS))],
      disabled: [...(await disabledVersions(db))],
      actions: [...(await shownActions(db, ACTIONS))],
    };
  }
}
