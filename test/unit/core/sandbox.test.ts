import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grants } from '../../../core/sandbox.ts';
import { violationsOf } from '../../support/create-body.ts';
import { allowedBy, body, violationsIn, workloads } from '../../support/launches.ts';

const RUNS = 100_000;

const sample = fc.sample(workloads, 1).map((each) => ({ ...each, loadsCode: false }))[0];
const [workload, share] = [sample, { cpuCores: 1, memoryBytes: 2 ** 30, pids: 100 }];

test('no launch, whatever is to run and however much is shared, has what the checker forbids', () => {
  expect(violationsIn(RUNS)).toEqual([]);
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
    ['programs in the scratch space', { Tmpfs: { '/tmp': 'rw,nosuid,nodev,size=1,nr_inodes=1' } }],
    ['a scratch space without bound', { Tmpfs: { '/tmp': 'rw,noexec,nosuid,nodev,nr_inodes=1' } }],
    ['files without number', { Tmpfs: { '/tmp': 'rw,noexec,nosuid,nodev,size=1' } }],
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
    ['a supervisor', { door: { volume: 'one', program: ['/bin/true'] } }],
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
    ['a check that the image brings', { Healthcheck: { Test: ['CMD', '/check'] } }],
    ['a folder of the image’s choice', { WorkingDir: '/proc/self/fd/8' }],
    ['the machine’s name', { Hostname: '' }],
  ])('%s', (_what, change) => {
    if (workload === undefined) throw new Error('no workload');
    expect(violationsOf({ ...(body(workload, share) as object), ...change })).not.toEqual([]);
  });
});
