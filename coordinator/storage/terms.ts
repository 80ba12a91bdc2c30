import type { Amount } from '../../core/money.ts';
import type { Address, UnixMs } from '../../core/primitives.ts';
import { STORAGE_TERMS, type StorageTerms } from '../../core/storage-terms.ts';
import { keepMaturedTo } from '../credits.ts';
import type { Sql } from '../db.ts';
import type { CoordinatorOptions } from '../options.ts';
import { maturesAt } from '../shares.ts';

/** What a network asks and offers for storage. */
export type StorageOptions = {
  /** Base units per MiB and month; absent: DEFAULT_PRICE. */
  readonly price?: Amount;
  /** Accounts that may read any shard and make lost ones anew; absent: nobody, and each owner repairs their own files. */
  readonly repairers?: readonly Address[];
  /** For practice and tests; the rest is STORAGE_TERMS. */
  readonly terms?: Partial<StorageTerms>;
};

/** A hundredth of a token per GiB and month. */
const DEFAULT_PRICE: Amount = 9_765_625_000_000n;

export type StorageRules = {
  readonly price: Amount;
  readonly feeBps: number;
  readonly repairers: readonly Address[];
  readonly terms: StorageTerms;
  /** For so long a payment can be held before it matures. */
  readonly maturityMs: number;
};

type Rates = Pick<CoordinatorOptions, 'storage' | 'feeBps' | 'maturityMs' | 'verification'>;

/**
 * Nothing is kept back of a price for checks: audits need no other device. An audit says all there is to know of what it pays for, so
 * that a policy's shortest time is enough.
 */
export const rulesOf = ({ storage = {}, feeBps = 0, maturityMs = 0, verification }: Rates): StorageRules => ({
  price: storage.price ?? DEFAULT_PRICE,
  feeBps,
  repairers: storage.repairers ?? [],
  terms: { ...STORAGE_TERMS, ...storage.terms },
  maturityMs: verification?.maturity.leastMs ?? maturityMs,
});

/** When what is credited now matures. Nothing matures meanwhile. */
export const dueOf = async (sql: Sql, { maturityMs }: Pick<StorageRules, 'maturityMs'>, now: UnixMs): Promise<UnixMs> =>
  maturesAt(now, maturityMs, await keepMaturedTo(sql));
