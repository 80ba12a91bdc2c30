import { type CatalogueEntry, findWorkload, priceOf } from '../core/catalogue.ts';
import type { Job } from './jobs.ts';
import type { CoordinatorOptions } from './options.ts';
import { type Shares, sharesOf, takenBpsOf } from './shares.ts';

type Rates = Parameters<typeof takenBpsOf>[0];

/** What one accepted copy costs who orders it now, and what becomes of that. */
export function tariffOf(rates: Rates, entry: CatalogueEntry, inputBytes: number): Shares & { readonly price: bigint } {
  const price = priceOf(entry, inputBytes);
  return { price, ...sharesOf(price, takenBpsOf(rates)) };
}

/**
 * The job as an order of its input would be now: at an older price or version it would be known among today's work for what it is. null: the
 * catalogue has another version by now.
 */
export function asOrderedNow(options: Rates & Pick<CoordinatorOptions, 'catalogue'>, job: Job): Job | null {
  const entry = findWorkload(options.catalogue, job.workload);
  if (entry === null || entry.version !== job.version || entry.image !== job.image) return null;
  const { price, pay, dust } = tariffOf(options, entry, job.input_bytes);
  return { ...job, price, pay, dust };
}
