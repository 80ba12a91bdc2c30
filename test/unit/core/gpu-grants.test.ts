import { describe, expect, test } from 'vitest';
import { gpuNeed } from '../../../core/catalogue.ts';
import { type EngineGpuInfo, engineGpus, gpuFindings, handOut, misfit } from '../../../core/gpu-grants.ts';
import { containerSpec, type GpuGrant } from '../../../core/sandbox.ts';
import type { EngineGpus, GpuPlace, GpuReading } from '../../../core/signals.ts';
import { violationsOf } from '../../support/create-body.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';

const UUID = 'GPU-fef8089b-4820-abfc-e83e-94318197576e';
const GIB = 1024 ** 3;
const NVIDIA: GpuPlace = { vendor: 'nvidia', render: null, compute: null };
const AMD: GpuPlace = {
  vendor: 'amd',
  render: { path: '/dev/dri/renderD128', group: 105 },
  compute: { path: '/dev/kfd', group: 105 },
};
const INTEL: GpuPlace = { vendor: 'intel', render: { path: '/dev/dri/renderD129', group: 'anyone' }, compute: null };
const gpu = (place: GpuPlace | undefined, memoryBytes: GpuReading['memoryBytes'] = 8 * GIB): GpuReading => ({
  ...{ id: UUID, name: 'A card', busyByOthersPercent: 0, memoryBytes, memoryByOthersBytes: 0, temperatureC: 40 },
  ...(place === undefined ? {} : { place }),
});

/** Answers of engines to /info, as their documentation shows them. */
const INFO = {
  plain: { Runtimes: { runc: { path: 'runc' }, 'io.containerd.runc.v2': { path: 'runc' } } },
  toolkit: { Runtimes: { runc: { path: 'runc' }, nvidia: { args: [], path: 'nvidia-container-runtime' } } },
  cdi25: { Runtimes: { runc: {} }, CDISpecDirs: ['/etc/cdi', '/var/run/cdi'] },
  cdi28: {
    Runtimes: { runc: {}, nvidia: {} },
    CDISpecDirs: ['/etc/cdi', '/var/run/cdi'],
    DiscoveredDevices: [
      { Source: 'cdi', ID: 'nvidia.com/gpu=0' },
      { Source: 'cdi', ID: `nvidia.com/gpu=${UUID}` },
      { Source: 'cdi', ID: 'nvidia.com/gpu=all' },
    ],
  },
  cdi28Empty: { Runtimes: { runc: {} }, CDISpecDirs: ['/etc/cdi'], DiscoveredDevices: [] },
  desktop: { Runtimes: { runc: {} }, OperatingSystem: 'Docker Desktop' },
  podman: { Runtimes: { crun: {}, runc: {} }, BuildahVersion: '1.41.5' },
} satisfies Record<string, EngineGpuInfo>;
const engine = (name: keyof typeof INFO): EngineGpus => engineGpus(INFO[name]);

const nvidia = (via: 'request' | 'cdi') => ({ kind: 'nvidia', ids: [UUID], via });
const render = (devices: readonly string[], groups: readonly string[]) => ({ kind: 'render', devices, groups });

describe('a GPU is handed out', () => {
  test.each<[string, GpuPlace, keyof typeof INFO, unknown]>([
    ['NVIDIA with its toolkit', NVIDIA, 'toolkit', nvidia('request')],
    ['NVIDIA by the name that the engine has found', NVIDIA, 'cdi28', nvidia('cdi')],
    ['NVIDIA by a name that the engine does not list yet', NVIDIA, 'cdi25', nvidia('cdi')],
    ['NVIDIA by Podman', NVIDIA, 'podman', nvidia('cdi')],
    ['NVIDIA by Docker Desktop', NVIDIA, 'desktop', nvidia('request')],
    ['AMD', AMD, 'plain', render(['/dev/kfd', '/dev/dri/renderD128'], ['105'])],
    ['Intel, which anyone may use', INTEL, 'plain', render(['/dev/dri/renderD129'], [])],
  ])('%s', (_what, place, name, grant) => {
    expect(handOut(gpu(place), engine(name))).toEqual({ kind: 'grant', grant });
  });
});

describe('a GPU is refused', () => {
  test.each<[string, GpuPlace | undefined, keyof typeof INFO, unknown]>([
    ['NVIDIA without a toolkit', NVIDIA, 'plain', { kind: 'no-runtime' }],
    ['NVIDIA that is not among the names', NVIDIA, 'cdi28Empty', { kind: 'no-runtime' }],
    ['AMD behind Docker Desktop', AMD, 'desktop', { kind: 'behind-a-machine' }],
    [
      'AMD without its compute driver',
      { ...AMD, compute: null },
      'plain',
      { kind: 'no-device-file', path: '/dev/kfd' },
    ],
    [
      'Intel without a render node',
      { ...INTEL, render: null },
      'plain',
      { kind: 'no-device-file', path: '/dev/dri/renderD*' },
    ],
    [
      'AMD that only root may use',
      { ...AMD, compute: { path: '/dev/kfd', group: 0 } },
      'plain',
      { kind: 'no-access', path: '/dev/kfd' },
    ],
    ['Apple', { ...INTEL, vendor: 'other' }, 'desktop', { kind: 'not-served' }],
    ['one whose sensor cannot tell', undefined, 'toolkit', { kind: 'not-served' }],
  ])('%s', (_what, place, name, why) => {
    expect(handOut(gpu(place), engine(name))).toEqual({ kind: 'refused', why });
    expect(gpuFindings([gpu(place)], engine(name))).toEqual([{ id: UUID, name: 'A card', why }]);
  });
  test('no other: nothing is found wrong with those that are handed out, nor where none are sensed', () => {
    expect(gpuFindings([gpu(AMD), gpu(INTEL)], engine('plain'))).toEqual([]);
    expect(gpuFindings('unavailable', engine('plain'))).toEqual([]);
    expect(gpuFindings('unknown', engine('plain'))).toEqual([]);
  });
});

test('work is for the makes that it names, and for enough memory where that can be told', () => {
  const need = gpuNeed.parse({ api: 'opencl', vendors: ['nvidia', 'intel'], memoryBytes: 4 * GIB });
  expect(misfit(gpu(NVIDIA, 4 * GIB), need)).toBeNull();
  expect(misfit(gpu(INTEL, 'unavailable'), need)).toBeNull();
  expect(misfit(gpu(NVIDIA, 2 * GIB), need)).toMatchObject({ kind: 'little-memory', bytes: 2 * GIB });
  expect(misfit(gpu(AMD), need)).toMatchObject({ kind: 'other-vendor' });
  expect(misfit(gpu(undefined), need)).toMatchObject({ kind: 'other-vendor' });
});

describe('the body that the engine is sent has for', () => {
  const spec = (gpus: readonly GpuGrant[], need: object | null) =>
    JSON.parse(
      JSON.stringify(
        containerSpec(
          {
            ...{ id: 'modmatrix', version: '0.1.0', image: `sha256:${'ab'.repeat(32)}`, loadsCode: false },
            limits: {
              ...{ cpuCores: 1, memoryBytes: GIB, pids: 64, scratchBytes: 2 ** 20, seconds: 60 },
              ...{ maxInputBytes: 1, maxOutputBytes: 1 },
            },
            gpu: need === null ? null : gpuNeed.parse({ api: 'opencl', vendors: ['nvidia'], memoryBytes: 0, ...need }),
          },
          { cpuCores: 1, memoryBytes: GIB, pids: 64 },
          { lease: randomHex32(), device: randomAddress(), instance: 'one' },
          '{}',
          { gpus },
        ),
      ),
    ) as { readonly Env: readonly string[]; readonly HostConfig: Readonly<Record<string, unknown>> };
  const granted = (gpus: readonly GpuGrant[], need: object | null = {}) => {
    const { DeviceRequests, Devices, GroupAdd } = spec(gpus, need).HostConfig;
    return { DeviceRequests, Devices, GroupAdd };
  };
  const variable = (name: string, gpus: readonly GpuGrant[], need: object | null = {}) =>
    spec(gpus, need).Env.filter((line) => line.startsWith(`${name}=`));
  const REQUEST = { kind: 'nvidia', ids: [UUID], via: 'request' } as const;
  const CDI = { kind: 'nvidia', ids: [UUID], via: 'cdi' } as const;
  const FILES = { kind: 'render', devices: ['/dev/kfd', '/dev/dri/renderD128'], groups: ['105'] } as const;

  test('NVIDIA one device request, by UUID and never by count, for what the work needs of the driver', () => {
    const request = { Driver: 'nvidia', DeviceIDs: [UUID] };
    expect(granted([REQUEST])).toEqual({
      DeviceRequests: [{ ...request, Capabilities: [['gpu', 'compute', 'utility']] }],
    });
    expect(granted([REQUEST], { video: true })).toEqual({
      DeviceRequests: [{ ...request, Capabilities: [['gpu', 'compute', 'utility', 'video']] }],
    });
    expect(granted([REQUEST], { api: 'vulkan' })).toEqual({
      DeviceRequests: [{ ...request, Capabilities: [['gpu', 'graphics', 'utility']] }],
    });
    expect(variable('NVIDIA_VISIBLE_DEVICES', [REQUEST])).toEqual([`NVIDIA_VISIBLE_DEVICES=${UUID}`]);
    expect(variable('NVIDIA_DRIVER_CAPABILITIES', [REQUEST])).toEqual(['NVIDIA_DRIVER_CAPABILITIES=compute,utility']);
  });
  test('NVIDIA by the Container Device Interface its qualified name', () => {
    expect(granted([CDI])).toEqual({ DeviceRequests: [{ Driver: 'cdi', DeviceIDs: [`nvidia.com/gpu=${UUID}`] }] });
    expect(variable('NVIDIA_VISIBLE_DEVICES', [CDI])).toEqual(['NVIDIA_VISIBLE_DEVICES=void']);
  });
  test('AMD its two files to read and write, not to make, and the group that may', () => {
    const file = (path: string) => ({ PathOnHost: path, PathInContainer: path, CgroupPermissions: 'rw' });
    expect(granted([FILES])).toEqual({
      Devices: [file('/dev/kfd'), file('/dev/dri/renderD128')],
      GroupAdd: ['105'],
    });
    expect(variable('NVIDIA_VISIBLE_DEVICES', [FILES])).toEqual(['NVIDIA_VISIBLE_DEVICES=void']);
  });
  test('work without a GPU nothing, also where NVIDIA’s runtime is the engine’s own', () => {
    expect(granted([], null)).toEqual({});
    expect(variable('NVIDIA_VISIBLE_DEVICES', [], null)).toEqual(['NVIDIA_VISIBLE_DEVICES=void']);
    expect(variable('IDLEMESH_COMPUTE', [], null)).toEqual([]);
  });
  test('work that may fall back the processor only where there is no GPU', () => {
    expect(variable('IDLEMESH_COMPUTE', [REQUEST])).toEqual(['IDLEMESH_COMPUTE=gpu']);
    expect(variable('IDLEMESH_COMPUTE', [])).toEqual(['IDLEMESH_COMPUTE=gpu']);
    expect(variable('IDLEMESH_COMPUTE', [], { cpuFallback: true })).toEqual(['IDLEMESH_COMPUTE=cpu']);
    expect(variable('IDLEMESH_COMPUTE', [REQUEST], { cpuFallback: true })).toEqual(['IDLEMESH_COMPUTE=gpu']);
  });
  test.each<[string, (env: readonly string[]) => readonly string[]]>([
    ['all GPUs', (env) => [...env, 'NVIDIA_VISIBLE_DEVICES=all']],
    ['another GPU', (env) => [...env, 'NVIDIA_VISIBLE_DEVICES=GPU-other']],
    ['all of the driver', (env) => [...env, 'NVIDIA_DRIVER_CAPABILITIES=all']],
    ['no more checks of the driver', (env) => [...env, 'NVIDIA_DISABLE_REQUIRE=1']],
    ['a library', (env) => [...env, 'LD_PRELOAD=/x.so']],
    ['a layer', (env) => [...env, 'VK_INSTANCE_LAYERS=x']],
    ['the image’s own choice', (env) => env.filter((line) => !line.startsWith('NVIDIA_VISIBLE_DEVICES'))],
  ])('nobody %s: the checker sees it', (_what, change) => {
    const good = spec([REQUEST], {});
    expect(violationsOf(good, { nvidia: [UUID] })).toEqual([]);
    expect(violationsOf({ ...good, Env: change(good.Env) }, { nvidia: [UUID] })).not.toEqual([]);
  });
});
