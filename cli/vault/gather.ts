import type { Hex32 } from '../../core/primitives.ts';
import { type FileShape, shardBytesAt } from '../../core/stored-file.ts';
import type { Erasure } from './erasure.ts';
import type { Place, Places } from './places.ts';
import { type Stripe, stripeOf } from './sealed.ts';
import { hashOf } from './tokens.ts';

/** SHA-256 of the shard of a place in a group; null: nobody knows it. */
export type HashAt = (index: number, group: number) => Hex32 | null;

export type Gathering = {
  readonly places: Pick<Places, 'get'>;
  /** Asked in this order. Of all data shards there is nothing to compute. */
  readonly sources: readonly Place[];
  readonly shape: FileShape;
  readonly hashAt: HashAt;
  readonly code: Erasure;
  /** Called with what came from a place, good or not. */
  readonly arrived?: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
};

/**
 * All groups of a file, each made whole from any k shards that are what they should be. One that is missing or wrong is replaced
 * by another, and its place is asked last from then on. Throws NOT_FOUND when fewer than k shards of a group are left.
 */
export async function* gather(asked: Gathering): AsyncGenerator<Stripe, void, void> {
  const { shape, sources, code } = asked;
  const failures = new Map<number, number>();
  const failuresOf = ({ index }: Place): number => failures.get(index) ?? 0;
  for (let group = 0; group < shape.groups; group++) {
    const stripe = stripeOf(shape, group);
    const present = stripe.shards.map(() => false);
    const queue = [...sources].sort((a, b) => failuresOf(a) - failuresOf(b));
    const work = async (): Promise<void> => {
      for (let place = queue.shift(); place !== undefined; place = queue.shift()) {
        const { index } = place;
        present[index] = await fetchInto(asked, place, stripe);
        if (present[index]) return;
        failures.set(index, failuresOf(place) + 1);
      }
    };
    await Promise.all(Array.from({ length: shape.k }, work));
    code.rebuild(stripe.bytes, present);
    yield stripe;
  }
}

/** Whether the right bytes came. */
async function fetchInto(asked: Gathering, place: Place, stripe: Stripe): Promise<boolean> {
  const { places, shape, hashAt, arrived, signal } = asked;
  const hash = hashAt(place.index, stripe.group);
  if (hash === null) return false;
  const bytes = await places.get(place, hash, signal).catch(() => null);
  signal?.throwIfAborted();
  if (bytes === null) return false;
  arrived?.(bytes.length);
  if (bytes.length !== shardBytesAt(shape, stripe.group) || hashOf(bytes) !== hash) return false;
  stripe.shards[place.index]?.set(bytes);
  return true;
}
