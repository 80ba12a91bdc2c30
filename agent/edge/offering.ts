import type { EdgeOffer } from '../../core/wire-content.ts';
import type { Clock } from '../ports.ts';
import { offerOf } from './cache.ts';
import type { EdgeDoor } from './door.ts';

/** Between two looks at what is used. */
const LOOK_MS = 60_000;
/** An offer that is an hour old is none (docs/protocol.md). */
const AGAIN_MS = 30 * 60_000;
/** A change of less than this part of the budget is not worth a word. */
const WORTH_TELLING = 1 / 20;

export type EdgeOffering = {
  /** The room that is lent may have changed: the service came or went, the budget is another, the session is new. */
  readonly changed: () => void;
  /** A new session knows nothing of what an earlier one was told. */
  readonly joined: () => void;
  readonly close: () => void;
};

type OfferingOptions = {
  readonly clock: Clock;
  /** null: content is not lent room now. */
  readonly door: () => EdgeDoor | null;
  /** false: there is no session, and it is not told. */
  readonly tell: (offer: EdgeOffer | null) => boolean;
};

/** Keeps the coordinator told of the room that is lent to published content. It states a level: to say it twice does no harm. */
export function createEdgeOffering({ clock, door, tell }: OfferingOptions): EdgeOffering {
  let told: { readonly offer: EdgeOffer | null; readonly at: number } | null = null;
  let looking = false;
  let again = false;
  let closed = false;
  let cancel = (): void => undefined;

  async function look(): Promise<void> {
    const offer = await roomOf(door());
    const now = clock.now();
    const old = told === null || now - told.at >= AGAIN_MS;
    if (closed || (!old && told !== null && alike(told.offer, offer))) return;
    told = tell(offer) ? { offer, at: now } : null;
  }

  function changed(): void {
    cancel();
    if (closed) return;
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    void look().finally(() => {
      looking = false;
      if (closed) return;
      cancel = clock.after(again ? 0 : LOOK_MS, changed);
      again = false;
    });
  }

  return {
    changed,
    joined() {
      told = null;
      changed();
    },
    close() {
      closed = true;
      cancel();
    },
  };
}

/** A service that does not answer lends nothing. Never throws. */
async function roomOf(door: EdgeDoor | null): Promise<EdgeOffer | null> {
  try {
    return door === null ? null : offerOf(await door.usage());
  } catch {
    return null;
  }
}

function alike(a: EdgeOffer | null, b: EdgeOffer | null): boolean {
  if (a === null || b === null) return a === b;
  const budget = a.freeBytes + a.usedBytes;
  return budget === b.freeBytes + b.usedBytes && Math.abs(a.usedBytes - b.usedBytes) <= budget * WORTH_TELLING;
}
