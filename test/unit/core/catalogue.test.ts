import { expect, test } from 'vitest';
import { type Catalogue, findWorkload, systemImage, workIn, workloadManifest } from '../../../core/catalogue.ts';
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
