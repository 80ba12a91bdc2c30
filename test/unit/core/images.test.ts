import { describe, expect, test } from 'vitest';
import type { CatalogueEntry } from '../../../core/catalogue.ts';
import { decide, freshMemory } from '../../../core/decide.ts';
import { imagesFor, imagesToRemove, retryAfterMs, roomFor, wantedImages } from '../../../core/images.ts';
import { perLane } from '../../../core/primitives.ts';
import { ENTRY } from '../../fakes/world.ts';
import { calm, held, policyFrom } from '../../support/rules.ts';

const GIB = 1024 ** 3;
const entry = (id: string, change: Partial<CatalogueEntry> = {}): CatalogueEntry => ({
  ...{ ...ENTRY, id, image: `sha256:${id}` },
  ...change,
});
const DOOR = entry('door', { purpose: 'door' });
const GATEWAY = entry('gateway', { purpose: 'gateway' });
const PLAIN = entry('plain');
const BRIDGE = entry('bridge', {
  network: { egress: [{ host: 'files.example.org', ports: [443] }], maxBytes: 1 },
});
const CARD = entry('card', { lane: 'gpu' });
const list = { version: 1, minimums: [], entries: [PLAIN, BRIDGE, CARD, GATEWAY, DOOR] };

describe('what must be there', () => {
  test('is the work itself and what serves its sandbox', () => {
    expect(imagesFor(PLAIN, list)).toEqual([DOOR, PLAIN]);
    expect(imagesFor(BRIDGE, list)).toEqual([GATEWAY, DOOR, BRIDGE]);
  });
  test('of the lanes that the owner shares, and what serves first', () => {
    expect(wantedImages(list, (lane) => lane === 'gpu')).toEqual([DOOR, CARD]);
    expect(wantedImages(list, () => true).map(({ id }) => id)).toEqual(['door', 'gateway', 'plain', 'bridge', 'card']);
    expect(wantedImages(list, () => false)).toEqual([]);
  });
  test('is the probe too, when all that work waits for is here', () => {
    const probed = { ...list, entries: [entry('probe', { purpose: 'probe' }), ...list.entries] };
    expect(wantedImages(probed, (lane) => lane === 'gpu').map(({ id }) => id)).toEqual(['door', 'card', 'probe']);
    expect(wantedImages(probed, () => false)).toEqual([]);
  });
});

describe('room', () => {
  const room = { freeBytes: 100 * GIB, minFreeBytes: 2 * GIB, usedBytes: 0, budgetBytes: 10 * GIB };
  test('is there', () => {
    expect(roomFor(GIB, room)).toBeNull();
    expect(roomFor(GIB, { ...room, freeBytes: null })).toBeNull();
  });
  test('must leave what the owner keeps free, at the height of the fetch', () => {
    expect(roomFor(GIB, { ...room, freeBytes: 6 * GIB })).toBeNull();
    expect(roomFor(GIB, { ...room, freeBytes: 6 * GIB - 1 })).toEqual({
      ...{ kind: 'disk', neededBytes: 6 * GIB, freeBytes: 6 * GIB - 1 },
    });
  });
  test('must fit what the owner gives to images', () => {
    expect(roomFor(GIB, { ...room, usedBytes: 7 * GIB })).toBeNull();
    expect(roomFor(GIB, { ...room, usedBytes: 6 * GIB, unpackedBytes: 5 * GIB })?.kind).toBe('budget');
    expect(roomFor(GIB, { ...room, usedBytes: 7 * GIB + 1 })).toMatchObject({ kind: 'budget', budgetBytes: 10 * GIB });
  });
});

describe('what goes', () => {
  const kept = (image: string, bytes: number, usedAt: number) => ({ image, bytes, usedAt });
  const all = new Set(['a', 'b', 'c', 'd']);
  const need = { named: all, wanted: all, busy: new Set<string>(), budgetBytes: 100 };
  const names = (list: readonly { readonly image: string }[]) => list.map(({ image }) => image).join('');

  test('is nothing while all is named and fits', () => {
    expect(imagesToRemove([kept('a', 50, 1), kept('b', 50, 2)], need)).toEqual([]);
  });
  test('is what the catalogue no longer names, whatever the room', () => {
    expect(names(imagesToRemove([kept('old', 1, 9), kept('a', 50, 1)], need))).toBe('old');
  });
  test('is the longest unused beyond the budget, and first what no shared lane wants', () => {
    const three = [kept('a', 60, 3), kept('b', 60, 1), kept('c', 60, 2)];
    expect(names(imagesToRemove(three, need))).toBe('bc');
    expect(names(imagesToRemove(three, { ...need, wanted: new Set(['b', 'c']) }))).toBe('ab');
  });
  test('is what every lane waits for only when nothing else is left', () => {
    const three = [kept('a', 60, 0), kept('b', 60, 1), kept('c', 60, 2)];
    expect(names(imagesToRemove(three, { ...need, serving: new Set(['a']) }))).toBe('bc');
  });
  test('is never what work runs on', () => {
    const busy = new Set(['old', 'b']);
    const three = [kept('old', 60, 0), kept('b', 60, 1), kept('c', 60, 2)];
    expect(names(imagesToRemove(three, { ...need, busy, budgetBytes: 10 }))).toBe('c');
  });
});

test('pauses between tries double up to an hour, spread over half their length', () => {
  expect([1, 2, 3, 4].map((count) => retryAfterMs(count, 1))).toEqual([30_000, 60_000, 120_000, 240_000]);
  expect(retryAfterMs(1, 0)).toBe(15_000);
  expect(retryAfterMs(99, 1)).toBe(3_600_000);
});

describe('the moment to fetch', () => {
  const lacking = { fetching: perLane(() => ({ percent: null })) };
  const asked = (change: Parameters<typeof calm>[0], policy = policyFrom()) =>
    decide(calm({ ...lacking, ...change }), policy, freshMemory());

  test('is when nothing else stands in the way', () => {
    const { lanes, fetches, begins } = asked({});
    expect(lanes.cpu).toEqual(held({ kind: 'fetching-image', percent: null }));
    expect(fetches.cpu).toBe(true);
    expect(begins.cpu).toBe(false);
  });
  test('comes with the work that runs, for the images that it does not need', () => {
    const { lanes, fetches } = asked({ fetching: perLane(() => null) });
    expect([lanes.cpu.kind, fetches.cpu]).toEqual(['run', true]);
  });
  test.each<[string, Parameters<typeof calm>[0]]>([
    ['a game runs', { games: [{ name: 'Portal 2' }] }],
    ['somebody is there', { idleMs: 0 }],
    ['the network is metered', { metered: true }],
    ['the network is metered and work in hand needs none', { metered: true, leases: perLane(() => 1) }],
    ['the same, with its image', { metered: true, leases: perLane(() => 1), fetching: perLane(() => null) }],
    ['the disk is nearly full', { freeDiskBytes: 0 }],
    ['it cannot be told', { idleMs: 'unknown' }],
    ['the network is away', { coordinator: { kind: 'connecting' } }],
  ])('is not while %s', (_what, change) => {
    expect(Object.values(asked(change).fetches)).toEqual([false, false, false, false]);
  });
  test('is not yet while the machine settles', () => {
    const after = asked({ games: [{ name: 'Portal 2' }] }).memory;
    const { lanes, fetches } = decide(calm({ ...lacking, now: calm().now + 1_000 }), policyFrom(), after);
    expect(lanes.cpu).toMatchObject({ reason: { kind: 'settling' } });
    expect(fetches.cpu).toBe(false);
  });
});
