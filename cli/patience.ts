import { setTimeout as delay } from 'node:timers/promises';
import { isFailure } from '../core/errors.ts';

const BACKOFF_MS = { first: 500, last: 8_000 } as const;
/** A restart takes seconds; who waits longer should be told. */
const LIMIT_MS = 60_000;

export type Patience = {
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
  /** Told once for each time that it waits. */
  readonly waiting: (detail: string) => void;
};

/**
 * Repeats what a coordinator that is away, or has too much to do, stopped: until it answers, for up to a minute, or until the signal fires. `work`
 * must be safe to repeat. Throws what `work` threw last.
 */
export async function patiently<T>(patience: Patience, work: () => Promise<T>): Promise<T> {
  const since = performance.now();
  for (let wait: number = BACKOFF_MS.first, told = false; ; wait = Math.min(wait * 2, BACKOFF_MS.last)) {
    try {
      return await work();
    } catch (error) {
      const busy = isFailure(error, 'TOO_MANY') ? Number(error.info['retryAfter'] ?? 0) * 1000 : null;
      if (busy === null && !isFailure(error, 'COORDINATOR_AWAY')) throw error;
      const pause = Math.max(wait, busy ?? 0) * (1 + Math.random() / 4);
      const over = patience.signal?.aborted || performance.now() - since + pause > LIMIT_MS;
      if (over) throw error;
      if (!told && error instanceof Error) patience.waiting(error.message);
      told = true;
      // Cut short by the signal: one last try says what is wrong.
      await delay(pause, undefined, patience.signal === undefined ? {} : { signal: patience.signal }).catch(
        () => undefined,
      );
    }
  }
}
