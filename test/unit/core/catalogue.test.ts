import { expect, test } from 'vitest';
import {
  type Catalogue,
  type CatalogueEntry,
  findWorkload,
  onDevices,
  systemImage,
  verifierOf,
  workIn,
  workloadManifest,
} from '../../../core/catalogue.ts';
import { ENTRY } from '../../fakes/world.ts';

const DOOR = { ...ENTRY, id: 'door', purpose: 'door', image: `sha256:${'cd'.repeat(32)}` } as const;
const list: Catalogue = { version: 1, minimums: [], entries: [DOOR, ENTRY] };

test('what serves the sandbox is no work: nobody can order it, and no lane is offered for it', () => {
  expect(workIn(list)).toEqual([ENTRY]);
  expect(findWorkload(list, 'door')).toBeNull();
  expect(findWorkload(list, ENTRY.id)).toEqual(ENTRY);
  expect(systemImage(list, 'door')).toBe(DOOR.image);
  expect(systemImage(list, 'gateway')).toBeNull();
});

const { image: _image, pull: _pull, ...MANIFEST } = ENTRY;
const manifest = (change: Record<string, unknown>) =>
  workloadManifest.safeParse({ ...MANIFEST, price: { base: '10', perInputMiB: '2' }, ...change }).success;

test.each<[string, boolean, unknown]>([
  ['none', true, 'none'],
  ['a name', true, { egress: [{ host: 'files.example.org', ports: [443] }], maxBytes: 1000 }],
  ['sub-names', true, { egress: [{ host: '*.example.org', ports: [443, 80] }], maxBytes: 1000 }],
  ['every name', false, { egress: [{ host: '*', ports: [443] }], maxBytes: 1000 }],
  ['all of a top-level domain', false, { egress: [{ host: '*.org', ports: [443] }], maxBytes: 1000 }],
  ['an address', false, { egress: [{ host: '192.168.1.1', ports: [443] }], maxBytes: 1000 }],
  ['a name without a dot', false, { egress: [{ host: 'router', ports: [80] }], maxBytes: 1000 }],
  ['a capital letter', false, { egress: [{ host: 'Files.example.org', ports: [80] }], maxBytes: 1000 }],
  ['a port that is none', false, { egress: [{ host: 'files.example.org', ports: [0] }], maxBytes: 1000 }],
  ['no host', false, { egress: [], maxBytes: 1000 }],
  ['no bound', false, { egress: [{ host: 'files.example.org', ports: [443] }] }],
])('a network need: %s (%s)', (_what, fine, network) => {
  expect(manifest({ network })).toBe(fine);
});

const LIMITS = { cpuCores: 1, memoryBytes: 1e8, pids: 8, scratchBytes: 1e6, seconds: 60 };
test.each<[string, boolean, unknown]>([
  ['by digest', true, 'exact'],
  ['in another word', false, 'about'],
  ['within a tolerance', true, { kind: 'tolerance', numbers: 'float32', absolute: 1e-6, relative: 0.001 }],
  ['within one below zero', false, { kind: 'tolerance', numbers: 'float32', absolute: -1, relative: 0 }],
  ['within one that everything is in', false, { kind: 'tolerance', numbers: 'float64', absolute: 0, relative: 2 }],
  ['within one without end', false, { kind: 'tolerance', numbers: 'float64', absolute: Infinity, relative: 0 }],
  ['of other numbers', false, { kind: 'tolerance', numbers: 'float16', absolute: 0, relative: 0 }],
  ['by the verifier of an entry', true, { kind: 'verifier', entry: 'letters' }],
  ['by a program of its own image', true, { kind: 'verifier', program: ['/compare'], limits: LIMITS }],
  ['by a program without limits', false, { kind: 'verifier', program: ['/compare'] }],
  ['by no program', false, { kind: 'verifier', program: [], limits: LIMITS }],
  ['by two verifiers', false, { kind: 'verifier', entry: 'letters', program: ['/compare'], limits: LIMITS }],
])('results are compared %s (%s)', (_how, fine, comparison) => {
  expect(manifest({ comparison })).toBe(fine);
});

test('a verifier is the image of the entry that is named, or the workload’s own, begun with another program', () => {
  const letters: CatalogueEntry = { ...DOOR, id: 'letters', purpose: 'verifier', image: `sha256:${'ef'.repeat(32)}` };
  const named: CatalogueEntry = { ...ENTRY, comparison: { kind: 'verifier', entry: 'letters' } };
  const own: CatalogueEntry = { ...ENTRY, comparison: { kind: 'verifier', program: ['/compare'], limits: LIMITS } };
  const all: Catalogue = { ...list, entries: [DOOR, letters, named] };
  expect(verifierOf(all, named)).toMatchObject({ image: letters.image, limits: letters.limits, program: null });
  expect(verifierOf(all, own)).toMatchObject({ image: ENTRY.image, limits: LIMITS, program: ['/compare'] });
  expect(verifierOf(all, ENTRY)).toBeNull();
  // What bears the name and serves another purpose is no verifier.
  expect(verifierOf({ ...all, entries: [{ ...letters, purpose: 'door' }, named] }, named)).toBeNull();
  expect(findWorkload(all, 'letters')).toBeNull();
  expect(onDevices(all).entries).toEqual([DOOR, named]);
});
