import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { violationsOf } from '../../support/create-body.ts';
import { body, workloads } from '../../support/launches.ts';

/**
 * The automated checks of the CIS Docker Benchmark v1.6, section 5 (container runtime), by number: a launch that is spoilt so that
 * the check would fail, and is otherwise as we launch it. Not here: 5.1 (swarm mode) is the machine's, not a launch's; 5.2 and 5.3 (AppArmor, SELinux): the
 * engine's own profile applies where its machine has one, and no launch lifts it; 5.7 (sshd) and 5.23 (exec): tests below.
 * 5.27 (health check) is not met by the letter: it would have the engine run a program in a stranger's container again and again, and
 * entering a hostile container has been a way out of it (CVE-2019-5736). The agent watches the job's door instead.
 */
const CHECKS: readonly (readonly [string, string, Record<string, unknown>])[] = [
  [
    '5.2',
    'an AppArmor profile lifted',
    { SecurityOpt: ['no-new-privileges:true', 'seccomp={}', 'apparmor=unconfined'] },
  ],
  ['5.3', 'SELinux labels lifted', { SecurityOpt: ['no-new-privileges:true', 'seccomp={}', 'label=disable'] }],
  ['5.4', 'a capability', { CapAdd: ['NET_RAW'] }],
  ['5.5', 'privileges', { Privileged: true }],
  ['5.6', 'a folder of the system', { Binds: ['/etc:/host:ro'] }],
  ['5.8', 'a privileged port', { PortBindings: { '22/tcp': [{ HostPort: '22' }] } }],
  ['5.10', 'the network of the machine', { NetworkMode: 'host' }],
  ['5.11', 'memory without bound', { Memory: 0, MemorySwap: 0 }],
  ['5.12', 'no CPU priority', { CpuShares: 0 }],
  ['5.13', 'a writable root', { ReadonlyRootfs: false }],
  ['5.14', 'a port on every interface', { PortBindings: { '8080/tcp': [{ HostIp: '0.0.0.0', HostPort: '80' }] } }],
  ['5.15', 'restarts', { RestartPolicy: { Name: 'always' } }],
  ['5.16', 'the processes of the machine', { PidMode: 'host' }],
  ['5.17', 'shared memory of the machine', { IpcMode: 'host' }],
  [
    '5.20',
    'mounts that propagate',
    { Mounts: [{ Type: 'bind', Source: '/', Target: '/h', BindOptions: { Propagation: 'shared' } }] },
  ],
  ['5.21', 'the name of the machine', { UTSMode: 'host' }],
  ['5.22', 'no seccomp profile', { SecurityOpt: ['no-new-privileges:true', 'seccomp=unconfined'] }],
  ['5.25', 'another control group', { CgroupParent: '/' }],
  ['5.26', 'privileges to gain', { SecurityOpt: ['seccomp={}'] }],
  ['5.29', 'processes without bound', { PidsLimit: 0 }],
  ['5.31', 'the users of the machine', { UsernsMode: 'host' }],
  ['5.32', 'the socket of the engine', { Binds: ['/var/run/docker.sock:/var/run/docker.sock'] }],
];

const workload = fc.sample(workloads, 1).map((each) => ({ ...each, loadsCode: false }))[0];
const launch = (): { readonly HostConfig: object } => {
  if (workload === undefined) throw new Error('no workload');
  return body(workload, { cpuCores: 1, memoryBytes: 2 ** 30, pids: 100 }) as { readonly HostConfig: object };
};

describe('of the CIS Docker Benchmark', () => {
  test('a launch has nothing', () => expect(violationsOf(launch())).toEqual([]));
  test.each(CHECKS)('%s: %s is seen', (_number, _what, change) => {
    const good = launch();
    expect(violationsOf({ ...good, HostConfig: { ...good.HostConfig, ...change } })).not.toEqual([]);
  });
  test('5.7: what runs is the image’s program and no server beside it, and 5.23: nobody enters a container that runs', () => {
    const folder = join(import.meta.dirname, '../../../agent/adapters');
    const sources = readdirSync(folder).filter((name) => name.startsWith('docker'));
    expect(sources.length).toBeGreaterThan(2);
    for (const name of sources) expect(readFileSync(join(folder, name), 'utf8')).not.toMatch(/\.exec\(\s*\{|\/exec\b/);
    expect(Object.keys(launch())).not.toEqual(expect.arrayContaining(['Entrypoint']));
  });
});
