import { expect, test } from 'vitest';
import { thresholdsOf } from '../../../agent/pace.ts';
import { policyOf } from '../../../core/policy.ts';
import { parseSettings } from '../../../core/settings.ts';

const settings = parseSettings({
  version: 2,
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
