import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Credit,
  hasLapsed,
  isMature,
  judgeLane,
  refundsOf,
  stakeOf,
} from '../../../../coordinator/verification/maturity.ts';
import { DEFAULT_POLICY } from '../../../../coordinator/verification/policy.ts';
import type { Hex32 } from '../../../../core/primitives.ts';

const id = (n: number): Hex32 => `0x${n.toString(16).padStart(64, '0')}`;
const NOW = 1_800_000_000_000;
const DAY = 86_400_000;
const credit = (n: number, change: Partial<Credit> = {}): Credit => ({
  ...{ leaseId: id(n), amount: 5n, payer: 'deposit:a', acceptedAt: NOW, ordinal: n, checked: false, checking: false },
  ...change,
});
const FAULT = [{ checked: 50, bad: 1 }];
const judge = (credits: readonly Credit[], conducts = FAULT) =>
  judgeLane('secret', 'suspicion', credits, conducts, DEFAULT_POLICY);

describe('credit', () => {
  it('matures after a day and three hundred later jobs, or after two weeks', () => {
    const mature = (age: number, later: number) => isMature(credit(2), 2 + later, NOW + age, DEFAULT_POLICY);
    expect(mature(DAY, 300)).toBe(true);
    expect(mature(DAY - 1, 10_000)).toBe(false);
    expect(mature(14 * DAY - 1, 299)).toBe(false);
    expect(mature(14 * DAY, 0)).toBe(true);
  });

  it('does not mature while it is checked, nor sooner by a clock that was set back', () => {
    expect(isMature(credit(2, { checking: true }), 9999, NOW + 99 * DAY, DEFAULT_POLICY)).toBe(false);
    expect(isMature(credit(2), 9999, NOW - 99 * DAY, DEFAULT_POLICY)).toBe(false);
  });
});

describe('the first credit of a device', () => {
  it('matures by later jobs and not by age', () => {
    expect(isMature(credit(1), 301, NOW + DAY, DEFAULT_POLICY)).toBe(true);
    expect(isMature(credit(1), 300, NOW + 80 * DAY, DEFAULT_POLICY)).toBe(false);
  });

  it('goes back to who paid it once it was left behind for long', () => {
    expect(hasLapsed(credit(1), 300, NOW + 91 * DAY, DEFAULT_POLICY)).toBe(true);
    expect(hasLapsed(credit(1), 300, NOW + 89 * DAY, DEFAULT_POLICY)).toBe(false);
    expect(hasLapsed(credit(1), 301, NOW + 91 * DAY, DEFAULT_POLICY)).toBe(false);
    expect(hasLapsed(credit(2), 300, NOW + 91 * DAY, DEFAULT_POLICY)).toBe(false);
  });
});

describe('a lane with a bad result', () => {
  const credits = Array.from({ length: 25 }, (_, n) => credit(n, { checked: n % 5 === 0 }));

  it('is verified again where nobody has, a few leases at a time', () => {
    const verdict = judge(credits);
    const leases = verdict.kind === 'recheck' ? verdict.leases : [];
    expect(leases).toHaveLength(DEFAULT_POLICY.recheckAtOnce);
    const open = credits.filter(({ checked }) => !checked).map(({ leaseId }) => leaseId);
    for (const lease of leases) expect(open).toContain(lease);
    expect(judge(credits)).toEqual(verdict);
  });

  it('is let go when all else was right', () => {
    expect(judge(credits.map((one) => ({ ...one, checked: true })))).toEqual({ kind: 'release' });
    expect(judge([])).toEqual({ kind: 'release' });
  });

  it('loses all that is not mature with the second one, checked or not', () => {
    expect(judge(credits, [{ checked: 50, bad: 2 }])).toEqual({ kind: 'forfeit', credits });
  });

  it('comes to an end whatever is found, and asks for each lease once', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 40 }), (wrong) => {
        const left = new Map(wrong.map((_, n) => [id(n), credit(n)]));
        const asked = new Set<Hex32>();
        let bad = 1;
        for (let round = 0; round < 100; round++) {
          const verdict = judge([...left.values()], [{ checked: 50, bad }]);
          if (verdict.kind !== 'recheck') {
            expect(verdict.kind).toBe(bad > 1 ? 'forfeit' : 'release');
            expect(verdict.kind === 'release' && wrong.includes(true)).toBe(false);
            return;
          }
          const [next] = verdict.leases;
          if (next === undefined) break;
          expect(asked.has(next)).toBe(false);
          asked.add(next);
          if (wrong[Number(next)] === true) {
            bad += 1;
            left.delete(next);
          } else left.set(next, { ...credit(Number(next)), checked: true });
        }
        throw new Error('it did not come to an end');
      }),
    );
  });

  it('gives back to each payer what it paid, to the unit', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 24n }), fc.constantFrom('a', 'b', 'c'))),
        (paid) => {
          const lost = paid.map(([amount, payer], n) => credit(n, { amount, payer }));
          const refunds = refundsOf(lost);
          expect([...refunds.values()].reduce((sum, amount) => sum + amount, 0n)).toBe(stakeOf(lost));
          for (const [payer, amount] of refunds)
            expect(amount).toBe(stakeOf(lost.filter((one) => one.payer === payer)));
        },
      ),
    );
  });
});
