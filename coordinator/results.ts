import { findWorkload } from '../core/catalogue.ts';
import type { Address, Hex32, Signature } from '../core/primitives.ts';
import type { ResultItem } from '../core/typed-data.ts';
import { type CoordinatorMessage, encodeWire } from '../core/wire.ts';
import type { Context } from './context.ts';
import type { Sql } from './db.ts';
import { type Effects, mergeEffects, noEffects } from './effects.ts';
import { Group } from './group.ts';
import { asRead, type Happening, Moved, type Sole } from './happenings.ts';
import { findJob } from './jobs.ts';
import { heldBy, keepBatches, type LeaseRow, leasesNamed, verdictOf } from './leases.ts';
import { lastReport } from './report-chain.ts';
import { type SettleRules, settle } from './settle.ts';

/** Messages whose results are stored in one transaction, and how many such transactions go on at once. */
const MESSAGES = 50;
const LANES = 2;

export const rulesOf = ({ options, verification }: Pick<Context, 'options' | 'verification'>): SettleRules => ({
  maxAttempts: options.maxAttempts,
  verification,
  outputLimit: (workload) => findWorkload(options.catalogue, workload)?.limits.maxOutputBytes ?? 0,
  comparison: (workload, version) => {
    const entry = findWorkload(options.catalogue, workload);
    return entry?.version === version ? entry.comparison : null;
  },
});

/** One message's results; its signature was checked. */
export type Delivery = {
  readonly device: Address;
  readonly results: readonly ResultItem[];
  /** What is known of the job of each. */
  readonly soles: readonly (Sole | null)[];
  readonly signature: Signature;
  /** By what the signature covers; null: one result under its own. */
  readonly batch: Hex32 | null;
};

/**
 * Takes devices' results, many messages in one transaction. Each is stored and acknowledged, or refused with the reason, in the
 * messages of the effects, of which each delivery gets its own device's.
 */
export class Results {
  readonly #context: Context;
  readonly #group: Group<Delivery, Effects>;

  constructor(context: Context) {
    this.#context = context;
    this.#group = new Group((deliveries) => this.#store(deliveries), { most: MESSAGES, lanes: LANES });
  }

  receive(delivery: Delivery): Promise<Effects> {
    return this.#group.add(delivery);
  }

  async #store(deliveries: readonly Delivery[]): Promise<readonly Effects[]> {
    const { db, blobs, options } = this.#context;
    const hashes = [...new Set(deliveries.flatMap(({ results }) => results.map(({ outputHash }) => outputHash)))];
    const sizes = new Map(await Promise.all(hashes.map(async (hash) => [hash, await blobs.size(hash)] as const)));
    const happenings = deliveries.flatMap(({ device, results, soles, signature, batch }) =>
      results.map(
        (value, at): Happening => ({
          ...{ kind: 'result', device, value, stored: sizes.get(value.outputHash) ?? null, sole: soles[at] ?? null },
          evidence: batch === null ? { signature } : { batch },
        }),
      ),
    );
    const store = async (all: readonly Happening[], sql: Sql): Promise<Effects> => {
      const batches = deliveries.flatMap(({ device, results, signature, batch }) =>
        batch === null ? [] : [{ batch_hash: batch, device, results: encodeWire(results), signature }],
      );
      await keepBatches(sql, batches);
      return await settle(sql, all, rulesOf(this.#context), options.clock.now());
    };
    const effects = await db
      .tx((sql) => store(happenings, sql))
      .catch((error: unknown) => {
        if (!(error instanceof Moved)) throw error;
        return db.tx((sql) => store(happenings.map(asRead), sql));
      });
    // What concerns others goes with the first.
    return deliveries.map((_delivery, at) => (at === 0 ? effects : noEffects()));
  }
}

export type Resumed = {
  readonly held: readonly Hex32[];
  readonly lastReport: { readonly sequence: number; readonly reportHash: Hex32 } | null;
  readonly effects: Effects;
};

/**
 * Where a device that comes back stands. Leases it holds but does not name are given to others; what it awaits for the named
 * ones is sent again.
 */
export async function resume(context: Context, device: Address, named: readonly Hex32[]): Promise<Resumed> {
  const { db, options } = context;
  const effects = noEffects();
  const lost = (await heldBy(db, device)).filter(({ lease_id }) => !named.includes(lease_id));
  if (lost.length > 0) {
    context.metrics.lost('forgotten', lost.length);
    const happenings = lost.map(
      ({ lease_id: leaseId, progress }): Happening => ({
        ...{ kind: 'loss', leaseId, why: 'the device came back without it' },
        // Without progress it may never have arrived, which is nobody's failed attempt.
        loss: progress > 0 ? 'attempt' : 'excused',
      }),
    );
    mergeEffects(effects, await db.tx((sql) => settle(sql, happenings, rulesOf(context), options.clock.now())));
  }
  const leases = (await leasesNamed(db, named)).filter((lease) => lease.device === device);
  for (const lease of leases) {
    for (const message of await newsOf(db, lease)) effects.messages.push({ device, message });
  }
  return {
    held: leases.filter((lease) => lease.state === 'held').map((lease) => lease.lease_id),
    lastReport: await lastReport(db, device),
    effects,
  };
}

/** What its device is told of a lease that it holds no more. */
export async function newsOf(sql: Sql, lease: LeaseRow): Promise<readonly CoordinatorMessage[]> {
  const { lease_id: leaseId } = lease;
  if (lease.state === 'held') return [];
  if (lease.state === 'gone') {
    const reason = (lease.why ?? 'the lease is over').slice(0, 200);
    // With an output it was finished, and waits for its verdict.
    if (lease.output_hash !== null) return [{ type: 'verdict', verdict: { leaseId, kind: 'rejected', reason } }];
    return [{ type: 'cancel', leaseId, reason }];
  }
  const job = await findJob(sql, lease.job_id);
  const verdict = job === null ? null : verdictOf(lease, job.pay);
  return [{ type: 'result-stored', leaseId }, ...(verdict === null ? [] : [{ type: 'verdict', verdict } as const])];
}
