import { describe, expect, test } from 'vitest';
import { type Belonging, type Life, leftovers } from '../../../core/leftovers.ts';
import { LABEL } from '../../../core/sandbox.ts';

const DEVICE = `0x${'a'.repeat(40)}` as const;
const OTHER = `0x${'b'.repeat(40)}` as const;
const LEASE = `0x${'1'.repeat(64)}` as const;
const NOW = 10_000_000;
const MINUTE = 60_000;

const thing = (labels: Record<string, string>, change: Partial<Belonging> = {}): Belonging => ({
  ...{ kind: 'volume', id: 'one', createdAt: NOW - 60 * MINUTE, used: false },
  labels: { [LABEL.device]: DEVICE, ...labels },
  ...change,
});
const goes = (one: Belonging, lives: (home: string) => Life = () => 'unknown'): boolean =>
  leftovers([one], { device: DEVICE, instance: 'now', now: NOW, leases: new Set([LEASE]), lives }).length === 1;

describe('of this device', () => {
  test.each<[string, boolean, Belonging]>([
    ['what an earlier process left', true, thing({ [LABEL.instance]: 'before' })],
    ['the same, made a moment ago', true, thing({ [LABEL.instance]: 'before' }, { createdAt: NOW })],
    ['what serves a lease in hand', false, thing({ [LABEL.instance]: 'now', [LABEL.lease]: LEASE })],
    [
      'what serves a lease that is over',
      true,
      thing({ [LABEL.instance]: 'now', [LABEL.lease]: `0x${'2'.repeat(64)}` }),
    ],
    ['what is being made', false, thing({ [LABEL.instance]: 'now' }, { createdAt: NOW - MINUTE })],
    ['what has lain about unused', true, thing({ [LABEL.instance]: 'now' })],
    ['what an older version labelled', true, thing({})],
    ['a volume that a container has', false, thing({ [LABEL.instance]: 'before' }, { used: true })],
    ['a network that a container is on', false, thing({}, { kind: 'network', used: true })],
    [
      'a gateway of an earlier process',
      true,
      thing({ [LABEL.role]: 'gateway', [LABEL.instance]: 'before' }, { kind: 'container', used: true }),
    ],
    [
      'a service of an earlier process',
      true,
      thing({ [LABEL.role]: 'service', [LABEL.instance]: 'before' }, { kind: 'container', used: true }),
    ],
    [
      'a service that is kept running',
      false,
      thing(
        { [LABEL.role]: 'service', [LABEL.instance]: 'now', [LABEL.lease]: LEASE },
        { kind: 'container', used: true },
      ),
    ],
    ['what others keep here, whoever made it', false, thing({ [LABEL.role]: 'store', [LABEL.instance]: 'before' })],
    [
      'a job, which the rounds look after',
      false,
      thing({ [LABEL.role]: 'workload', [LABEL.instance]: 'before' }, { kind: 'container', used: true }),
    ],
    [
      'a job of a version without roles',
      false,
      thing({ [LABEL.instance]: 'before' }, { kind: 'container', used: true }),
    ],
  ])('%s: goes %s', (_what, expected, one) => {
    expect(goes(one)).toBe(expected);
  });
});

describe('of another device', () => {
  const theirs = (labels: Record<string, string> = {}, change: Partial<Belonging> = {}): Belonging =>
    thing(
      { [LABEL.device]: OTHER, [LABEL.instance]: 'theirs', ...labels },
      { kind: 'container', used: true, ...change },
    );

  test('it goes, jobs too, once its agent is dead; not before, and not on a guess', () => {
    const one = theirs({ [LABEL.home]: 'their home' });
    expect(goes(one, () => 'dead')).toBe(true);
    expect(goes(one, () => 'alive')).toBe(false);
    expect(goes(one, () => 'unknown')).toBe(false);
  });
  test('without a home it stays', () => {
    expect(goes(theirs(), () => 'dead')).toBe(false);
  });
  test('a volume that a container has stays', () => {
    expect(goes(theirs({ [LABEL.home]: 'h' }, { kind: 'volume' }), () => 'dead')).toBe(false);
  });
});

test.each([
  ['nothing', {}],
  ['no address', { [LABEL.device]: 'mine' }],
  ['an empty name', { [LABEL.device]: '' }],
])('what names %s as its device is not ours, whatever else it says', (_what, labels) => {
  const one: Belonging = { ...thing({}), labels: { [LABEL.instance]: 'before', [LABEL.home]: 'gone', ...labels } };
  expect(goes(one, () => 'dead')).toBe(false);
});
