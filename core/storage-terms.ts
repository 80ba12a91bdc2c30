import { keccakHex, utf8 } from './keccak.ts';
import type { Amount } from './money.ts';
import type { Hex32, UnixMs } from './primitives.ts';

/** What it means to keep shards for others: what is paid, when one is asked, and what follows from the answers (docs/decisions/0034). */

const HOUR = 3_600_000;
/** A month of storage is thirty days. */
export const MONTH_MS = 30 * 24 * HOUR;
const MIB = 1024n * 1024n;

/** Of each payment; it comes with the end of an agreement that was kept. */
export const HELD_BACK_PERCENT = 25n;

export const STORAGE_TERMS = {
  /** Mean time between two audits of one agreement; more when its tokens would not last its term otherwise. The times are drawn. */
  auditEveryMs: 2 * HOUR,
  /** No mean time is longer, though the tokens then may not last: for practice and tests. */
  auditAtLeastEveryMs: Number.POSITIVE_INFINITY,
  /** Whoever is connected has so long to answer. */
  answerWithinMs: 5 * 60_000,
  /** A passed audit vouches for this long before it, and no more. */
  vouchesForMs: 6 * HOUR,
  /** A device may be away for so long before its shards count as not there. */
  graceMs: 4 * HOUR,
  /** Away for so long, what it kept is made anew elsewhere and its agreements end. */
  goneAfterMs: 72 * HOUR,
  /** No new shards for so long. */
  suspendedMs: 24 * HOUR,
  /** Wrong or no answers in a row after which an agreement is lost: its data is not there. */
  strikes: 2,
} as const;
export type StorageTerms = { readonly [K in keyof typeof STORAGE_TERMS]: number };

/**
 * For so many bytes over so many milliseconds, rounded down; `price` in base units per MiB and month.
 */
export const storageCost = (price: Amount, bytes: number, ms: number): Amount =>
  (price * BigInt(bytes) * BigInt(ms)) / (MIB * BigInt(MONTH_MS));

/** The standing of a device: how much good and ill is remembered of it. */
export type Standing = { readonly alpha: number; readonly beta: number };
export const NEW_STANDING: Standing = { alpha: 1, beta: 0 };

/** What is remembered of what was said before, at each new thing that is said. */
const MEMORY = 0.98;
const WEIGHT = { passed: 1, failed: 8, unanswered: 2, offline: 1 } as const;
export type Mark = keyof typeof WEIGHT;

/**
 * The Beta reputation system with forgetting, after Jøsang and Ismail (2002): each audit adds to what was good or to what was not, and
 * what is old fades.
 */
export function marked({ alpha, beta }: Standing, mark: Mark): Standing {
  const good = mark === 'passed';
  return {
    alpha: alpha * MEMORY + (good ? WEIGHT.passed : 0),
    beta: beta * MEMORY + (good ? 0 : WEIGHT[mark]),
  };
}

/** 0..1. One that nobody has looked at yet has 1, which says little. */
export const scoreOf = ({ alpha, beta }: Standing): number => alpha / (alpha + beta);

/** Below the first nothing new comes for a while; below the second all that it keeps is taken elsewhere. */
export const SCORE_LIMITS = { suspended: 0.9, disqualified: 0.5 } as const;
/** Nobody is judged for good by a few audits. */
const FEWEST_MARKS = 10;

export function verdictOn(standing: Standing): 'good' | 'suspended' | 'disqualified' {
  const score = scoreOf(standing);
  if (score >= SCORE_LIMITS.suspended) return 'good';
  const weighed = standing.alpha + standing.beta >= FEWEST_MARKS;
  return weighed && score < SCORE_LIMITS.disqualified ? 'disqualified' : 'suspended';
}

export type KeptShard = { readonly hash: Hex32; readonly bytes: number };

/** Names the shards of an agreement in their order: keccak of `HASH BYTES\n` for each. */
export const shardsHash = (shards: readonly KeptShard[]): Hex32 =>
  keccakHex(utf8(shards.map(({ hash, bytes }) => `${hash} ${bytes}\n`).join('')));

export const bytesOfShards = (shards: readonly KeptShard[]): number =>
  shards.reduce((sum, { bytes }) => sum + bytes, 0);

/**
 * When an agreement is audited next: exponentially distributed, so that what has been says nothing of what comes (a Poisson process).
 * @param uniform 0..1, not foreseeable by whoever is audited
 */
export function nextAuditAt(
  now: UnixMs,
  left: { readonly tokens: number; readonly endsAt: UnixMs },
  uniform: number,
  terms: Pick<StorageTerms, 'auditEveryMs' | 'auditAtLeastEveryMs'> = STORAGE_TERMS,
): UnixMs {
  const lasting = Math.max(terms.auditEveryMs, (left.endsAt - now) / Math.max(1, left.tokens));
  const mean = Math.min(lasting, terms.auditAtLeastEveryMs);
  return Math.round(now - mean * Math.log(1 - Math.min(uniform, 0.999)));
}
