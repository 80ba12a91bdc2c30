import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  breakEvenRate,
  checkedShare,
  DEFAULT_POLICY,
  requirePolicy,
  type VerificationPolicy,
  worthOfFake,
} from '../../../../coordinator/verification/policy.ts';
import { isFailure } from '../../../../core/errors.ts';

const refused = (change: Partial<VerificationPolicy>): string => {
  try {
    requirePolicy({ ...DEFAULT_POLICY, ...change });
  } catch (error) {
    if (isFailure(error, 'BAD_INPUT')) return error.message;
    throw error;
  }
  return '';
};

describe('the numbers of verification', () => {
  it('make each fake a loss at every rate from one job in a thousand on', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1, noNaN: true }), (rate) => {
        expect(worthOfFake(DEFAULT_POLICY, rate)).toBeLessThan(0);
      }),
    );
  });

  it('say from which rate on, which is what random cheaters find', () => {
    const { maturity } = DEFAULT_POLICY;
    const rate = breakEvenRate(DEFAULT_POLICY);
    expect(rate).toBeGreaterThan(0.0001);
    expect(rate).toBeLessThan(0.001);
    // The same by another way: the mean over where in the window the nearest other fake lies.
    const seen = checkedShare(DEFAULT_POLICY);
    let lost = 0;
    for (let at = 0; at < maturity.jobs; at++) lost += rate * (1 - rate) ** at * maturity.jobs;
    expect(seen * lost).toBeCloseTo(1 - seen, 2);
  });

  it('are refused where cheating at one job in a hundred would pay', () => {
    expect(refused({})).toBe('');
    expect(refused({ maturity: { ...DEFAULT_POLICY.maturity, jobs: 20 } })).toContain('cheating pays');
    expect(refused({ leastReplicated: 0.001, canaries: 0 })).toContain('cheating pays');
  });

  it.each([
    { leastReplicated: 1.1 },
    { canaries: -0.1 },
    { trustedAfter: 0 },
    { recheckAtOnce: 0.5 },
    { stakeFactor: 0.5 },
    { maturity: { jobs: 300, leastMs: 2, mostMs: 1, bond: 1 } },
    { maturity: { jobs: 300, leastMs: 1, mostMs: 2, bond: -1 } },
    { rest: { firstMs: 2, mostMs: 1 } },
    { dispute: { lead: 2, mostResults: 2 } },
    { faults: { free: -1, perChecked: 1000, memoryMs: 1 } },
    { faults: { free: 1, perChecked: 1000, memoryMs: Number.NaN } },
  ] as const)('are refused where they make no sense: %o', (change) => {
    expect(refused(change)).not.toBe('');
  });
});
