import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { containerSpec, type Grants, type Share } from '../../../core/sandbox.ts';
import { type Allowed, violationsOf } from '../../support/create-body.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';

const RUNS = 100_000;
const labels = { lease: randomHex32(), device: randomAddress(), instance: 'one' };

/** Whatever a manifest may say and an owner may share, at the edges more often than between them. */
const workloads = fc.record({
  id: fc.constantFrom('transcode', 'x1'),
  version: fc.constantFrom('0.1.0', '99.99.99'),
  image: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => `sha256:${Buffer.from(bytes).toString('hex')}`),
  limits: fc.record({
    cpuCores: fc.double({ min: 0.001, max: 64, noNaN: true }),
    memoryBytes: fc.integer({ min: 1, max: 2 ** 40 }),
    pids: fc.integer({ min: 1, max: 4096 }),
    scratchBytes: fc.integer({ min: 1, max: 2 ** 40 }),
    seconds: fc.integer({ min: 1, max: 86_400 }),
    maxInputBytes: fc.nat(2 ** 30),
    maxOutputBytes: fc.nat(2 ** 30),
  }),
  loadsCode: fc.boolean(),
});
const file = fc.constantFrom('/dev/kfd', '/dev/dri/renderD128', '/dev/dri/renderD129');
const grants: fc.Arbitrary<Grants> = fc.record(
  {
    gpus: fc.array(
      fc.oneof(
        fc.record({
          kind: fc.constant('nvidia' as const),
          ids: fc.array(fc.uuid(), { minLength: 1, maxLength: 3 }),
          via: fc.constantFrom('request' as const, 'cdi' as const),
        }),
        fc.record({
          kind: fc.constant('render' as const),
          devices: fc.array(file, { minLength: 1, maxLength: 3 }),
          groups: fc.array(fc.integer({ min: 1, max: 65_534 }).map(String), { maxLength: 2 }),
        }),
      ),
      { maxLength: 3 },
    ),
    egressVolume: fc.uuid(),
    runtime: fc.constant('runsc' as const),
  },
  { requiredKeys: [] },
);
/** The same grants, as somebody would say them who never heard of `Grants`. */
const allowedBy = (given: Grants, code: boolean): Allowed => {
  const gpus = given.gpus ?? [];
  return {
    devices: gpus.flatMap((gpu) => (gpu.kind === 'render' ? gpu.devices : [])),
    groups: gpus.flatMap((gpu) => (gpu.kind === 'render' ? gpu.groups : [])),
    nvidia: gpus.flatMap((gpu) => (gpu.kind === 'nvidia' ? gpu.ids : [])),
    volumes: given.egressVolume === undefined ? [] : [given.egressVolume],
    runtimes: given.runtime === undefined ? [] : [given.runtime],
    code,
  };
};
const shares: fc.Arbitrary<Share> = fc.record({
  cpuCores: fc.double({ min: 0.0001, max: 256, noNaN: true }),
  memoryBytes: fc.integer({ min: 1, max: 2 ** 40 }),
  pids: fc.integer({ min: 1, max: 100_000 }),
});

const body = (workload: Parameters<typeof containerSpec>[0], share: Share, given: Grants = {}): unknown =>
  JSON.parse(JSON.stringify(containerSpec(workload, share, labels, '{"defaultAction":"SCMP_ACT_ERRNO"}', given)));
const sample = fc.sample(workloads, 1).map((each) => ({ ...each, loadsCode: false }))[0];
const [workload, share] = [sample, { cpuCores: 1, memoryBytes: 2 ** 30, pids: 100 }];

test('no launch, whatever is to run and however much is shared, has what the checker forbids', () => {
  fc.assert(
    fc.property(workloads, shares, grants, (each, some, given) => {
      const found = violationsOf(body(each, some, given), allowedBy(given, each.loadsCode));
      if (found.length > 0) throw new Error(found.join('; '));
    }),
    { numRuns: RUNS },
  );
}, 60_000);

describe('the checker sees', () => {
  const spoil: readonly (readonly [string, Record<string, unknown>])[] = [
    ['a privilege', { Privileged: true }],
    ['a mount of the host', { Binds: ['/:/host'] }],
    ['the engine’s own socket', { Mounts: [{ Type: 'bind', Source: '/var/run/docker.sock', Target: '/s' }] }],
    ['a network', { NetworkMode: 'bridge' }],
    ['the host’s processes', { PidMode: 'host' }],
    ['a shared memory namespace', { IpcMode: 'host' }],
    ['a capability', { CapAdd: ['SYS_ADMIN'] }],
    ['capabilities that are left', { CapDrop: [] }],
    ['no filter', { SecurityOpt: ['no-new-privileges:true', 'seccomp=unconfined'] }],
    ['a way to privileges', { SecurityOpt: ['seccomp={}'] }],
    ['an option that lifts another', { SecurityOpt: ['no-new-privileges:true', 'seccomp={}', 'apparmor=unconfined'] }],
    ['a writable root', { ReadonlyRootfs: false }],
    ['swap', { MemorySwap: -1 }],
    ['memory without bound', { Memory: 0, MemorySwap: 0 }],
    ['the processor without bound', { CpuQuota: 0 }],
    ['processes without bound', { PidsLimit: -1 }],
    ['a device', { Devices: [{ PathOnHost: '/dev/mem' }] }],
    ['programs in the scratch space', { Tmpfs: { '/tmp': 'rw,nosuid,nodev,size=1' } }],
    ['a scratch space without bound', { Tmpfs: { '/tmp': 'rw,noexec,nosuid,nodev' } }],
    ['a container that comes back', { RestartPolicy: { Name: 'always' } }],
    ['a log that grows', { LogConfig: { Type: 'json-file' } }],
  ];
  test.each(spoil)('%s', (_what, change) => {
    if (workload === undefined) throw new Error('no workload');
    const good = body(workload, share) as { readonly HostConfig: object };
    expect(violationsOf(good)).toEqual([]);
    expect(violationsOf({ ...good, HostConfig: { ...good.HostConfig, ...change } })).not.toEqual([]);
  });
  test.each<[string, Grants]>([
    ['a device', { gpus: [{ kind: 'render', devices: ['/dev/dri/renderD128'], groups: [] }] }],
    ['a group', { gpus: [{ kind: 'render', devices: [], groups: ['44'] }] }],
    ['an NVIDIA GPU', { gpus: [{ kind: 'nvidia', ids: ['GPU-1'], via: 'request' }] }],
    ['an NVIDIA GPU by CDI', { gpus: [{ kind: 'nvidia', ids: ['GPU-1'], via: 'cdi' }] }],
    ['a volume', { egressVolume: 'one' }],
    ['a runtime', { runtime: 'runsc' }],
  ])('%s that this launch was not given', (_what, given) => {
    if (workload === undefined) throw new Error('no workload');
    expect(violationsOf(body(workload, share, given), allowedBy(given, false))).toEqual([]);
    expect(violationsOf(body(workload, share, given))).not.toEqual([]);
  });
  test('programs in memory that this launch has no use for', () => {
    if (workload === undefined) throw new Error('no workload');
    expect(violationsOf(body({ ...workload, loadsCode: true }, share))).not.toEqual([]);
  });
  test.each<[string, Record<string, unknown>]>([
    ['an image by name', { Image: 'debian:latest' }],
    ['root', { User: 'root' }],
    ['root by number', { User: '0:0' }],
    ['a library to load', { Env: ['LD_PRELOAD=/tmp/x.so'] }],
    ['another program', { Entrypoint: ['/bin/sh'] }],
  ])('%s', (_what, change) => {
    if (workload === undefined) throw new Error('no workload');
    expect(violationsOf({ ...(body(workload, share) as object), ...change })).not.toEqual([]);
  });
});
