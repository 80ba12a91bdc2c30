import type { Keccak } from '../core/keccak.ts';
import type { Hex32 } from '../core/primitives.ts';
import type { Domain } from '../core/typed-data.ts';
import type { Tokens } from './access.ts';
import type { Blobs } from './blobs.ts';
import type { Chain } from './chain.ts';
import type { Verification } from './checks.ts';
import type { DayCounts } from './day-counts.ts';
import type { Db } from './db.ts';
import type { Disabled } from './disabled.ts';
import type { Metrics } from './metrics.ts';
import type { CoordinatorOptions } from './options.ts';
import type { Consumers } from './quotas.ts';
import type { Readiness } from './readiness.ts';
import type { Replica } from './replica.ts';
import type { SignatureChecks } from './signature-checks.ts';
import type { Signer } from './signing.ts';
import type { KeptTotals } from './totals.ts';

/** What every part of a running coordinator shares. */
export type Context = {
  readonly options: CoordinatorOptions;
  readonly networkId: Hex32;
  readonly domain: Domain;
  readonly db: Db;
  readonly blobs: Blobs;
  readonly chain: Chain;
  readonly signer: Signer;
  readonly tokens: Tokens;
  readonly consumers: Consumers;
  readonly changes: Changes;
  readonly replica: Replica;
  /** null: everything as ordered. */
  readonly verification: Verification | null;
  readonly metrics: Metrics;
  readonly totals: KeptTotals;
  readonly readiness: Readiness;
  readonly disabled: Disabled;
  readonly days: DayCounts;
  readonly keccak: Keccak;
  readonly checks: SignatureChecks;
};

/** Enough of a job's name to wake who waits for it; that somebody else wakes, too, does no harm. */
export const shortName = (jobId: string): string => jobId.slice(0, 18);

/** Wakes who waits for a job to change, or for work, here and at the other replicas. */
export class Changes {
  readonly #replica: Pick<Replica, 'work' | 'job'> | null;
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #hands = new Set<() => void>();
  #over = false;

  constructor(replica: Pick<Replica, 'work' | 'job'> | null = null) {
    this.#replica = replica;
  }

  onWork(listener: () => void): void {
    this.#hands.add(listener);
  }
  /** There is work that was not there before. */
  work(): void {
    this.heardOfWork();
    this.#replica?.work();
  }
  heardOfWork(): void {
    for (const listener of this.#hands) listener();
  }

  notify(jobId: string): void {
    this.heardOf(shortName(jobId));
    this.#replica?.job(jobId);
  }
  heardOf(short: string): void {
    for (const wake of this.#waiting.get(short) ?? []) wake();
  }

  /** Resolves at the next change or after `ms`. Start waiting before looking, or a change in between is missed. */
  wait(job: string, ms: number): { readonly changed: Promise<void>; readonly cancel: () => void } {
    const jobId = shortName(job);
    let resolve = (): void => undefined;
    const changed = new Promise<void>((done) => {
      resolve = done;
    });
    const waiting = this.#waiting.get(jobId) ?? new Set();
    this.#waiting.set(jobId, waiting);
    const done = () => {
      clearTimeout(timer);
      waiting.delete(done);
      if (waiting.size === 0 && this.#waiting.get(jobId) === waiting) this.#waiting.delete(jobId);
      resolve();
    };
    const timer = setTimeout(done, this.#over ? 0 : ms);
    waiting.add(done);
    return { changed, cancel: done };
  }

  /** Nobody waits any more: the server closes. */
  close(): void {
    this.#over = true;
    this.wakeAll();
  }

  /** Ends every wait: something may have been missed. */
  wakeAll(): void {
    for (const short of [...this.#waiting.keys()]) this.heardOf(short);
  }
}
