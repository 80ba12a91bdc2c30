import type { Decision } from '../core/decide.ts';
import { asFailure, isFailure } from '../core/errors.ts';
import { type Hex32, LANES, type Lane, type PerLane, perLane } from '../core/primitives.ts';
import { type Action, decisionOf, type HeldLease, memoryWanted } from '../core/reconcile.ts';
import type { Share } from '../core/sandbox.ts';
import type { RunningJob } from '../core/snapshot.ts';
import type { Lease } from '../core/wire.ts';
import { soon } from './ending.ts';
import { type DeclineReason, entryFor } from './fitting.ts';
import type { Ending } from './job-ending.ts';
import type { JobsOptions } from './jobs-options.ts';
import { createLadder } from './ladder.ts';
import { createLeaseEnds } from './lease-ends.ts';
import { type Runner, startRunner } from './runner.ts';

const PROGRESS_EVERY_MS = 1_000;
/** Doors are closed by then: what an engine that hangs still keeps is not waited for. */
const RELEASED_MS = 2_000;

/** The leases in hand and the runners behind them; carries out what `reconcile` decided. */
export type Jobs = {
  /** Takes a lease or declines it. */
  readonly offer: (lease: Lease, may: boolean) => void;
  /** The coordinator has taken a lease back. */
  readonly cancel: (leaseId: Hex32, why: string) => void;
  readonly held: () => readonly HeldLease[];
  readonly counts: () => PerLane<number>;
  readonly apply: (action: Exclude<Action, { kind: 'request' }>) => Promise<void>;
  /** Freezes at once what may not run any more, and lets the rest have its share. */
  readonly allow: (decision: Decision, share: Share) => void;
  readonly running: () => readonly RunningJob[];
  /**
   * Declines what is not finished: another device gets it now and not at its deadline. What the coordinator cannot be told of
   * stays, and goes on with the next start.
   */
  readonly giveBack: () => void;
  /** Ends every runner; leases stay as they are. Resolves when they have ended, or soon. */
  readonly releaseAll: () => Promise<void>;
};

export function createJobs(options: JobsOptions): Jobs {
  const { ports, books, gpus, trial } = options;
  const { clock, log } = ports;
  const runners = new Map<Hex32, Runner>();
  /** How often the containers of each lease were killed from outside. */
  const deaths = new Map<Hex32, number>();
  /** Their results are being signed and written. */
  const finishing = new Set<Hex32>();
  /** Those of the network's tests, of which no ledger knows. */
  const tests = new WeakSet<Runner>();
  /** Ended, though their container may come up yet. */
  const ended = new WeakSet<Runner>();
  let share: Share = { cpuCores: 1, memoryBytes: 0, pids: 1 };
  let decision: Decision | null = null;
  const ladder = createLadder(options);
  const ends = createLeaseEnds({
    ...{ books, log },
    done(leaseId) {
      tidy(leaseId);
      options.wake();
    },
  });

  const heldRecords = () => books.ledger()?.leases(['held']) ?? [];
  /** Those of the ledger, and the network's test where there is one. */
  const heldLeases = (): readonly Lease[] => [
    ...heldRecords().map(({ lease }) => lease),
    ...[trial.lease() ?? []].flat(),
  ];
  const leaseNamed = (leaseId: Hex32): Lease | undefined =>
    trial.isOne(leaseId) ? (trial.lease() ?? undefined) : books.ledger()?.lease(leaseId)?.lease;

  function decline(lease: Pick<Lease, 'leaseId' | 'lane'>, reason: DeclineReason, detail: string): boolean {
    log('info', 'lease-declined', { leaseId: lease.leaseId, reason, detail });
    const told = options.send({ type: 'decline', leaseId: lease.leaseId, reason, detail });
    options.declined(lease.lane);
    options.wake();
    return told;
  }

  const entryOf = (lease: Lease) =>
    gpus.fit(entryFor(lease, options.catalogue(), share.memoryBytes / options.slots[lease.lane]));

  function offer(lease: Lease, may: boolean): void {
    const known = books.ledger()?.lease(lease.leaseId);
    if (known?.state === 'held') return;
    if (known?.state === 'finished') {
      options.reporting.sendResult(lease.leaseId);
      return;
    }
    if (known) {
      decline(lease, 'stopped', 'this lease has ended here');
      return;
    }
    if (lease.deadline - options.skew() <= clock.now()) {
      // A network gives no lease that has ended: this device's clock was set meanwhile.
      options.doubtSkew();
      decline(lease, 'stopped', 'its deadline has passed');
      return;
    }
    const inHand = heldLeases().filter(({ lane }) => lane === lease.lane).length;
    if (!may || inHand >= options.slots[lease.lane]) {
      decline(lease, 'held', 'nothing more may run here now');
      return;
    }
    const entry = entryOf(lease);
    if ('reason' in entry) return void decline(lease, entry.reason, entry.detail);
    try {
      books.now((ledger) => ledger.hold(lease, clock.now()));
    } catch (error) {
      decline(lease, 'held', asFailure(error).message);
      return;
    }
    log('info', 'lease-held', { leaseId: lease.leaseId, workload: lease.workload });
    options.wake();
  }

  function drop(leaseId: Hex32, why: string): void {
    const runner = runners.get(leaseId);
    if (runner) finishOff(runner);
    if (trial.isOne(leaseId)) trial.dropped(why);
    else ends.write('lease-dropped', leaseId, why, (ledger) => ledger.drop(leaseId, clock.now(), why));
  }

  /** Files stay for as long as the lease may start again here. */
  function tidy(leaseId: Hex32): void {
    const ledger = books.ledger();
    // Without a ledger nothing is known: what is over goes when one is open.
    if (ledger === null || runners.has(leaseId) || ledger.lease(leaseId)?.state === 'held') return;
    ports.workspace.remove(leaseId).catch((error: unknown) => {
      log('warn', 'files-not-removed', { leaseId, detail: asFailure(error).message });
    });
  }

  function start(leaseId: Hex32): void {
    const lease = leaseNamed(leaseId);
    const key = options.key();
    if (lease === undefined || key === null || runners.has(leaseId) || ends.under(leaseId)) return;
    // Never two containers of one lease; the end of the removal wakes the next round.
    if (ladder.removing(leaseId)) return;
    const entry = entryOf(lease);
    const isTrial = trial.isOne(leaseId);
    if ('reason' in entry) {
      if (!isTrial) decline(lease, entry.reason, entry.detail);
      drop(leaseId, entry.detail);
      return;
    }
    const gpu = gpus.take(leaseId, entry, decision);
    if (gpu === 'later') return;
    if (isTrial) trial.began(gpu);
    let saidAt = 0;
    const runner = startRunner({
      ...{ ports, key, lease, entry, gpu, instance: options.instance, launch: options.launch() },
      ...{ link: isTrial ? () => trial.link : options.link, share: shareOf(lease.lane, 1), changed: options.changed },
      deaths: deaths.get(leaseId) ?? 0,
      began: () => {
        if (ended.has(runner)) finishOff(runner);
        else settle(runner);
        options.wake();
      },
      finish: async (value) => {
        if (isTrial) return;
        finishing.add(leaseId);
        const signature = await key.sign('Result', value);
        await books.durably((ledger) => ledger.finish(leaseId, value, signature, clock.now()));
      },
      onProgress: (progress) => {
        if (isTrial || clock.now() - saidAt < PROGRESS_EVERY_MS) return;
        saidAt = clock.now();
        options.send({ type: 'progress', leaseId, progress });
      },
    });
    runners.set(leaseId, runner);
    if (isTrial) tests.add(runner);
    settle(runner);
    log('info', 'job-started', { leaseId, workload: lease.workload });
    runner.ended
      .then((ending) => end(runner, ending))
      .catch((error: unknown) => {
        log('error', 'job-end-failed', { leaseId, detail: asFailure(error).message });
      });
  }

  function end(runner: Runner, ending: Ending): void {
    const { leaseId } = runner.lease;
    if (runners.get(leaseId) !== runner) return;
    runners.delete(leaseId);
    finishing.delete(leaseId);
    gpus.free(leaseId);
    log('info', 'job-ended', { leaseId, ending: ending.kind });
    if (tests.has(runner) && trial.isOne(leaseId)) trial.ended(ending);
    if (!tests.has(runner)) concluded(runner, ending);
    tidy(leaseId);
    options.changed();
    options.wake();
  }

  function concluded(runner: Runner, ending: Ending): void {
    const { leaseId } = runner.lease;
    if (ending.kind !== 'released') deaths.delete(leaseId);
    else if (ending.killed) deaths.set(leaseId, (deaths.get(leaseId) ?? 0) + 1);
    if (ending.kind === 'finished') options.reporting.sendResult(leaseId);
    if (ending.kind === 'declined') {
      if (ending.reason === 'image-missing') options.doubtEngine();
      decline(runner.lease, ending.reason, ending.detail);
      drop(leaseId, ending.detail);
    }
  }

  /** Not waited for: an engine that hangs holds up no round. */
  async function thaw(leaseId: Hex32, containerId: string): Promise<void> {
    try {
      const runner = runners.get(leaseId);
      if (runner === undefined || !(await ladder.thaw(containerId, () => mayRun(runner)))) return;
      runner.frozen(false);
      // Somebody may have come back meanwhile.
      if (mayRun(runner)) runner.tell('thaw');
      else settle(runner);
    } catch (error) {
      log('warn', 'thaw-failed', { leaseId, detail: asFailure(error).message });
      if (isFailure(error, 'ENGINE_AWAY')) options.doubtEngine();
    }
  }

  const workers = (lane: Lane): number => [...runners.values()].filter((runner) => runner.lease.lane === lane).length;
  /** The lane's share, divided among the jobs that run in it and `more`. */
  function shareOf(lane: Lane, more = 0): Share {
    const count = Math.max(1, workers(lane) + more);
    return { ...share, cpuCores: share.cpuCores / count, memoryBytes: Math.floor(share.memoryBytes / count) };
  }

  const unitOf = ({ leaseId, lane }: Pick<Lease, 'leaseId' | 'lane'>) => ({ lane, gpu: gpus.of(leaseId) });
  const mayRun = ({ lease }: Runner): boolean =>
    decision !== null && decisionOf(decision, unitOf(lease)).kind === 'run';

  /** What the newest decision means for one runner. */
  function settle(runner: Runner): void {
    const may = mayRun(runner);
    runner.allow(may);
    const containerId = runner.containerId();
    if (decision === null || may || containerId === null) return;
    const { leaseId } = runner.lease;
    // Time runs on for a test: it is given up, and asked for again when nobody is here.
    if (trial.isOne(leaseId)) {
      drop(leaseId, 'the owner needs the machine');
      return;
    }
    if (memoryWanted(decision, unitOf(runner.lease))) stop(runner, containerId);
    else if (runner.view().phase === 'running' || ladder.thawing(containerId))
      void ladder.freeze(runner, leaseId, containerId);
  }

  function stop(runner: Runner, containerId: string): void {
    runner.tell('stop');
    runner.release();
    ladder.remove(runner, runner.lease.leaseId, containerId);
  }

  /** Ends it however far it is. An engine that hangs cannot keep it running. */
  function finishOff(runner: Runner): void {
    ended.add(runner);
    const containerId = runner.containerId();
    if (containerId === null) runner.release();
    else stop(runner, containerId);
  }

  return {
    offer,
    cancel(leaseId, why) {
      const record = books.ledger()?.lease(leaseId);
      if (record?.state === 'held') drop(leaseId, why);
      if (record?.state !== 'finished') return;
      const verdict = { leaseId, kind: 'rejected', reason: why } as const;
      ends.write('result-cancelled', leaseId, why, (ledger) => ledger.settle(verdict, clock.now()));
    },
    held: () =>
      heldLeases().map(({ leaseId, lane, deadline }) => ({
        leaseId,
        lane,
        deadline: deadline - options.skew(),
        active: runners.has(leaseId),
        gpu: gpus.of(leaseId),
        frozen: runners.get(leaseId)?.view().phase === 'frozen',
      })),
    counts: () => {
      const leases = heldLeases();
      return perLane((lane) => leases.filter((lease) => lease.lane === lane).length);
    },
    async apply(action) {
      switch (action.kind) {
        case 'start':
          return start(action.leaseId);
        case 'freeze':
          return ladder.freeze(runners.get(action.leaseId), action.leaseId, action.containerId);
        case 'thaw':
          void thaw(action.leaseId, action.containerId);
          return;
        case 'remove':
          if (action.why !== 'orphan') runners.get(action.leaseId)?.release();
          return ladder.remove(runners.get(action.leaseId), action.leaseId, action.containerId);
        case 'drop':
          if (action.why === 'withdrawn' && !ends.under(action.leaseId) && !trial.isOne(action.leaseId)) {
            const lease = books.ledger()?.lease(action.leaseId)?.lease;
            if (lease !== undefined) decline(lease, 'stopped', 'the owner does not share this any more');
          }
          return drop(action.leaseId, action.why);
      }
    },
    allow(next, all) {
      decision = next;
      share = all;
      const each = [...runners.values()];
      for (const runner of each) settle(runner);
      for (const runner of each) runner.share(shareOf(runner.lease.lane));
    },
    running: () => [...runners.values()].map((runner) => runner.view()),
    giveBack() {
      const why = 'the device was switched off';
      for (const lane of LANES) options.send({ type: 'ready', lane, slots: 0 });
      for (const { lease } of heldRecords()) {
        const { leaseId } = lease;
        const done = finishing.has(leaseId) || runners.get(leaseId)?.view().phase === 'uploading';
        if (done || ends.under(leaseId)) continue;
        try {
          if (decline(lease, 'stopped', why)) drop(leaseId, why);
        } catch (error) {
          log('warn', 'lease-not-given-back', { leaseId, detail: asFailure(error).message });
        }
      }
    },
    async releaseAll() {
      const all = [...runners.values()];
      for (const runner of all) finishOff(runner);
      const gone = Promise.all(all.map((runner) => runner.ended)).then(() => undefined);
      await soon(ports, gone, RELEASED_MS);
    },
  };
}
