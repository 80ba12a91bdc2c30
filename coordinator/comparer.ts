import { createHash } from 'node:crypto';
import { findWorkload, verifierOf } from '../core/catalogue.ts';
import { asFailure, fail } from '../core/errors.ts';
import type { Hex32, UnixMs } from '../core/primitives.ts';
import type { OutputSource } from '../core/verifier.ts';
import type { Blobs } from './blobs.ts';
import type { Context } from './context.ts';
import type { Effects } from './effects.ts';
import { leasesOf } from './leases.ts';
import {
  forgetUndecided,
  keepLikeness,
  type Pair,
  pairsOf,
  type Undecided,
  undecidedJobs,
  unknownOf,
} from './likenesses.ts';
import { rulesOf } from './results.ts';
import { settle } from './settle.ts';
import { byVerifier, type Likeness, type Tolerance, withinTolerance } from './verification/comparison.ts';

/** Jobs that are looked up in one go, and how many are compared at the same time. */
const LOOK_AT = 1_000;
const AT_ONCE = 2;
/** A job whose outputs could not be compared is tried again after so long. */
const AGAIN_MS = 10_000;
/** Of two outputs so much is in memory at a time. A whole number of numbers of any width. */
const PIECE_BYTES = 64 * 1024;

/**
 * Compares outputs that differ, outside of any transaction: a verifier may take minutes. What it finds is written once for all replicas, and then
 * the jobs that waited for it are settled by it. Whatever it had in hand when it died is found again in the books.
 */
export class Comparer {
  readonly #context: Context;
  readonly #apply: (effects: Effects) => void;
  readonly #working = new Map<Hex32, Promise<void>>();
  readonly #restUntil = new Map<Hex32, UnixMs>();
  readonly #stop = new AbortController();

  constructor(context: Context, apply: (effects: Effects) => void) {
    this.#context = context;
    this.#apply = apply;
  }

  /** Begins with what waits, as far as there is room. */
  async look(): Promise<void> {
    const { db, options } = this.#context;
    if (this.#stop.signal.aborted || this.#working.size >= AT_ONCE) return;
    const now = options.clock.now();
    for (const [jobId, until] of this.#restUntil) if (until <= now) this.#restUntil.delete(jobId);
    for (const job of await undecidedJobs(db, LOOK_AT)) {
      const { job_id: jobId } = job;
      if (this.#stop.signal.aborted || this.#working.size >= AT_ONCE) return;
      if (!this.#working.has(jobId) && !this.#restUntil.has(jobId)) this.#begin(job);
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#working.values());
  }

  #begin(job: Undecided): void {
    const { options } = this.#context;
    const work = this.#decide(job)
      .catch((error: unknown) => {
        this.#restUntil.set(job.job_id, options.clock.now() + AGAIN_MS);
        if (this.#stop.signal.aborted) return;
        const { code, message } = asFailure(error);
        options.log('warn', 'outputs-not-compared', { jobId: job.job_id, workload: job.workload, code, message });
      })
      .then(() => {
        this.#working.delete(job.job_id);
        // What waits for room; a database that is away is asked again by the timer.
        this.look().catch(() => undefined);
      });
    this.#working.set(job.job_id, work);
  }

  async #decide(job: Undecided): Promise<void> {
    const { db, options } = this.#context;
    if (job.state !== 'queued') return await forgetUndecided(db, [job.job_id]);
    const pairs = pairsOf({ job, leases: await leasesOf(db, [job.job_id]) });
    for (const pair of await unknownOf(db, pairs)) await this.#find(pair);
    const effects = await db.tx((sql) =>
      settle(sql, [{ kind: 'compared', jobId: job.job_id }], rulesOf(this.#context), options.clock.now()),
    );
    // Another replica is at it.
    if (effects.undecided.length > 0) this.#restUntil.set(job.job_id, options.clock.now() + AGAIN_MS / 10);
    this.#apply({ ...effects, undecided: [] });
  }

  /** Asks once, whoever else would ask, too. */
  async #find(pair: Pair): Promise<void> {
    const { db, options } = this.#context;
    const { workload, version, a, b } = pair;
    await db.alone(`compare ${workload} ${version} ${a} ${b}`, async () => {
      if ((await unknownOf(db, [pair])).length === 0) return;
      const is = await this.#compare(pair);
      await keepLikeness(db, pair, is, options.clock.now());
      options.log('info', 'outputs-compared', { workload, version, a, b, is });
    });
  }

  async #compare({ workload, version, a, b }: Pair): Promise<Likeness> {
    const { options, blobs } = this.#context;
    const entry = findWorkload(options.catalogue, workload);
    if (entry?.version !== version || entry.comparison === 'exact') return 'unclear';
    const outputs = [await sourceOf(blobs, a), await sourceOf(blobs, b)] as const;
    if (entry.comparison.kind === 'tolerance') return await near(outputs, entry.comparison);
    const verifier = verifierOf(options.catalogue, entry);
    if (verifier === null || options.runVerifier === undefined) {
      fail('REFUSED', `nothing here can run the verifier of ${workload}; configure an engine`);
    }
    const { runVerifier } = options;
    return await byVerifier(() => runVerifier({ verifier, outputs }, this.#stop.signal))(a, b);
  }
}

/** An output that is as it was sent: what was damaged since speaks against nobody. Throws NOT_FOUND. */
async function sourceOf(blobs: Blobs, sha256: Hex32): Promise<OutputSource> {
  const read = () => blobs.read(sha256);
  const bytes = (await blobs.size(sha256)) ?? fail('NOT_FOUND', `the output ${sha256} is not here any more`);
  const hash = createHash('sha256');
  for await (const chunk of read()) hash.update(chunk as Uint8Array);
  if (`0x${hash.digest('hex')}` !== sha256) fail('NOT_FOUND', `the output ${sha256} is damaged`);
  return { bytes, read };
}

async function near([one, other]: readonly [OutputSource, OutputSource], rule: Tolerance): Promise<Likeness> {
  if (one.bytes !== other.bytes) return 'different';
  const rest = piecesOf(other.read());
  for await (const piece of piecesOf(one.read())) {
    const { value } = await rest.next();
    if (value === undefined || withinTolerance(piece, value, rule) !== 'same') {
      await rest.return(undefined);
      return 'different';
    }
  }
  return 'same';
}

/** The same bytes in pieces of one size; the last may be smaller. */
async function* piecesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  let piece = new Uint8Array(PIECE_BYTES);
  let filled = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(PIECE_BYTES - filled, chunk.length - at);
      piece.set(chunk.subarray(at, at + taken), filled);
      [at, filled] = [at + taken, filled + taken];
      if (filled < PIECE_BYTES) continue;
      yield piece;
      piece = new Uint8Array(PIECE_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}
