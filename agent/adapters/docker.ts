import { once } from 'node:events';
import type { Duplex, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { Failure, fail } from '../../core/errors.ts';
import type { GatewaySpec } from '../../core/gateway.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import type { ObservedContainer } from '../../core/reconcile.ts';
import { type ContainerSpec, hasDoor, LABEL } from '../../core/sandbox.ts';
import type { ContainerRun, Containers, Log } from '../ports.ts';
import { engineCheck } from './docker-check.ts';
import { connect, engineFailure, statusOf, within } from './docker-connection.ts';
import { dockerDoors } from './docker-door.ts';
import { dockerEgress } from './docker-egress.ts';
import { dockerLists } from './docker-lists.ts';
import { cpuMeter } from './docker-meter.ts';
import { imageNames } from './docker-names.ts';
import { runtimeTrial } from './docker-runtime.ts';
import { dockerStores } from './docker-stores.ts';
import { demultiplex, linesOf } from './docker-stream.ts';
import { inputWindow } from './docker-window.ts';

/** An engine that hangs is as good as away: the agent's loop must not hang with it. */
const ANSWER_TIMEOUT_MS = 20_000;
/** A connection that died unnoticed never tells of a container's end: the engine is asked this often while one runs. */
const WATCH_MS = 30_000;
/** And this often once its door has shut: most often it has ended, and its end is on the way. */
const SHUT_MS = 2_000;
/** In a second. */
const NANOSECONDS = 1e9;
const EVENTS_BACKOFF_MS = { first: 500, last: 30_000 } as const;

const STATES: Readonly<Record<string, ObservedContainer['state']>> = {
  created: 'created',
  running: 'running',
  restarting: 'running',
  paused: 'paused',
  exited: 'exited',
  dead: 'exited',
};

/** The Docker engine through its API. `socketPath` replaces the default search (`enginePlaces`). */
export function dockerContainers(options: {
  readonly log: Log;
  readonly socketPath?: string;
  /** The owner lets work run on another machine's engine. */
  readonly allowRemote?: () => boolean;
  readonly answerMs?: number;
  readonly watchMs?: number;
  /** Shared with what must speak to the same engine: this one says where it is. */
  readonly docker?: Docker;
}): Containers {
  const { log, answerMs = ANSWER_TIMEOUT_MS, watchMs = WATCH_MS } = options;
  const docker = options.docker ?? connect();
  /** Containers whose door is open here. */
  let doors = 0;
  const engine = engineCheck(docker, { ...options, occupied: () => doors > 0 });
  const closers = new Set<() => void>();
  /** Containers under gVisor that were started here. */
  const gvisored = new Set<string>();
  const lists = dockerLists(answerMs);
  const names = imageNames(docker, answerMs);
  const doorFor = dockerDoors(docker, answerMs);
  const runs = runtimeTrial(docker);
  const answered = <T>(answer: Promise<T>): Promise<T> => within(answerMs, answer).catch(engineFailure);

  const meter = cpuMeter(async (id) => {
    try {
      // `one-shot`: one sample, and not two with a second between them.
      const asked = docker.getContainer(id).stats({ stream: false, 'one-shot': true });
      const { cpu_stats: used } = await within(answerMs, asked);
      return (used?.cpu_usage?.total_usage ?? 0) / NANOSECONDS;
    } catch (error) {
      return [404, 409].includes(statusOf(error) ?? 0) ? null : engineFailure(error);
    }
  });

  /** Runs `call`; an answer in `fine` counts as success: what was asked for is so already, or its object is gone. */
  async function settled(call: () => Promise<unknown>, fine: readonly number[]): Promise<void> {
    try {
      await within(answerMs, call());
    } catch (error) {
      const status = statusOf(error);
      if (status === null || !fine.includes(status)) engineFailure(error);
    }
  }

  async function run(spec: ContainerSpec | GatewaySpec): Promise<ContainerRun> {
    const body = JSON.parse(JSON.stringify({ ...spec, Image: names.of(spec.Image) })) as Docker.ContainerCreateOptions;
    const making = docker.createContainer(body);
    const discard = (made: Docker.Container) => settled(() => made.remove({ force: true, v: true }), [404, 409]);
    const container = await answered(making).catch((error: unknown) => {
      // Made after all, when nobody waits for it any more.
      making.then(discard).catch(() => undefined);
      throw error;
    });
    let door: Duplex | null = null;
    const attach = { stream: true, stdin: true, stdout: true, stderr: true, hijack: true };
    try {
      await lists(container, spec.Image);
      // Attached before the start: nothing written in between is lost, and the door is ours from the first instant.
      const opened = (await answered(container.attach(attach))) as Duplex;
      door = opened;
      opened.on('error', (error) => log('debug', 'container-door', { id: container.id, detail: error.message }));
      const { stdout, stderr } = demultiplex(opened);
      await answered(container.start());
      const shut = (): void => {
        opened.destroy();
      };
      closers.add(shut);
      doors += 1;
      if (spec.HostConfig.Runtime === 'runsc') gvisored.add(container.id);
      meter.begins(container.id, (spec.Labels[LABEL.device] ?? '0x') as Address);
      const window = hasDoor(spec) ? inputWindow() : null;
      const exited = ended(container, opened).finally(() => {
        closers.delete(shut);
        doors -= 1;
        window?.close();
        gvisored.delete(container.id);
        meter.ended(container.id);
      });
      exited.catch(() => undefined);
      const put = (chunk: Uint8Array): Promise<void> =>
        new Promise((resolve, reject) => {
          opened.write(chunk, (error) =>
            error ? reject(new Failure('CANCELLED', 'the container closed its door', {}, error)) : resolve(),
          );
        });
      const lines = linesOf(stderr);
      return {
        containerId: container.id,
        write: window === null ? put : (chunk) => window.pass(chunk, put),
        shut,
        stdout,
        stderr: window === null ? lines : window.heard(lines),
        exited,
      };
    } catch (error) {
      door?.destroy();
      await discard(container).catch(() => undefined);
      return engineFailure(error);
    }
  }

  async function ended(container: Docker.Container, door: Duplex): Promise<{ code: number; outOfMemory: boolean }> {
    const over = new AbortController();
    try {
      const waiting = container.wait() as Promise<{ readonly StatusCode: number }>;
      const { StatusCode: code } = await Promise.race([waiting, lost(container, door, over.signal)]).catch(
        engineFailure,
      );
      // A killed child leaves exit code 0: only this flag tells that memory ran out.
      const state = await within(answerMs, container.inspect()).catch(() => null);
      return { code, outOfMemory: state?.State.OOMKilled === true };
    } catch (error) {
      // What else hangs on this connection ends with it.
      door.destroy();
      throw error;
    } finally {
      over.abort();
    }
  }

  /** Rejects when the container has ended, or nothing answers and its door is shut, and a whole turn later nobody has been told. */
  async function lost(container: Docker.Container, door: Duplex, over: AbortSignal): Promise<never> {
    const shut = door.closed ? Promise.resolve() : once(door, 'close', { signal: over }).catch(() => undefined);
    for (let gone = false; ; ) {
      const turn = delay(door.closed ? Math.min(watchMs, SHUT_MS) : watchMs, undefined, { signal: over, ref: false });
      await (door.closed ? turn : Promise.race([turn, shut]));
      over.throwIfAborted();
      if (gone) fail('ENGINE_AWAY', 'the connection to Docker was lost without a word');
      const status = await within(answerMs, container.inspect()).then(
        ({ State }) => State.Status,
        (error: unknown) => (statusOf(error) === 404 ? 'gone' : 'unknown'),
      );
      // An engine that dies takes its word with it: it will tell of no end.
      gone = ['gone', 'exited', 'dead'].includes(status) || (status === 'unknown' && door.closed);
    }
  }

  function onEvent(device: Address, listener: () => void): () => void {
    let stopped = false;
    let stream: Readable | null = null;
    let timer: NodeJS.Timeout | undefined;
    let wait: number = EVENTS_BACKOFF_MS.first;
    const again = (): void => {
      if (stopped) return;
      clearTimeout(timer);
      timer = setTimeout(() => void open(), wait);
      wait = Math.min(wait * 2, EVENTS_BACKOFF_MS.last);
    };
    const open = async (): Promise<void> => {
      const opened = await docker
        .getEvents({ filters: { type: ['container'], label: [`${LABEL.device}=${device}`] } })
        .catch(() => null);
      if (stopped || opened === null) {
        (opened as Readable | null)?.destroy();
        return again();
      }
      wait = EVENTS_BACKOFF_MS.first;
      stream = opened as Readable;
      stream.on('data', () => listener());
      stream.on('error', () => undefined);
      stream.on('close', () => {
        if (!stopped) listener();
        again();
      });
      listener();
    };
    const close = (): void => {
      stopped = true;
      clearTimeout(timer);
      stream?.destroy();
      closers.delete(close);
    };
    closers.add(close);
    void open();
    return close;
  }

  return {
    check: engine.check,
    facts: engine.facts,
    place: engine.place,
    run,
    onEvent,
    knows: names.know,
    hasImage: names.held,
    door: (image, doorImage, device) => doorFor(names.of(image), names.of(doorImage), device),
    egress: dockerEgress(docker, answerMs),
    ...dockerStores(docker, answerMs),
    runsUnder: (runtime, doorImage, device) => runs(runtime, names.of(doorImage), device),
    list: async (device) => {
      const filters = { label: [`${LABEL.device}=${device}`] };
      const asked = docker.listContainers({ all: true, filters });
      const found = await within(answerMs, asked).catch(engineFailure);
      return found.flatMap((entry): ObservedContainer[] => {
        const state = STATES[entry.State];
        // "removing" is on its way out already. What serves the sandbox is no work, and not a lease's.
        if (state === undefined || (entry.Labels[LABEL.role] ?? 'workload') !== 'workload') return [];
        const leaseId = (entry.Labels[LABEL.lease] ?? '0x') as Hex32;
        return [{ id: entry.Id, leaseId, instance: entry.Labels[LABEL.instance] ?? '', state }];
      });
    },
    // 404: it is gone. 409: it is frozen already, or has ended.
    freeze: (id) => settled(() => docker.getContainer(id).pause(), [404, 409]),
    // 500 is how older engines say "is not paused".
    thaw: (id) => settled(() => docker.getContainer(id).unpause(), [404, 409, 500]),
    setLimits: (id, limits) => settled(() => docker.getContainer(id).update(limits), [404, 409]),
    async remove(id) {
      const container = docker.getContainer(id);
      // gVisor hears of no kill while it is frozen: the engine gives up on it after ten seconds.
      if (gvisored.delete(id)) await settled(() => container.unpause(), [404, 409, 500]).catch(() => undefined);
      await settled(() => container.remove({ force: true, v: true }), [404, 409]);
    },
    cpuSeconds: meter.seconds,
    close: () => {
      for (const close of [...closers]) close();
    },
  };
}
