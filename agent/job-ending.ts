import type { Failure } from '../core/errors.ts';
import { plainText } from '../core/plain-text.ts';
import type { Struct } from '../core/typed-data.ts';
import type { Said } from './job-io.ts';

/** A container that is killed from outside is started again; one that dies again and again is the job's own doing. */
const MAX_DEATHS = 3;
/** Exit codes of KILL and TERM. */
const KILLED: ReadonlySet<number> = new Set([137, 143]);
const DETAIL_CHARACTERS = 500;

/**
 * How a job's run ended. `released`: the lease stays and starts again, with the input and the checkpoints it has. `killed`: by
 * somebody else.
 */
export type Ending =
  | { readonly kind: 'finished'; readonly value: Struct<'Result'> }
  | { readonly kind: 'declined'; readonly reason: 'failed' | 'image-missing' | 'stopped'; readonly detail: string }
  | { readonly kind: 'released'; readonly killed?: true };

export const failed = (detail: string): Ending => ({
  ...{ kind: 'declined', reason: 'failed' },
  // It may be the job's own words: they go to logs, to the network and to whoever ordered it.
  detail: plainText(detail.slice(0, DETAIL_CHARACTERS)),
});

/** This device cannot do it, through no fault of the job's: another one shall. */
export const given = (detail: string): Ending => ({
  ...{ kind: 'declined', reason: 'stopped' },
  detail: detail.slice(0, DETAIL_CHARACTERS),
});

/** What a container's end means after `deaths` earlier ones from outside; null: it has succeeded. */
export function judge(
  exit: { readonly code: number; readonly outOfMemory: boolean },
  said: Said,
  deaths: number,
): Ending | null {
  if (exit.outOfMemory) return failed('it ran out of memory');
  if (exit.code === 0 && said.done) return null;
  if (KILLED.has(exit.code) && said.error === null && deaths + 1 < MAX_DEATHS)
    return { kind: 'released', killed: true };
  return failed(said.error ?? `exit code ${exit.code}: ${said.tail}`);
}

/** What stopped a job on its way. */
export function endingOf(error: Failure): Ending {
  // The engine, the network or the disk failed, not the job.
  const others = ['CANCELLED', 'ENGINE_AWAY', 'DISK_FULL', 'COORDINATOR_AWAY'];
  if (error.code === 'CONFLICT') return given(error.message);
  return others.includes(error.code) ? { kind: 'released' } : failed(error.message);
}
