import { expect, test } from 'vitest';
import { attentionFor, gives, takes, thresholdsOf } from '../../../agent/pace.ts';
import { type Decision, decide, freshMemory } from '../../../core/decide.ts';
import { policyOf } from '../../../core/policy.ts';
import { perLane } from '../../../core/primitives.ts';
import { parseSettings } from '../../../core/settings.ts';
import type { Signals } from '../../../core/signals.ts';
import { calm, policyFrom } from '../../support/rules.ts';

const settings = parseSettings({
  version: 3,
  rules: { idleAfterSeconds: 300 },
  lanes: { gpu: { rules: { idleAfterSeconds: 120 } } },
  gpus: { 'GPU-1': { rules: { idleAfterSeconds: 60 } }, 'GPU-2': {} },
});
const gpus = Object.keys(settings.gpus);

test('the idle time of each lane and of each GPU with its own matters, and of a locked screen while it is locked', () => {
  expect(thresholdsOf(policyOf(settings), gpus, false)).toEqual([60_000, 120_000, 300_000]);
  expect(thresholdsOf(policyOf(settings), gpus, true)).toEqual([10_000, 60_000, 120_000, 300_000]);
  expect(thresholdsOf(policyOf(settings), [], false)).toEqual([120_000, 300_000]);
});

const attentionIn = (change: Partial<Signals>) =>
  attentionFor(decide(calm(change), policyFrom(), freshMemory()), false).others;

test('what no sensor can end lets them rest; a ledger that cannot be written does not, for the disk may be full', () => {
  expect(attentionIn({})).toBe('ready');
  expect(attentionIn({ engine: { kind: 'absent', detail: '' } })).toBe('rest');
  expect(attentionIn({ idleMs: 0 })).toBe('rest');
  expect(attentionIn({ freeDiskBytes: 0 })).toBe('ready');
  expect(attentionIn({ ledgerWritable: false })).toBe('ready');
});

test('what a decision takes away holds at once, also where it gives something else', () => {
  const run = { kind: 'run' } as const;
  const hold = { kind: 'hold', reason: { kind: 'idle-unknown' } } as const;
  const { memory, memoryWanted } = decide(calm(), policyFrom(), freshMemory());
  const before: Decision = {
    ...{ memory, memoryWanted, lanes: perLane((lane) => (lane === 'cpu' ? run : hold)), gpus: { one: run, two: hold } },
    begins: perLane((lane) => lane === 'cpu'),
    fetches: perLane((lane) => lane === 'cpu'),
  };
  const after: Decision = {
    ...{ memory, memoryWanted, lanes: perLane((lane) => (lane === 'gpu' ? run : hold)) },
    ...{ gpus: { one: hold, two: run, three: run }, begins: perLane((lane) => lane === 'gpu') },
    fetches: perLane((lane) => lane === 'gpu'),
  };
  const now = takes(before, after);
  expect(now.lanes).toEqual(perLane(() => hold));
  expect(now.gpus).toEqual({ one: hold, two: hold });
  expect(Object.values(now.begins)).not.toContain(true);
  expect(Object.values(now.fetches)).not.toContain(true);
  expect(gives(before, now)).toBe(false);
});
