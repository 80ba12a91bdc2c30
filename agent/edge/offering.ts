import type { EdgeOffer } from '../../core/wire-content.ts';
import { createOffering, type Offering } from '../offering.ts';
import type { Clock } from '../ports.ts';
import { offerOf } from './cache.ts';
import type { EdgeDoor } from './door.ts';

/** A change of less than this part of the budget is not worth a word. */
const WORTH_TELLING = 1 / 20;

type OfferingOptions = {
  readonly clock: Clock;
  /** null: content is not lent room now. */
  readonly door: () => EdgeDoor | null;
  /** false: there is no session, and it is not told. */
  readonly tell: (offer: EdgeOffer | null) => boolean;
};

/** Keeps the coordinator told of the room that is lent to published content. */
export const createEdgeOffering = ({ clock, door, tell }: OfferingOptions): Offering =>
  createOffering({
    ...{ clock, tell, alike },
    async room() {
      const now = door();
      return now === null ? null : offerOf(await now.usage());
    },
  });

function alike(a: EdgeOffer, b: EdgeOffer): boolean {
  const budget = a.freeBytes + a.usedBytes;
  return budget === b.freeBytes + b.usedBytes && Math.abs(a.usedBytes - b.usedBytes) <= budget * WORTH_TELLING;
}
