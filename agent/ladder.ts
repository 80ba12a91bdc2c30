import { asFailure, isFailure } from '../core/errors.ts';
import type { Hex32 } from '../core/primitives.ts';
import type { Ports } from './ports.ts';
import type { Runner } from './runner.ts';

/** The engine is given this long to confirm a freeze; then the work is ended. */
const FREEZE_MS = 500;
/** And this long to remove a container; then its door is closed, and the work ends by itself. */
const REMOVE_MS = 1_000;

/**
 * How work gives way, in steps that each need less of others:
 *
 *   said through its door, at once ──► paused by the engine ──(500 ms)──► removed ──(1 s)──► its door closed
 */
export type Ladder = {
  readonly freeze: (runner: Runner | undefined, leaseId: Hex32, containerId: string) => Promise<void>;
  /** Resolves when no freeze of it is under way. */
  readonly calm: (containerId: string) => Promise<void>;
  /** Not waited for: an engine may take many seconds to remove a container, and a freeze cannot. */
  readonly remove: (runner: Runner | undefined, leaseId: Hex32, containerId: string) => void;
  /** A container of this lease is on its way out. */
  readonly removing: (leaseId: Hex32) => boolean;
};

type LadderOptions = {
  readonly ports: Pick<Ports, 'clock' | 'log' | 'containers'>;
  readonly doubtEngine: () => void;
  /** Work was ended, because the engine was too slow or refused to freeze it. */
  readonly escalated: (detail: string) => void;
  readonly wake: () => void;
};

export function createLadder({ ports, doubtEngine, escalated, wake }: LadderOptions): Ladder {
  const { clock, log, containers } = ports;
  const freezing = new Map<string, Promise<void>>();
  const leaving = new Map<string, Hex32>();
  /** What was ended once is not frozen any more, however long its end takes. */
  const given = new WeakSet<Runner>();

  async function confirm(runner: Runner | undefined, leaseId: Hex32, containerId: string): Promise<void> {
    let over = false;
    const escalate = (detail: string, away = false): void => {
      if (over) return;
      over = true;
      log('warn', 'freeze-escalated', { leaseId, detail });
      // An engine that is gone is told of as such.
      if (!away) escalated(detail);
      if (runner !== undefined) given.add(runner);
      runner?.release();
      remove(runner, leaseId, containerId);
    };
    const cancel = clock.after(FREEZE_MS, () => escalate(`no freeze within ${FREEZE_MS} ms`));
    try {
      await containers.freeze(containerId);
      if (!over) runner?.frozen(true);
      over = true;
    } catch (error) {
      const away = isFailure(error, 'ENGINE_AWAY');
      escalate(asFailure(error).message, away);
      if (!away) return;
      runner?.shut();
      doubtEngine();
    } finally {
      cancel();
    }
  }

  function remove(runner: Runner | undefined, leaseId: Hex32, containerId: string): void {
    if (leaving.has(containerId)) return;
    leaving.set(containerId, leaseId);
    if (runner !== undefined) given.add(runner);
    const cancel = clock.after(REMOVE_MS, () => runner?.shut());
    containers
      .remove(containerId)
      .catch((error: unknown) => {
        log('warn', 'remove-failed', { leaseId, detail: asFailure(error).message });
        if (!isFailure(error, 'ENGINE_AWAY')) return;
        runner?.shut();
        doubtEngine();
      })
      .finally(() => {
        cancel();
        leaving.delete(containerId);
        wake();
      })
      .catch(() => undefined);
  }

  return {
    freeze(runner, leaseId, containerId) {
      const under = freezing.get(containerId);
      if (under !== undefined) return under;
      if (runner !== undefined && given.has(runner)) return Promise.resolve();
      runner?.tell('freeze');
      const work = confirm(runner, leaseId, containerId).finally(() => freezing.delete(containerId));
      freezing.set(containerId, work);
      return work;
    },
    calm: async (containerId) => freezing.get(containerId),
    remove,
    removing: (leaseId) => [...leaving.values()].includes(leaseId),
  };
}
