import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CatalogueEntry } from '../core/catalogue.ts';
import { asFailure, fail, isFailure } from '../core/errors.ts';
import type { UnixMs } from '../core/primitives.ts';
import { containerSpec, coresOf, limitUpdate, type Share } from '../core/sandbox.ts';
import type { RunningJob, RunPhase } from '../core/snapshot.ts';
import type { Struct } from '../core/typed-data.ts';
import type { Lease } from '../core/wire.ts';
import { type Checkpoints, checkpointsIn, forsake, noCheckpoints, openCheckpoints } from './checkpoints.ts';
import { type Egress, imagesOf, withEgress, workShare } from './egress.ts';
import type { Launch } from './engine-watch.ts';
import { type GpuJob, gpuNotGiven, proveGpu, type Task } from './gpu-choice.ts';
import { type Ending, endingOf, failed, judge } from './job-ending.ts';
import { collect, feed, holds, listen, type Output } from './job-io.ts';
import type { ContainerRun, CoordinatorLink, DeviceKey, Ports } from './ports.ts';
import { createStopwatch } from './stopwatch.ts';

const RETRY_MS = { first: 1_000, last: 30_000 } as const;
/** Checkpoints may be of a wider form than the result that is made of them. */
const CHECKPOINTS_TO_OUTPUT = 2;

export type Runner = {
  readonly lease: Lease;
  readonly ended: Promise<Ending>;
  readonly view: () => RunningJob;
  /** Whether its lane may run: nothing is started while it may not. */
  readonly allow: (may: boolean) => void;
  /** The engine has frozen or thawed its container. */
  readonly frozen: (yes: boolean) => void;
  readonly share: (share: Share) => void;
  /** The running container; null before it starts and after it ends. */
  readonly containerId: () => string | null;
  /** Says it through the job's own door, at once and without an answer. False: this work does not listen there. */
  readonly tell: (what: 'freeze' | 'thaw' | 'stop') => boolean;
  /** Closes the door: work ends by itself where the engine cannot end it. */
  readonly shut: () => void;
  /** Ends it; the container is removed and the lease is not touched. */
  readonly release: () => void;
};

type BlobLink = Pick<CoordinatorLink, 'download' | 'upload'>;

type RunnerOptions = {
  readonly ports: Pick<Ports, 'clock' | 'containers' | 'home' | 'log' | 'seccompProfile' | 'traffic' | 'workspace'>;
  readonly link: () => BlobLink | null;
  readonly key: Pick<DeviceKey, 'address'>;
  readonly instance: string;
  readonly lease: Lease;
  readonly entry: CatalogueEntry;
  readonly launch: Launch;
  readonly share: Share;
  /** The GPU that it works on; null: none. */
  readonly gpu: GpuJob | null;
  /** How often it was killed from outside before. */
  readonly deaths: number;
  /** Makes the signed result durable; resolves when it is. */
  readonly finish: (value: Struct<'Result'>) => Promise<void>;
  readonly onProgress: (progress: number) => void;
  readonly changed: () => void;
  /** Its container runs: who came back while it was being started is still to be yielded to. */
  readonly began: () => void;
};

/** Runs one lease from its input to its signed result: fetch, run, upload, sign, make durable. */
export function startRunner(options: RunnerOptions): Runner {
  const { ports, lease, entry } = options;
  const { clock, containers, workspace, log } = ports;
  const startedAt: UnixMs = clock.now();
  const labels = { lease: lease.leaseId, device: options.key.address, instance: options.instance, home: ports.home };
  let [whole, share] = [options.share, workShare(entry, options.share)];
  let egress: Egress | null = null;
  /** What the container was last told. */
  let limited = share;
  let limiting = false;
  let phase: RunPhase = 'fetching';
  let progress = 0;
  let running: ContainerRun | null = null;
  /** The whole input is in: what is said now is not taken for it. */
  let listening = false;
  let released = false;
  let allowed = true;
  const waiting: (() => void)[] = [];
  let timedOut = false;
  let kept = false;
  let full = false;
  /** It began with the checkpoints of an earlier run, and has not done without failing since. */
  let restored = false;

  let stopwatch = createStopwatch(clock, entry.limits.seconds * 1000, () => undefined);

  function enter(next: RunPhase): void {
    phase = next;
    options.changed();
  }
  function stirred(): void {
    for (const resolve of waiting.splice(0)) resolve();
  }
  const pause = (ms: number | null): Promise<void> =>
    new Promise((resolve) => {
      const cancel = ms === null ? () => undefined : clock.after(ms, resolve);
      waiting.push(() => {
        cancel();
        resolve();
      });
    });

  async function removeContainer(): Promise<void> {
    const run = running;
    if (run === null) return;
    await containers.remove(run.containerId).catch((error: unknown) => {
      // Without its door it ends by itself.
      run.shut();
      log('warn', 'container-not-removed', { leaseId: lease.leaseId, detail: asFailure(error).message });
    });
  }

  /** Repeats what a coordinator that is away or a full disk stopped, until released. */
  async function persist(step: (link: BlobLink) => Promise<void>): Promise<void> {
    for (let wait: number = RETRY_MS.first; ; wait = Math.min(wait * 2, RETRY_MS.last)) {
      if (released) fail('CANCELLED', 'released');
      const link = options.link();
      try {
        if (link !== null) return await step(link);
      } catch (error) {
        if (!isFailure(error, 'COORDINATOR_AWAY') && !isFailure(error, 'DISK_FULL')) throw error;
        log('info', 'transfer-waits', { leaseId: lease.leaseId, code: error.code, detail: error.message });
      }
      await pause(wait);
    }
  }

  function release(): void {
    // Who has ended it sees to its end; saying so in every round would be an event that starts another.
    if (released) return;
    released = true;
    stirred();
    void removeContainer();
  }

  /**
   * A container that cannot be held within the owner's limits is ended; the lease starts again within them. One call at a
   * time: the engine may carry out two in any order, and the newest limits must stay.
   */
  async function limit(run: ContainerRun): Promise<void> {
    if (limiting) return;
    limiting = true;
    try {
      while (limited !== share && running === run) {
        limited = share;
        await containers.setLimits(run.containerId, limitUpdate(entry, share));
      }
    } catch (error) {
      log('warn', 'limits-not-set', { leaseId: lease.leaseId, detail: asFailure(error).message });
      if (!isFailure(error, 'ENGINE_AWAY')) release();
    } finally {
      limiting = false;
    }
  }

  async function work(): Promise<Ending> {
    const folder = await workspace.create(lease.leaseId);
    const [input, output] = [join(folder, 'input'), join(folder, 'output')];
    if (!(await holds(input, { sha256: lease.inputHash, bytes: lease.inputBytes }))) {
      await persist((link) => link.download(lease.inputHash, lease.inputBytes, input, lease.lane));
    }
    for (const image of imagesOf(entry, options.launch)) {
      if (await containers.hasImage(image)) continue;
      return { kind: 'declined', reason: 'image-missing', detail: `the engine does not hold ${image}` };
    }
    while (!allowed && !released) await pause(null);
    if (released) return { kind: 'released' };
    const way = { ports, entry, labels, launch: options.launch, share: whole, lost: () => void removeContainer() };
    const outcome = await withEgress(way, async (opened) => {
      const run = (task: Task) => runContainer(folder, task, opened);
      const job = { ...lease, ...entry.limits, input, output, checking: false };
      return (await proveGpu(options.gpu, folder, run)) ?? run(job);
    });
    if ('kind' in outcome) return outcome;
    restored = false;
    enter('uploading');
    await persist((link) => link.upload(outcome.sha256, output, lease.lane));
    const value: Struct<'Result'> = {
      ...{ leaseId: lease.leaseId, device: options.key.address },
      ...{ outputHash: outcome.sha256, outputBytes: outcome.bytes },
      startedAt,
      finishedAt: clock.now(),
    };
    await options.finish(value);
    return { kind: 'finished', value };
  }

  async function checkpointsOf(folder: string): Promise<Checkpoints | null> {
    if (!entry.checkpoint) return null;
    const maxBytes = CHECKPOINTS_TO_OUTPUT * entry.limits.maxOutputBytes;
    const failed = (error: unknown): void =>
      log('warn', 'checkpoints-not-kept', { leaseId: lease.leaseId, detail: asFailure(error).message });
    const wanted = { path: checkpointsIn(folder), maxBytes, progress: () => progress, failed };
    const checkpoints = await openCheckpoints(wanted).catch((error: unknown) => {
      failed(error);
      return noCheckpoints(maxBytes);
    });
    restored = checkpoints.bytes > 0;
    progress = checkpoints.progress;
    if (restored) log('info', 'job-goes-on', { leaseId: lease.leaseId, progress });
    return checkpoints;
  }

  async function runContainer(folder: string, task: Task, way: Egress): Promise<Output | Ending> {
    const { params, inputBytes, output, checking } = task;
    while (!allowed && !released) await pause(null);
    if (released) return { kind: 'released' };
    stopwatch = createStopwatch(clock, task.seconds * 1000, () => {
      timedOut = true;
      void removeContainer();
    });
    egress = way;
    limited = share;
    const { door: image, gateway: _way, ...runtime } = options.launch;
    // No GPU reaches through gVisor.
    const others = options.gpu === null ? runtime : { gpus: options.gpu.grants };
    const grants = { door: await containers.door(entry.image, image, labels.device), ...way.grants, ...others };
    const run = await containers.run(containerSpec(entry, limited, labels, ports.seccompProfile, grants));
    running = run;
    void limit(run);
    stopwatch.run();
    enter('running');
    options.began();
    try {
      if (released) return { kind: 'released' };
      const checkpoints = checking ? null : await checkpointsOf(folder);
      const header = { params, inputBytes, ...(checkpoints === null ? {} : { checkpointBytes: checkpoints.bytes }) };
      const parts = [{ path: task.input, bytes: inputBytes }, ...(checkpoints === null ? [] : [checkpoints])];
      const heard = listen(run, (value) => {
        progress = Math.max(progress, checking ? 0 : value);
        options.onProgress(progress);
        options.changed();
      });
      // What breaks one stream ends the container, which ends the others.
      const end = async (error: unknown): Promise<never> => {
        await removeContainer();
        throw error;
      };
      const [said, written, , exit] = await Promise.allSettled([
        heard.catch(end),
        collect(run, { path: output, maxBytes: entry.limits.maxOutputBytes, checkpoints }).catch(end),
        feed(run, header, parts)
          .then(() => {
            listening = entry.control;
          })
          .catch(end),
        run.exited.finally(stopwatch.end).catch(end),
      ]);
      if (released) return { kind: 'released' };
      if (timedOut) {
        restored = false;
        return failed(`it took longer than ${task.seconds} s`);
      }
      if (written.status === 'rejected') throw written.reason;
      if (exit.status === 'rejected') throw exit.reason;
      if (said.status === 'rejected') throw said.reason;
      return judge(exit.value, said.value, options.deaths) ?? written.value ?? failed('it ended without a result');
    } finally {
      stopwatch.end();
      listening = false;
      await removeContainer();
      running = null;
    }
  }

  /** What the lease needs when it starts again stays; a full disk gets everything back. */
  async function tidy(): Promise<void> {
    if (kept) await rm(join(workspace.of(lease.leaseId), 'output'), { force: true });
    else await workspace.remove(lease.leaseId);
  }

  /** Failing with checkpoints may be the checkpoints' fault. */
  async function onceMore(ending: Ending): Promise<Ending> {
    if (ending.kind !== 'declined' || ending.reason !== 'failed' || !restored) return ending;
    if (!(await forsake(workspace.of(lease.leaseId)))) return ending;
    log('warn', 'job-starts-over', { leaseId: lease.leaseId, detail: ending.detail });
    return { kind: 'released' };
  }

  const ended = work()
    .catch((error: unknown) => {
      const failure = asFailure(error);
      log('warn', 'job-ended-early', { leaseId: lease.leaseId, code: failure.code, detail: failure.message });
      full = failure.code === 'DISK_FULL';
      if (released) return { kind: 'released' as const };
      return gpuNotGiven(options.gpu, failure.message) ?? endingOf(failure);
    })
    .then(onceMore)
    .then((ending) => {
      kept = ending.kind === 'released' && !full;
      return ending;
    })
    .finally(() => tidy().catch(() => undefined));

  return {
    lease,
    ended,
    view: () => {
      const limits = limitUpdate(entry, share);
      return {
        ...{ leaseId: lease.leaseId, lane: lease.lane, price: lease.price },
        ...{ workload: entry.id, version: entry.version, image: entry.image },
        ...{ phase, startedAt, progress },
        ...{ cpuCores: coresOf(limits), memoryBytes: limits.Memory },
      };
    },
    allow(may) {
      const opened = may && !allowed;
      allowed = may;
      if (opened) stirred();
    },
    frozen(yes) {
      if (phase !== 'running' && phase !== 'frozen') return;
      if (yes) stopwatch.hold();
      else stopwatch.run();
      enter(yes ? 'frozen' : 'running');
    },
    share(given) {
      whole = given;
      const next = workShare(entry, given);
      const same =
        next.cpuCores === share.cpuCores && next.memoryBytes === share.memoryBytes && next.pids === share.pids;
      if (same) return;
      share = next;
      egress?.share(given);
      options.changed();
      if (running !== null) void limit(running);
    },
    containerId: () => running?.containerId ?? null,
    tell(what) {
      if (what !== 'stop') egress?.hold(what === 'freeze');
      if (running === null || !listening) return false;
      running.write(new TextEncoder().encode(`${what}\n`)).catch(() => undefined);
      return true;
    },
    shut: () => running?.shut(),
    release,
  };
}
