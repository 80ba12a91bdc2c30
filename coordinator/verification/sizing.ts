/** What a GPU is given to compute when it is to prove its throughput. */
export type Product = { readonly size: number; readonly rounds: number };

/** Of a GPU of which nothing is known: a slow one still answers in time, and a fast one is asked again with more. Multiplications a second. */
const UNKNOWN_RATE = 2e9;
/** How long a proof should take, the start of its container not counted, s. */
const TARGET_S = 10;
/** A container, a check of the GPU and the first compilation by its driver, s. */
const START_S = 60;
/** So much slower than expected is in time all the same. */
const SLACK = 4;
/** A larger proof than the last is worth its while only when it is so much larger: the start of the container weighs less in it. */
const WORTH = 2;
/** Three matrices of 32-bit words, within a quarter of the memory. */
const BYTES_AN_ELEMENT = 12;
const MEMORY_SHARE = 1 / 4;
/** Of the right matrices together: they are made here again, some 30 ns an element, and each of ninety rows costs a tenth of one of them. */
const MOST_ELEMENTS = 2 ** 26;

export const multiplicationsOf = ({ size, rounds }: Product): number => rounds * size ** 3;

/** The largest of the products that the GPU has memory and should have time for, or else the smallest; null: there is none. */
export function productFor(products: readonly Product[], memoryBytes: number, lastRate: number | null): Product | null {
  const fitting = products.filter(
    ({ size, rounds }) =>
      BYTES_AN_ELEMENT * size ** 2 <= memoryBytes * MEMORY_SHARE && rounds * size ** 2 <= MOST_ELEMENTS,
  );
  const rising = [...fitting].sort((a, b) => multiplicationsOf(a) - multiplicationsOf(b) || a.size - b.size);
  const most = TARGET_S * (lastRate ?? UNKNOWN_RATE);
  return rising.filter((product) => multiplicationsOf(product) <= most).at(-1) ?? rising[0] ?? null;
}

/** How long after the challenge the commitment must be here, ms. */
export const timeFor = (product: Product, lastRate: number | null): number =>
  1000 * (START_S + (SLACK * multiplicationsOf(product)) / (lastRate ?? UNKNOWN_RATE));

export const isWorthMore = (next: Product, before: Product): boolean =>
  multiplicationsOf(next) >= WORTH * multiplicationsOf(before);
