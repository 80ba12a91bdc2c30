import type { UnixMs } from '../../core/primitives.ts';
import type { OpenDelivery } from '../../core/wire-delivery.ts';
import type { Clock } from '../ports.ts';
import type { EdgeSession } from './cache.ts';
import type { DeliveryTerms } from './receipts.ts';

/** A consumer may be here before the coordinator's word that it has set something aside. */
const WORD_WITHIN_MS = 5_000;

type Named = Pick<OpenDelivery, 'session' | 'content'>;

export type DeliveryTermsKeeper = {
  /** The coordinator said so; what it says later of the same stands. */
  readonly told: (deliveries: readonly OpenDelivery[]) => void;
  /** What is known of a session, as soon as it goes as far as `upTo` bytes, or it has been waited for. null: nothing. */
  readonly of: (session: EdgeSession, upTo: number, signal: AbortSignal) => Promise<DeliveryTerms | null>;
  /** Nothing is known any more. */
  readonly reset: () => void;
};

/** What consumers have set aside for what this device serves. `now` is the network's time. */
export function createDeliveryTerms(options: {
  readonly clock: Clock;
  readonly now: () => UnixMs;
}): DeliveryTermsKeeper {
  const { clock, now } = options;
  const known = new Map<string, OpenDelivery>();
  const waiting = new Set<() => void>();
  const keyOf = ({ session, content }: Named): string => `${session} ${content}`;

  function look({ channelId, consumer, content }: EdgeSession): OpenDelivery | null {
    const found = known.get(keyOf({ session: channelId, content }));
    return found !== undefined && found.consumer === consumer && found.expiresAt > now() ? found : null;
  }

  function wake(): void {
    for (const again of [...waiting]) again();
  }

  return {
    told(deliveries) {
      for (const [key, { expiresAt }] of known) if (expiresAt <= now()) known.delete(key);
      for (const one of deliveries) known.set(keyOf(one), one);
      wake();
    },
    of: (session, upTo, signal) =>
      new Promise((resolve) => {
        const settle = (): void => {
          waiting.delete(again);
          signal.removeEventListener('abort', settle);
          cancel();
          resolve(look(session));
        };
        const again = (): void => {
          if ((look(session)?.maxBytes ?? -1) >= upTo) settle();
        };
        const cancel = clock.after(WORD_WITHIN_MS, settle);
        waiting.add(again);
        signal.addEventListener('abort', settle);
        if (signal.aborted) settle();
        else again();
      }),
    reset() {
      known.clear();
      wake();
    },
  };
}
