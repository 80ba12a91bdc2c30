import type { Sensed } from '../core/signals.ts';

/** Sources that say anything; what is unavailable has no voice. */
const heard = <T>(values: readonly Sensed<T>[]): readonly (T | 'unknown')[] =>
  values.filter((value): value is T | 'unknown' => value !== 'unavailable');

function decided<T>(values: readonly Sensed<T>[], merge: (known: readonly T[]) => T): Sensed<T> {
  const voices = heard(values);
  if (voices.length === 0) return 'unavailable';
  const known = voices.filter((value): value is T => value !== 'unknown');
  return known.length < voices.length ? 'unknown' : merge(known);
}

/**
 * How the answers of several sources to one question become one: the most cautious counts, and a source in doubt puts all
 * in doubt, unless another has already said what makes work stop.
 */
export const combine = {
  least: (values: readonly Sensed<number>[]): Sensed<number> => decided(values, (known) => Math.min(...known)),
  most: (values: readonly Sensed<number>[]): Sensed<number> => decided(values, (known) => Math.max(...known)),
  /** True as soon as one says so. */
  any: (values: readonly Sensed<boolean>[]): Sensed<boolean> =>
    values.includes(true) ? true : decided(values, () => false),
  /** True only where all agree. */
  all: (values: readonly Sensed<boolean>[]): Sensed<boolean> =>
    decided(values, (known) => known.every((value) => value)),
  /** The first that names something. */
  first: <T>(values: readonly Sensed<T>[]): Sensed<T> => {
    const named = values.find((value) => value !== 'unavailable' && value !== 'unknown' && value !== null);
    return named ?? decided(values, (known) => known[0] as T);
  },
  lists: <T>(values: readonly Sensed<readonly T[]>[]): Sensed<readonly T[]> => decided(values, (known) => known.flat()),
} as const;
