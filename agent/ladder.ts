import { asFailure, isFailure } from '../core/errors.ts';
import type { Hex32 } from '../core/primitives.ts';
import type { Ports } from './ports.ts';
import type { Runner } from './runner.ts';

/** The engine is given this long to confirm a freeze; then the work is ended. */
const FREEZE_MS = 500;
/** Work that was told through its door waits for its turn, stopped: eight in turn took up to 750 ms on 2 busy cores. */
const HEARD_FREEZE_MS = 1_000;
/**
 * Work that was told through its door stops by itself; pausing eight containers at once takes the processor from the very
 * readers that stop them (2 cores: p99 of the last instruction 182 ms with all pauses at once, 72 ms without any).
 */
const HEARD_MS = 60;
const PAUSES_AT_ONCE = 2;
/** An engine on cgroup v1 can refuse to freeze what is throttled at that moment. */
const REFUSED_AGAIN_MS = 50;
const REFUSALS = 3;
/** And this long to remove a container; then its door is closed, and the work ends by itself. */
const REMOVE_MS = 1_000;
/** What could not be removed is tried again after this. */
const AGAIN_MS = 1_000;

/**
 * How work gives way, in steps that each need less of others:
 *
 *   said through its door, at once ──► paused by the engine ──(500 ms)──► removed ──(1 s)──► its door closed
 */
export type Ladder = {
  readonly freeze: (runner: Worker | undefined, leaseId: Hex32, containerId: string) => Promise<void>;
  /**
   * Resolves when the engine has thawed it, and no freeze that was asked for meanwhile is under way. False: it was not asked
   * to, because `may` says no after the freezes under way, or because it is at it already.
   */
  readonly thaw: (containerId: string, may: () => boolean) => Promise<boolean>;
  /** The engine was asked to thaw it, and may have; it was not asked to freeze it since. */
  readonly thawing: (containerId: string) => boolean;
  /** Not waited for: an engine may take many seconds to remove a container, and a freeze cannot. */
  readonly remove: (runner: Worker | undefined, leaseId: Hex32, containerId: string) => void;
  /** A container of this lease is on its way out. */
  readonly removing: (leaseId: Hex32) => boolean;
};

type Worker = Pick<Runner, 'tell' | 'release' | 'shut' | 'frozen'>;

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
  /** Those to be thawed, and of them those that the engine has been asked to thaw and not to freeze since. */
  const waking = new Set<string>();
  const thawing = new Set<string>();
  const leaving = new Map<string, Hex32>();
  /** Pauses that the engine is working on, and those that wait for their turn. */
  let pausing = 0;
  const queue: (() => void)[] = [];
  /** What was ended once is not frozen any more, however long its end takes. */
  const given = new WeakSet<Worker>();
  /** The container that each had and that is gone: until its files are closed it would be removed again in every round. */
  const removed = new WeakMap<Worker, string>();

  const wait = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      clock.after(ms, resolve);
    });

  /** What was told through its door is paused a little later, and few at a time. */
  async function inTurn(heard: boolean, pause: () => Promise<void>): Promise<void> {
    if (!heard) return pause();
    await wait(HEARD_MS);
    while (pausing >= PAUSES_AT_ONCE) await new Promise<void>((resolve) => queue.push(resolve));
    pausing += 1;
    try {
      await pause();
    } finally {
      pausing -= 1;
      queue.shift()?.();
    }
  }

  async function confirm(
    runner: Worker | undefined,
    leaseId: Hex32,
    containerId: string,
    heard: boolean,
  ): Promise<void> {
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
    let cancel = (): void => undefined;
    // Waiting for its turn counts: an engine that hangs on others must not keep this one running.
    const late = new Promise<void>((resolve) => {
      const limit = heard ? HEARD_FREEZE_MS : FREEZE_MS;
      cancel = clock.after(limit, () => {
        escalate(`no freeze within ${limit} ms`);
        resolve();
      });
    });
    try {
      // Not waited for any longer: the rounds go on beside an engine that hangs.
      const pause = () => Promise.race([freezeSoon(containerId, () => over), late]);
      await Promise.race([inTurn(heard, pause), late]);
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

  /** Asks again when the engine refuses, until `over`. */
  async function freezeSoon(containerId: string, over: () => boolean): Promise<void> {
    for (let left = REFUSALS; ; left -= 1) {
      try {
        return await containers.freeze(containerId);
      } catch (error) {
        if (left === 0 || over() || !isFailure(error, 'REFUSED')) throw error;
        await wait(REFUSED_AGAIN_MS);
      }
    }
  }

  function remove(runner: Worker | undefined, leaseId: Hex32, containerId: string): void {
    if (leaving.has(containerId) || (runner !== undefined && removed.get(runner) === containerId)) return;
    leaving.set(containerId, leaseId);
    if (runner !== undefined) given.add(runner);
    const gone = (): void => {
      leaving.delete(containerId);
      wake();
    };
    const cancel = clock.after(REMOVE_MS, () => runner?.shut());
    containers
      .remove(containerId)
      .then(
        () => {
          if (runner !== undefined) removed.set(runner, containerId);
          gone();
        },
        (error: unknown) => {
          log('warn', 'remove-failed', { leaseId, detail: asFailure(error).message });
          runner?.shut();
          if (isFailure(error, 'ENGINE_AWAY')) doubtEngine();
          // An engine that refuses at once would be asked without end.
          clock.after(AGAIN_MS, gone);
        },
      )
      .finally(cancel)
      .catch(() => undefined);
  }

  return {
    freeze(runner, leaseId, containerId) {
      const under = freezing.get(containerId);
      if (under !== undefined) return under;
      if (runner !== undefined && given.has(runner)) return Promise.resolve();
      thawing.delete(containerId);
      const heard = runner?.tell('freeze') === true;
      const work = confirm(runner, leaseId, containerId, heard).finally(() => freezing.delete(containerId));
      freezing.set(containerId, work);
      return work;
    },
    async thaw(containerId, may) {
      if (waking.has(containerId)) return false;
      waking.add(containerId);
      try {
        await freezing.get(containerId);
        if (!may()) return false;
        thawing.add(containerId);
        await containers.thaw(containerId);
        // The engine may have carried out a freeze that was asked for meanwhile before the thaw.
        await freezing.get(containerId);
        return true;
      } finally {
        waking.delete(containerId);
        thawing.delete(containerId);
      }
    },
    thawing: (containerId) => thawing.has(containerId),
    remove,
    removing: (leaseId) => [...leaving.values()].includes(leaseId),
  };
}
