import { z } from 'zod';
import type { WorkloadManifest } from './catalogue.ts';
import { unixMs } from './primitives.ts';
import { type ContainerLimits, type ContainerSpec, coresOf } from './sandbox.ts';

/** What is tried on, in the order in which it is shown. */
export const PROBE_GROUPS = ['network', 'files', 'devices', 'privileges', 'limits', 'ending'] as const;
export type ProbeGroup = (typeof PROBE_GROUPS)[number];

/**
 * One launch each: the first two do no harm to the container, the next two may end it, and in the last three it is the agent
 * who watches.
 */
export const SUITES = ['reach', 'limits', 'processes', 'memory', 'flood', 'linger', 'stubborn'] as const;
export type Suite = (typeof SUITES)[number];

const of = <const S extends Suite | 'host', const G extends ProbeGroup, const Id extends string>(
  suite: S,
  group: G,
  ids: readonly Id[],
): { readonly [K in Id]: { readonly suite: S; readonly group: G } } =>
  Object.fromEntries(ids.map((id) => [id, { suite, group }])) as never;

/** Every probe there is. `host`: the agent's own findings, after all launches. The image names the first two suites' alike. */
export const PROBES = {
  ...of('reach', 'network', ['interfaces', 'gateway', 'lan', 'host-service', 'host-socket', 'bridge', 'neighbours']),
  ...of('reach', 'network', ['internet', 'metadata', 'ipv6', 'dns-internet', 'dns-lan', 'broadcast', 'discovery']),
  ...of('reach', 'network', [
    'host-name',
    'engine-socket',
    'raw-socket',
    'packet-socket',
    'vsock',
    'route',
    'low-port',
  ]),
  ...of('host', 'network', ['host-contact']),
  ...of('reach', 'files', ['write-root', 'passwords', 'host-mounts', 'environment', 'mount-tmpfs', 'mount-bind']),
  ...of('reach', 'files', ['remount', 'unmask', 'pivot-root', 'mount-api', 'chroot', 'by-handle', 'core-pattern']),
  ...of('reach', 'files', ['kernel-settings', 'kernel-memory', 'system-files', 'cgroup', 'run-from-tmp']),
  ...of('reach', 'files', ['run-from-memory']),
  ...of('reach', 'devices', ['device-memory', 'device-disks', 'device-input', 'device-terminals', 'device-graphics']),
  ...of('reach', 'devices', ['device-machines', 'make-device', 'kernel-log', 'hardware-ports']),
  ...of('reach', 'privileges', ['become-root', 'root-file', 'capability-file', 'capabilities', 'namespaces']),
  ...of('reach', 'privileges', ['clone-user', 'join-namespaces', 'trace', 'read-memory', 'take-file']),
  ...of('reach', 'privileges', ['other-processes', 'keys', 'bpf', 'perf', 'userfaultfd', 'io-uring', 'kexec']),
  ...of('reach', 'privileges', ['modules', 'reboot', 'swap', 'clock', 'set-name', 'personality', 'watch-files']),
  ...of('reach', 'privileges', ['seccomp', 'move-pages']),
  ...of('processes', 'limits', ['processes']),
  ...of('memory', 'limits', ['memory']),
  ...of('limits', 'limits', ['processor', 'disk', 'other-places', 'many-files', 'open-files']),
  ...of('limits', 'limits', ['core-dump', 'higher-limits', 'priority', 'survive', 'lock-memory']),
  ...of('flood', 'limits', ['flood']),
  ...of('linger', 'ending', ['door-closed']),
  ...of('stubborn', 'ending', ['killed']),
  ...of('host', 'ending', ['left-behind']),
} as const;
export type ProbeId = keyof typeof PROBES;
export const PROBE_IDS = Object.keys(PROBES) as readonly ProbeId[];

/** Text of the container's making: shown, so only what prints, and not much of it. */
const shown = z
  .string()
  .max(400)
  .transform((text) => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200));

/** `unavailable`: this machine has no such thing, inside or outside the sandbox; it does not count as tried. */
export const probeResult = z.strictObject({
  probe: z.enum(PROBE_IDS),
  tried: shown,
  outcome: z.enum(['blocked', 'escaped', 'unavailable']),
  detail: shown,
});
export type ProbeResult = z.output<typeof probeResult>;

export const proof = z.strictObject({
  startedAt: unixMs,
  finishedAt: unixMs,
  /** Version of the engine. */
  engine: z.string().max(64),
  /** Content id of the image that ran. */
  image: z.string().max(80),
  results: z.array(probeResult).max(1000),
  /** Attempts that were blocked or escaped. */
  tried: z.number().int().nonnegative(),
  escaped: z.number().int().nonnegative(),
  /** Probes that said nothing: a sandbox of which that is so is not proven. */
  missing: z.array(z.enum(PROBE_IDS)),
});
export type Proof = z.output<typeof proof>;

/** Nothing got out, and nothing was left untried. */
export const holds = ({ escaped, missing }: Pick<Proof, 'escaped' | 'missing'>): boolean =>
  escaped === 0 && missing.length === 0;

/**
 * What gVisor does by itself where a kernel would have been asked: done on its own kernel, it touches nothing of this machine.
 * Whatever would is not among them. `processor`: it is gVisor that says there how much time was used, and it counts time in which the
 * machine did not let it run. `many-files`: it keeps them in its own memory, which has the container's limit.
 */
const ON_OWN_KERNEL: ReadonlySet<ProbeId> = new Set<ProbeId>([
  ...(['low-port', 'run-from-tmp', 'run-from-memory', 'device-machines', 'make-device', 'kernel-log'] as const),
  ...(['namespaces', 'clone-user', 'trace', 'read-memory', 'take-file', 'keys', 'perf', 'io-uring'] as const),
  ...([
    'personality',
    'seccomp',
    'move-pages',
    'userfaultfd',
    'lock-memory',
    'priority',
    'survive',
    'processor',
    'many-files',
  ] as const),
]);

/** A result as it counts under a runtime. */
export const under = (runtime: 'runsc' | undefined, result: ProbeResult): ProbeResult =>
  runtime === 'runsc' && result.outcome === 'escaped' && ON_OWN_KERNEL.has(result.probe)
    ? { ...result, outcome: 'unavailable', detail: `on a kernel of its own: ${result.detail}` }
    : result;

/** What became of the results of all launches. */
export function conclude(results: readonly ProbeResult[]): Pick<Proof, 'results' | 'tried' | 'escaped' | 'missing'> {
  const said = new Set(results.map(({ probe }) => probe));
  return {
    results: [...results],
    tried: results.filter(({ outcome }) => outcome !== 'unavailable').length,
    escaped: results.filter(({ outcome }) => outcome === 'escaped').length,
    missing: PROBE_IDS.filter((id) => !said.has(id)),
  };
}

/** A line that the probe said. Whatever is not one of these is `noise`: it runs as hostile as any work. */
export type ProbeLine = ProbeResult | 'ready' | 'done' | 'noise';

/** `suite`: what this launch may speak of; it has no say about the findings of others. */
export function readLine(line: string, suite: Suite): ProbeLine {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'noise';
  }
  if (typeof value !== 'object' || value === null) return 'noise';
  if ('done' in value) return 'done';
  if ('ready' in value) return 'ready';
  const { success, data } = probeResult.safeParse(value);
  return success && PROBES[data.probe].suite === suite ? data : 'noise';
}

/** What the probe aims at on this machine; addresses and paths, none with a space in it. */
export type Aims = {
  readonly gateways: readonly string[];
  /** The machine's own addresses. */
  readonly own: readonly string[];
  readonly broadcasts: readonly string[];
  readonly resolvers: readonly string[];
  /** Where containers of others would be. */
  readonly neighbours: readonly string[];
  readonly engineSockets: readonly string[];
  /** Device files that the machine has, by the probe that opens them. */
  readonly devices: readonly { readonly probe: ProbeId; readonly path: string }[];
};

/** What listens on the machine meanwhile; nobody else knows the token. */
export type Bait = {
  readonly port: number;
  /** Name of an abstract socket; null where the system has none. */
  readonly socket: string | null;
  readonly token: string;
};

type Ceiling = { readonly limits: ContainerLimits; readonly scratchBytes: number; readonly files: number };

/** What the launch really has, so that the probe knows where its limits should be. */
export const ceilingOf = (spec: ContainerSpec, workload: Pick<WorkloadManifest, 'limits'>): Ceiling => ({
  limits: spec.HostConfig,
  scratchBytes: Math.min(workload.limits.scratchBytes, spec.HostConfig.Memory),
  files: spec.HostConfig.Ulimits.find(({ Name }) => Name === 'nofile')?.Hard ?? 256,
});

const SHARED_BYTES = 1024 * 1024;
const INODES = 65_536;

/** The input of one launch: a `word value number` a line (workloads/probe/src/main.c). */
export function probeInput(suite: Suite, aims: Aims, bait: Bait, ceiling: Ceiling): string {
  const lines: [string, string, number?][] = [
    ['suite', suite],
    ['token', bait.token],
    ['bait', 'x', bait.port],
    ...(bait.socket === null ? [] : [['socket', bait.socket] as [string, string]]),
    ...aims.gateways.map((host): [string, string] => ['gateway', host]),
    ...aims.own.flatMap((host): [string, string, number?][] => [
      ['lan', host],
      ['host', host, bait.port],
    ]),
    ...aims.broadcasts.map((host): [string, string] => ['broadcast', host]),
    ...aims.resolvers.map((host): [string, string] => ['resolver', host]),
    ...aims.neighbours.map((host): [string, string] => ['neighbour', host]),
    ...aims.engineSockets.map((path): [string, string] => ['engine-socket', path]),
    ...aims.devices.map(({ probe, path }): [string, string] => [probe, path]),
    ['pids', 'x', ceiling.limits.PidsLimit],
    ['millicores', 'x', Math.round(coresOf(ceiling.limits) * 1000)],
    ['memory', 'x', ceiling.limits.Memory],
    ['scratch', 'x', ceiling.scratchBytes],
    ['shared', 'x', SHARED_BYTES],
    ['inodes', 'x', INODES],
    ['files', 'x', ceiling.files],
  ];
  return lines
    .filter(([, value]) => /^\S{1,150}$/.test(value))
    .map((parts) => `${parts.join(' ')}\n`)
    .join('');
}

/** How a proof is getting on, and what the last one came to. */
export type ProofView = {
  readonly running: {
    readonly startedAt: number;
    readonly suite: Suite;
    readonly tried: number;
    readonly escaped: number;
  } | null;
  readonly last: (Pick<Proof, 'finishedAt' | 'tried' | 'escaped'> & { readonly missing: number }) | null;
};
