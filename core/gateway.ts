import type { EgressNeed } from './catalogue.ts';
import {
  type ContainerLimits,
  type ContainerSpec,
  containerSpec,
  EGRESS_FOLDER,
  LABEL,
  type Labels,
  limitUpdate,
  type Share,
} from './sandbox.ts';
import { withSockets } from './sockets.ts';

/**
 * The one way of a workload into the internet, as reviewable data: a container that checks each request, a network of its own,
 * and the volume in which its socket lies (workloads/README.md, docs/decisions/0012).
 */

const MIB = 1024 * 1024;
const MAX_CONNECTIONS = 32;
const GATEWAY: Share = { cpuCores: 0.5, memoryBytes: 96 * MIB, pids: 32 };
const PROGRAM = {
  id: 'gateway',
  version: '0.1.0',
  loadsCode: false,
  limits: { ...GATEWAY, scratchBytes: MIB, seconds: 86_400, maxInputBytes: 0, maxOutputBytes: 0 },
} as const;

/** Work and its gateway stay within one share: the owner has allowed no more. */
export function besideGateway(share: Share): { readonly work: Share; readonly gateway: Share } {
  const gateway = {
    cpuCores: Math.min(GATEWAY.cpuCores, share.cpuCores / 4),
    memoryBytes: Math.min(GATEWAY.memoryBytes, Math.floor(share.memoryBytes / 2)),
    pids: GATEWAY.pids,
  };
  const work = {
    cpuCores: share.cpuCores - gateway.cpuCores,
    memoryBytes: share.memoryBytes - gateway.memoryBytes,
    pids: share.pids,
  };
  return { work, gateway };
}

export const gatewayLimits = (share: Share): ContainerLimits => limitUpdate(PROGRAM, share);

type GatewayMount = {
  readonly Type: 'volume';
  readonly Source: string;
  readonly Target: typeof EGRESS_FOLDER;
  readonly ReadOnly: false;
  readonly VolumeOptions: { readonly NoCopy: true };
};

/** A workload's sandbox, but for a network, and a volume that it can write to. */
export type GatewaySpec = Omit<ContainerSpec, 'NetworkDisabled' | 'HostConfig'> & {
  readonly NetworkDisabled: false;
  readonly HostConfig: Omit<ContainerSpec['HostConfig'], 'NetworkMode' | 'Mounts'> & {
    readonly NetworkMode: string;
    readonly Mounts: readonly [GatewayMount];
  };
};

const labelsOf = ({ lease, device, instance, home }: Labels): Readonly<Record<string, string>> => ({
  [LABEL.role]: 'gateway',
  [LABEL.lease]: lease,
  [LABEL.device]: device,
  [LABEL.instance]: instance,
  ...(home === undefined ? {} : { [LABEL.home]: home }),
});

/** `image`: content id. `name`: of its network and of its volume. */
export function gatewaySpec(
  image: string,
  share: Share,
  labels: Labels,
  seccompProfile: string,
  name: string,
): GatewaySpec {
  const profile = withSockets(seccompProfile, 'gateway');
  const { HostConfig, Labels: own, ...spec } = containerSpec({ ...PROGRAM, image }, share, labels, profile);
  return {
    ...spec,
    // Nobody's, and not the workload's either.
    User: '65533:65533',
    Labels: { ...own, ...labelsOf(labels) },
    NetworkDisabled: false,
    HostConfig: {
      ...HostConfig,
      NetworkMode: name,
      Mounts: [
        {
          ...{ Type: 'volume', Source: name, Target: EGRESS_FOLDER, ReadOnly: false },
          VolumeOptions: { NoCopy: true },
        },
      ],
    },
  };
}

/** The Engine API's volume create body (v1.41). In memory, and only large enough for a socket. */
export type VolumeSpec = {
  readonly Name: string;
  readonly Driver: 'local';
  readonly DriverOpts: Readonly<Record<string, string>>;
  readonly Labels: Readonly<Record<string, string>>;
};

export const gatewayVolume = (name: string, labels: Labels): VolumeSpec => ({
  Name: name,
  Driver: 'local',
  // Users are numbered anew on some engines, so that the folder is everybody's; the workload has it read-only.
  DriverOpts: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,nr_inodes=16,mode=1777,noexec,nosuid,nodev' },
  Labels: labelsOf(labels),
});

/** The Engine API's network create body (v1.41). Nothing is published, and nobody else is in it. */
export type NetworkSpec = {
  readonly Name: string;
  readonly Driver: 'bridge';
  readonly Internal: false;
  readonly Attachable: false;
  readonly EnableIPv6: false;
  readonly CheckDuplicate: true;
  readonly Options: Readonly<Record<string, string>>;
  readonly Labels: Readonly<Record<string, string>>;
};

export const gatewayNetwork = (name: string, labels: Labels): NetworkSpec => ({
  Name: name,
  Driver: 'bridge',
  Internal: false,
  Attachable: false,
  EnableIPv6: false,
  CheckDuplicate: true,
  Options: { 'com.docker.network.bridge.enable_icc': 'false' },
  Labels: labelsOf(labels),
});

/**
 * The first line that a gateway hears. `ranges`: the machine's own addresses with the length of their networks.
 * `bytesPerSecond`: null is without bound.
 */
export function gatewayConfig(need: EgressNeed, ranges: readonly string[], bytesPerSecond: number | null): string {
  const { egress: allow, maxBytes } = need;
  return `${JSON.stringify({ allow, maxBytes, maxConnections: MAX_CONNECTIONS, refuse: ranges, bytesPerSecond })}\n`;
}

/** Both ways together, from now on; 0 stands still. */
export const gatewayRate = (bytesPerSecond: number | null): string => `${JSON.stringify({ bytesPerSecond })}\n`;
