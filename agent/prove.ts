import type { CatalogueEntry } from '../core/catalogue.ts';
import { asFailure, fail, isFailure } from '../core/errors.ts';
import type { Address, Hex32 } from '../core/primitives.ts';
import {
  ceilingOf,
  conclude,
  type ProbeResult,
  type Proof,
  probeInput,
  readLine,
  SUITES,
  type Suite,
  under,
} from '../core/proof.ts';
import { type ContainerSpec, containerSpec, type Grants, type Share } from '../core/sandbox.ts';
import type { Launch as Begin } from './engine-watch.ts';
import type { ContainerRun, LaidBait, Ports } from './ports.ts';

/** Each launch. The slowest, which fills every limit, takes about ten seconds on a small share of a slow machine. */
const SUITE_MS = 90_000;
/** What ends later than this after its door closed, or after it was killed, has not been ended by that. */
const ENDING_MS = 10_000;
/** The agent stops listening to a container long before this; what was heard by then was not bounded. */
const FLOOD_BYTES = 64 * 1024 * 1024;
/** The image says about two hundred. */
const MAX_RESULTS = 600;

export type ProvePorts = Pick<Ports, 'clock' | 'log' | 'random' | 'containers' | 'seccompProfile' | 'probeHost'>;

export type ProveOptions = {
  readonly ports: ProvePorts;
  readonly entry: CatalogueEntry;
  readonly share: Share;
  /** What work begins with now. */
  readonly launch: Begin;
  readonly device: Address;
  readonly instance: string;
  /** Version of the engine, for the record. */
  readonly engine: string;
  /** Its containers bear this where work bears its lease: they are no orphans. */
  readonly owns: (leaseId: Hex32) => void;
  /** Nobody waits for it any more: it throws CANCELLED instead of launching again. */
  readonly cancelled: () => boolean;
};

export type Progress = { readonly suite: Suite; readonly results: readonly ProbeResult[] };

/**
 * Tries to break out of the sandbox, under the very launch that work gets: the same `containerSpec`, the owner's own share,
 * the same supervisor, runtime and seccomp profile. Throws ENGINE_AWAY, NOT_FOUND, REFUSED (there is no
 * supervisor) and CANCELLED.
 */
export async function prove(options: ProveOptions, onProgress: (progress: Progress) => void): Promise<Proof> {
  const { ports, entry } = options;
  const { clock, containers } = ports;
  if (!(await containers.hasImage(entry.image))) {
    fail('NOT_FOUND', 'the engine does not hold the image of the probe; start Idlemesh anew, it brings it along');
  }
  const { door, ...runtime } = options.launch;
  const grants = { door: await containers.door(entry.image, door, options.device), ...runtime };
  const startedAt = clock.now();
  const results: ProbeResult[] = [];
  const bait = await ports.probeHost.lay(ports.random.hex32());
  const ids: string[] = [];
  try {
    const aims = await ports.probeHost.aims();
    for (const suite of SUITES) {
      const add = (result: ProbeResult): void => {
        if (results.length < MAX_RESULTS) results.push(under(runtime.runtime, result));
        onProgress({ suite, results });
      };
      onProgress({ suite, results });
      if (options.cancelled()) fail('CANCELLED', 'the application ends');
      const launch = await start(options, grants, suite);
      ids.push(launch.run.containerId);
      try {
        await say(launch, probeInput(suite, aims, bait, ceilingOf(launch.spec, entry)));
        await WATCH[suite](launch, add);
      } finally {
        launch.cancel();
        await containers.remove(launch.run.containerId);
      }
    }
    if (options.cancelled()) fail('CANCELLED', 'the application ends');
    results.push(contact(bait), await leftBehind(options, ids));
  } finally {
    bait.close();
  }
  return { startedAt, finishedAt: clock.now(), engine: options.engine, image: entry.image, ...conclude(results) };
}

type Launch = {
  readonly run: ContainerRun;
  readonly spec: ContainerSpec;
  readonly suite: Suite;
  readonly ports: ProvePorts;
  readonly cancel: () => void;
};
type Add = (result: ProbeResult) => void;

async function start(options: ProveOptions, grants: Grants, suite: Suite): Promise<Launch> {
  const { ports, entry, share, device, instance, owns } = options;
  const lease = ports.random.hex32();
  owns(lease);
  const spec = containerSpec(entry, share, { lease, device, instance }, ports.seccompProfile, grants);
  const run = await ports.containers.run(spec);
  const cancel = ports.clock.after(SUITE_MS, () => {
    ports.containers.remove(run.containerId).catch(() => run.shut());
  });
  // Both streams must be read: one that is not stalls the other.
  void drain(run.stdout).catch(() => undefined);
  return { run, spec, suite, ports, cancel };
}

const say = ({ run, suite }: Launch, input: string): Promise<void> => {
  const header = JSON.stringify({ params: { suite }, inputBytes: input.length });
  return run.write(new TextEncoder().encode(`${header}\n${input}`));
};

async function drain(stream: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of stream);
}

const WATCH: Readonly<Record<Suite, (launch: Launch, add: Add) => Promise<unknown>>> = {
  reach: listen,
  limits: listen,
  processes: (launch, add) => bounded(launch, add, 'processes', 'start processes without end'),
  memory: (launch, add) => bounded(launch, add, 'memory', 'use more memory than the limit'),
  flood,
  linger: (launch, add) => ends(launch, add, 'door-closed', 'go on after its door was closed', () => launch.run.shut()),
  stubborn: (launch, add) =>
    ends(launch, add, 'killed', 'go on, deaf and busy, after it was told to end', () =>
      launch.ports.containers.remove(launch.run.containerId),
    ),
};

/** What it says, until it is done or gone. Answers whether it said that it begins. */
async function listen({ run, suite, ports }: Launch, add: Add): Promise<boolean> {
  let ready = false;
  try {
    for await (const text of run.stderr) {
      const line = readLine(text, suite);
      if (line === 'done') return ready;
      if (line === 'ready') ready = true;
      if (typeof line === 'object') add(line);
      else if (line === 'noise') ports.log('warn', 'probe-noise', { bytes: text.length });
    }
  } catch (error) {
    // Whatever it has not said by now is missing from the proof.
    if (!isFailure(error, 'WORKLOAD_FAILED')) throw error;
    ports.log('warn', 'probe-flood', { detail: asFailure(error).message });
  }
  return ready;
}

/** What takes the whole container along instead of coming back has found its limit too. */
async function bounded(launch: Launch, add: Add, probe: 'processes' | 'memory', tried: string): Promise<void> {
  let told = false;
  const ready = await listen(launch, (result) => {
    told = true;
    add(result);
  });
  if (ready && !told) add({ probe, tried, outcome: 'blocked', detail: 'the container ended' });
}

async function flood({ run }: Launch, add: Add): Promise<void> {
  let bytes = 0;
  let ended = 'it ended by itself';
  try {
    for await (const line of run.stderr) {
      bytes += line.length + 1;
      if (bytes > FLOOD_BYTES) break;
    }
  } catch (error) {
    ended = isFailure(error, 'WORKLOAD_FAILED') ? 'cut off' : asFailure(error).message;
  }
  const bounded = ended === 'cut off';
  const mib = Math.round(bytes / (1024 * 1024));
  add({
    probe: 'flood',
    tried: 'write to the log without end',
    outcome: bounded ? 'blocked' : 'escaped',
    detail: `${bounded ? 'cut off' : 'heard'} after ${mib} MiB`,
  });
}

/** It says that it is ready, is ended, and should be gone. */
async function ends(
  { run, suite, ports: { clock } }: Launch,
  add: Add,
  probe: 'door-closed' | 'killed',
  tried: string,
  end: () => unknown,
): Promise<void> {
  let ready = false;
  for await (const text of run.stderr) {
    ready = readLine(text, suite) === 'ready';
    if (ready) break;
  }
  // One that never began proves nothing: it counts as missing.
  if (!ready) return;
  const from = clock.now();
  let cancel = (): void => undefined;
  const late = new Promise<'late'>((resolve) => {
    cancel = clock.after(ENDING_MS, () => resolve('late'));
  });
  await end();
  const gone = await Promise.race([run.exited.then(() => 'gone'), late]);
  cancel();
  add({
    probe,
    tried,
    outcome: gone === 'gone' ? 'blocked' : 'escaped',
    detail: gone === 'gone' ? `gone after ${clock.now() - from} ms` : `still there after ${ENDING_MS} ms`,
  });
}

/** The strongest evidence: what listened on the machine all the while, and heard from nobody who knew the token. */
function contact(bait: LaidBait): ProbeResult {
  const heard = bait.heard();
  return {
    probe: 'host-contact',
    tried: `reach what listens on this machine (port ${bait.port})`,
    outcome: heard > 0 ? 'escaped' : 'blocked',
    detail: heard > 0 ? `heard ${heard} times` : 'never heard',
  };
}

async function leftBehind({ ports, device }: ProveOptions, ids: readonly string[]): Promise<ProbeResult> {
  const there = (await ports.containers.list(device)).filter(({ id }) => ids.includes(id));
  return {
    probe: 'left-behind',
    tried: 'leave something running behind',
    outcome: there.length > 0 ? 'escaped' : 'blocked',
    detail: there.length > 0 ? `${there.length} containers` : 'none',
  };
}
