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
 * Repeats what a coordinator that is away stopped: until it answers, for up to a minute, or until the signal fires. `work`
 * must be safe to repeat. Throws what `work` threw last.
 */
export async function patiently<T>(patience: Patience, work: () => Promise<T>): Promise<T> {
  const since = performance.now();
  for (let wait: number = BACKOFF_MS.first, told = false; ; wait = Math.min(wait * 2, BACKOFF_MS.last)) {
    try {
      return await work();
    } catch (error) {
      const over = patience.signal?.aborted || performance.now() - since + wait > LIMIT_MS;
      if (over || !isFailure(error, 'COORDINATOR_AWAY')) throw error;
      if (!told) patience.waiting(error.message);
      told = true;
      // Cut short by the signal: one last try says what is wrong.
      await delay(wait, undefined, patience.signal === undefined ? {} : { signal: patience.signal }).catch(
        () => undefined,
      );
    }
  }
}
