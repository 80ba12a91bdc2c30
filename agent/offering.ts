import type { Clock } from './ports.ts';

/** Between two looks at what is used. */
const LOOK_MS = 60_000;
/** An offer that is an hour old is none (docs/protocol.md). */
const AGAIN_MS = 30 * 60_000;

export type Offering = {
  /** The room that is lent may have changed: the service came or went, the budget is another, the session is new. */
  readonly changed: () => void;
  /** A new session knows nothing of what an earlier one was told. */
  readonly joined: () => void;
  readonly close: () => void;
};

type OfferingOptions<T> = {
  readonly clock: Clock;
  /** null: nothing is lent now. One that throws lends nothing. */
  readonly room: () => Promise<T | null>;
  /** false: there is no session, and it is not told. */
  readonly tell: (offer: T | null) => boolean;
  /** Whether the difference is not worth a word. */
  readonly alike: (a: T, b: T) => boolean;
};

/** Keeps the coordinator told of the room that is lent. It states a level: to say it twice does no harm. */
export function createOffering<T>({ clock, room, tell, alike }: OfferingOptions<T>): Offering {
  let told: { readonly offer: T | null; readonly at: number } | null = null;
  let looking = false;
  let again = false;
  let closed = false;
  let cancel = (): void => undefined;

  const same = (a: T | null, b: T | null): boolean => (a === null || b === null ? a === b : alike(a, b));

  async function look(): Promise<void> {
    const offer = await room().catch(() => null);
    const now = clock.now();
    const old = told === null || now - told.at >= AGAIN_MS;
    if (closed || (!old && told !== null && same(told.offer, offer))) return;
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
