import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { factsOf } from '../../../agent/adapters/docker-facts.ts';
import type { Minimum } from '../../../core/catalogue.ts';
import { atLeast, type EngineFacts, type GvisorChoice, runtimeFor, unfitness } from '../../../core/engine-gates.ts';

/** Answers of real engines, shortened to what is read. */
const DEBIAN = factsOf(
  {
    ...{ OSType: 'linux', MemoryLimit: true, PidsLimit: true, CpuCfsQuota: true, CgroupDriver: 'cgroupfs' },
    ...{ SecurityOptions: ['name=seccomp,profile=default'], ServerVersion: '20.10.24+dfsg1' },
    Runtimes: { runc: { path: 'runc' } },
  },
  {
    ...{ Version: '20.10.24+dfsg1', Os: 'linux', Arch: 'amd64' },
    Components: [
      { Name: 'Engine', Version: '20.10.24+dfsg1', Details: { GitCommit: '5d6db84' } },
      { Name: 'containerd', Version: '1.6.20~ds1', Details: { GitCommit: '1.6.20~ds1-1+deb12u3' } },
      { Name: 'runc', Version: '1.1.5+ds1', Details: { GitCommit: '1.1.5+ds1-1+deb12u1' } },
    ],
  },
);
const PODMAN = factsOf(
  {
    ...{ OSType: 'linux', MemoryLimit: true, PidsLimit: true, CpuCfsQuota: true, CgroupDriver: 'systemd' },
    ...{ SecurityOptions: ['name=seccomp,profile=default', 'name=rootless'], ServerVersion: '4.9.3' },
  },
  {
    ...{ Version: '4.9.3', Os: 'linux', Arch: 'arm64' },
    Components: [
      { Name: 'Podman Engine', Version: '4.9.3', Details: {} },
      { Name: 'OCI Runtime (crun)', Version: 'crun version 1.14.1\ncommit: de537a7', Details: null },
    ],
  },
);
const RUNC: Minimum = {
  component: 'runc',
  minimum: '1.1.12',
  accepted: ['1.1.5+ds1-1+deb12u1'],
  because: 'CVE-2024-21626',
};

test('facts are read from the answers of Docker and of Podman', () => {
  expect(DEBIAN).toMatchObject({ product: 'docker', version: '20.10.24+dfsg1', platform: 'linux/amd64', cdi: false });
  expect(DEBIAN.components['runc']).toEqual(['1.1.5+ds1', '1.1.5+ds1-1+deb12u1']);
  expect(PODMAN).toMatchObject({ product: 'podman', version: '4.9.3', platform: 'linux/arm64', rootless: true });
  expect(PODMAN.components['crun']).toEqual(['1.14.1']);
});

describe('an engine is unfit', () => {
  const change = (to: Partial<EngineFacts>): EngineFacts => ({ ...DEBIAN, ...to });
  const limits = (to: Partial<EngineFacts['limits']>) => change({ limits: { ...DEBIAN.limits, ...to } });
  test.each([
    ['with Windows containers', change({ containers: 'windows' }), { kind: 'windows-containers' }],
    ['without control groups', limits({ groups: false }), { kind: 'no-limits' }],
    ['without a memory limit', limits({ memory: false }), { kind: 'no-limit', of: 'memory' }],
    ['without a CPU limit', limits({ cpu: false }), { kind: 'no-limit', of: 'cpu' }],
    ['without a process limit', limits({ pids: false }), { kind: 'no-limit', of: 'pids' }],
    ['without seccomp', change({ seccomp: false }), { kind: 'no-seccomp' }],
    [
      'whose runc is too old',
      change({ components: { runc: ['1.1.11'] } }),
      { kind: 'too-old', component: 'runc', version: '1.1.11', minimum: '1.1.12', because: 'CVE-2024-21626' },
    ],
    [
      'whose version is no version',
      change({ components: { runc: ['unknown'] } }),
      { kind: 'too-old', component: 'runc', version: 'unknown', minimum: '1.1.12', because: 'CVE-2024-21626' },
    ],
  ])('%s', (_what, facts, why) => {
    expect(unfitness(facts, [RUNC])).toEqual(why);
  });
  test('and fit with a version that its distribution has mended, or a newer one, or none that it tells', () => {
    expect(unfitness(DEBIAN, [RUNC])).toBeNull();
    expect(unfitness(DEBIAN, [{ ...RUNC, accepted: [] }])).toMatchObject({ kind: 'too-old', version: '1.1.5+ds1' });
    expect(unfitness(change({ components: { runc: ['1.2.0'] } }), [RUNC])).toBeNull();
    expect(unfitness(PODMAN, [RUNC])).toBeNull();
  });
});

describe('versions', () => {
  test.each<[string, string, boolean]>([
    ['1.1.12', '1.1.12', true],
    ['1.1.12', '1.1.5', true],
    ['1.1.5+ds1', '1.1.12', false],
    ['v1.2', '1.1.12', true],
    ['1.1.12-rc.1', '1.1.12', false],
    ['1.1.13-rc1', '1.1.12', true],
    ['20.10.24+dfsg1', '20.10', true],
    ['27.5.1-ce', '27.5.1', true],
    ['4.3.1~ds1', '4.3.1', true],
    ['0.0~20221219.0', '20230101', false],
    ['', '1', false],
  ])('%s is at least %s: %s', (version, minimum, is) => expect(atLeast(version, minimum)).toBe(is));

  test('their order is the order of their numbers', () => {
    const version = fc.array(fc.nat(99), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(version, version, (one, other) => {
        const sign = one.concat([0, 0, 0, 0]).findIndex((n, at) => n !== (other[at] ?? 0));
        const bigger = sign < 0 || sign > 3 || (one[sign] ?? 0) >= (other[sign] ?? 0);
        expect(atLeast(one.join('.'), other.join('.'))).toBe(bigger);
      }),
    );
  });
});

test.each<[GvisorChoice, boolean, boolean | null, unknown]>([
  ['prefer', true, true, 'runsc'],
  ['prefer', true, false, 'engine'],
  ['prefer', true, null, 'engine'],
  ['prefer', false, null, 'engine'],
  ['never', true, true, 'engine'],
  ['require', true, true, 'runsc'],
  ['require', true, false, { kind: 'no-gvisor', broken: true }],
  ['require', true, null, 'runsc'],
  ['require', false, null, { kind: 'no-gvisor', broken: false }],
])('gVisor: %s, offered %s, works %s', (choice, offered, works, runtime) => {
  expect(runtimeFor(choice, { offered, works })).toEqual(runtime);
});
