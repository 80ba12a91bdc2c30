import { describe, expect, test } from 'vitest';
import { type DoctorFacts, diagnose, type Finding } from '../../../core/doctor.ts';
import type { EngineFacts } from '../../../core/engine-gates.ts';
import type { GpuReading } from '../../../core/signals.ts';
import { textIn } from '../../../core/text/index.ts';

const GIB = 1024 ** 3;
const ENGINE: EngineFacts = {
  ...{ product: 'docker', version: '27.1', platform: 'linux/amd64', components: {}, runtimes: ['runc'] },
  ...{ rootless: false, containers: 'linux', seccomp: true, cdi: false },
  limits: { memory: true, cpu: true, pids: true, groups: true },
};
const WELL: DoctorFacts = {
  machine: { platform: 'linux', installed: ['docker'], virtualisation: 'unneeded', wsl: 'unneeded', gpus: [] },
  ...{ engine: { kind: 'ready', version: '27.1' }, facts: ENGINE, place: '/var/run/docker.sock' },
  gvisor: { choice: 'prefer', inUse: true },
  ...{ freeDiskBytes: 100 * GIB, neededDiskBytes: 2 * GIB },
  ...{ coordinator: { kind: 'connected', since: 0 }, skewMs: 12, gpus: [], catalogue: [] },
  images: { listed: 2, present: 2 },
};
const GPU: GpuReading = {
  ...{ id: 'GPU-1', name: 'GeForce', place: { vendor: 'nvidia', render: null, compute: null } },
  ...{ busyByOthersPercent: 0, memoryBytes: 8 * GIB, memoryByOthersBytes: 0, temperatureC: 40 },
};
const WINDOWS: DoctorFacts = {
  ...WELL,
  machine: { platform: 'windows', installed: ['docker-desktop'], virtualisation: 'on', wsl: 'ready', gpus: [] },
};
const machine = (facts: DoctorFacts, change: Partial<DoctorFacts['machine']>): DoctorFacts => ({
  ...facts,
  machine: { ...facts.machine, ...change },
});
const absent = (change: Partial<DoctorFacts['machine']>): DoctorFacts =>
  machine({ ...WELL, engine: { kind: 'absent', detail: 'ENOENT' }, facts: null, place: null }, change);

test('a machine that has all it needs is fine, and what it does not need is not looked at', () => {
  const found = diagnose(WELL);
  expect(found.map(({ state }) => state)).toEqual(found.map(() => 'fine'));
  expect(found.map(({ check }) => check)).not.toContain('wsl');
  expect(diagnose(WINDOWS).map(({ check }) => check)).toEqual(expect.arrayContaining(['wsl', 'virtualisation']));
});

const CASES: readonly (readonly [string, DoctorFacts, Partial<Finding>])[] = [
  ['no engine', absent({ installed: [] }), { kind: 'engine-missing', state: 'bad' }],
  ['one that is stopped', absent({}), { kind: 'engine-stopped', state: 'bad', desktop: false }],
  ['a desktop that is stopped', absent({ installed: ['docker-desktop'] }), { kind: 'engine-stopped', desktop: true }],
  ['no permission', { ...WELL, engine: { kind: 'forbidden', detail: 'EACCES' } }, { kind: 'engine-forbidden' }],
  [
    'an engine on another machine',
    { ...WELL, engine: { kind: 'unfit', why: { kind: 'remote', url: 'tcp://10.0.0.2:2375' } } },
    { kind: 'engine-unfit', state: 'bad' },
  ],
  [
    'an engine not yet asked',
    { ...WELL, engine: { kind: 'unchecked' } },
    { kind: 'engine-unchecked', state: 'unknown' },
  ],
  ['no WSL', machine(WINDOWS, { wsl: 'missing' }), { kind: 'wsl-missing', state: 'bad' }],
  ['an old WSL', machine(WINDOWS, { wsl: 'old' }), { kind: 'wsl-old', state: 'bad' }],
  ['no virtualisation', machine(WINDOWS, { virtualisation: 'off' }), { kind: 'virtualisation-off', state: 'bad' }],
  ['virtualisation that nobody tells of', machine(WINDOWS, { virtualisation: 'unknown' }), { kind: 'not-known' }],
  ['a GPU without a runtime', machine(WELL, { gpus: ['NVIDIA'] }), { kind: 'gpu-not-served', state: 'hint' }],
  [
    'a GPU with one',
    { ...machine(WELL, { gpus: ['NVIDIA'] }), facts: { ...ENGINE, cdi: true } },
    { kind: 'gpu-served', makers: 'NVIDIA' },
  ],
  ['no gVisor', { ...WELL, gvisor: { choice: 'prefer', inUse: false } }, { kind: 'gvisor-not-offered', state: 'hint' }],
  [
    'gVisor that has run nothing',
    { ...WELL, facts: { ...ENGINE, runtimes: ['runsc'] }, gvisor: { choice: 'prefer', inUse: false } },
    { kind: 'gvisor-not-working', state: 'hint' },
  ],
  ['gVisor declined', { ...WELL, gvisor: { choice: 'never', inUse: false } }, { kind: 'gvisor-off', state: 'fine' }],
  [
    'a GPU that the engine cannot give',
    {
      ...WELL,
      engine: { kind: 'ready', version: '27.1', gpus: { runtime: false, cdi: false, devices: null, machine: false } },
      gpus: [GPU],
    },
    { kind: 'gpu-refused', name: 'GeForce', state: 'hint' },
  ],
  [
    'a catalogue that has ended',
    { ...WELL, catalogue: [{ kind: 'catalogue-untrusted', why: { kind: 'expired', since: 0 } }] },
    { kind: 'catalogue-faulty', state: 'bad' },
  ],
  ['too little disk', { ...WELL, freeDiskBytes: GIB }, { kind: 'disk-low', state: 'bad' }],
  ['a disk that is not known', { ...WELL, freeDiskBytes: 'unknown' }, { check: 'disk', kind: 'not-known' }],
  ['a wrong clock', { ...WELL, skewMs: -3_600_000 }, { kind: 'clock-wrong', state: 'hint' }],
  ['a missing image', { ...WELL, images: { listed: 2, present: 1 } }, { kind: 'images-missing', state: 'hint' }],
  ['nothing to run', { ...WELL, images: { listed: 0, present: 0 } }, { kind: 'images-none', state: 'bad' }],
  [
    'a network that is away',
    { ...WELL, coordinator: { kind: 'away', since: 0, detail: 'ECONNREFUSED' } },
    { kind: 'coordinator-away', state: 'bad' },
  ],
  ['one that refuses', { ...WELL, coordinator: { kind: 'refused', detail: 'no' } }, { kind: 'coordinator-refused' }],
];

describe('sees', () => {
  test.each(CASES)('%s', (_what, facts, expected) => {
    expect(diagnose(facts)).toContainEqual(expect.objectContaining(expected));
  });
  test.each(CASES)('and says of %s in both languages what it is, and of what is bad how to mend it', (_what, facts) => {
    for (const finding of diagnose(facts)) {
      const [en, ja] = (['en', 'ja'] as const).map((language) => textIn(language).window.doctor.advice(finding));
      expect(en?.says.length).toBeGreaterThan(1);
      expect(ja?.says.length).toBeGreaterThan(1);
      expect(en?.command).toBe(ja?.command);
      if (finding.state === 'bad') expect([en?.fix, ja?.fix]).not.toContain(null);
    }
  });
});
