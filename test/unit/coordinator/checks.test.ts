import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  billOf,
  type Checked,
  decideBy,
  isCompared,
  missingFor,
  paidCopies,
  wordOnSuspect,
} from '../../../coordinator/checks.ts';
import type { LeaseRow } from '../../../coordinator/leases.ts';
import { pairsOf } from '../../../coordinator/likenesses.ts';
import { checksBpsOf, checksOf, sharesOf, takenBpsOf } from '../../../coordinator/shares.ts';
import { termsOf } from '../../../coordinator/terms.ts';
import { isMature } from '../../../coordinator/verification/maturity.ts';
import { DEFAULT_POLICY } from '../../../coordinator/verification/policy.ts';
import type { LeaseState } from '../../../coordinator/verify.ts';
import type { Hex32 } from '../../../core/primitives.ts';

const id = (n: number): Hex32 => `0x${n.toString(16).padStart(64, '0')}`;
const lease = (n: number, state: LeaseState, output: number | null = null, replicated = false): LeaseRow => ({
  ...{ lease_id: id(n), job_id: id(0), copy: n, deadline: 1, state, replicated, network: null, progress: 0 },
  ...{ device: `0x${n.toString(16).padStart(40, '0')}`, owner: `0x${n.toString(16).padStart(40, '0')}` },
  ...{ counts_as_attempt: false, unable: false, why: null, output_bytes: 1, report_hash: null },
  output_hash: output === null ? null : id(output),
});
const job = (
  change: Partial<Checked> = {},
): Checked & { readonly job_id: Hex32; readonly consumer: `0x${string}` } => ({
  ...{ job_id: id(0), consumer: '0xc', price: 10n, hold: 10n, replicas: 0, checks_hold: 0n, about: null },
  ...{ known_output: null, known_copies: 0, suspect: null },
  ...change,
});
const verification = { policy: DEFAULT_POLICY, secret: 'x' };

describe('a job that is ordered once', () => {
  const decide = (leases: readonly LeaseRow[], of = job()) => decideBy(of, leases, 3, verification);

  it('is settled by its first result, or by a second one where the first was drawn for it', () => {
    expect(decide([lease(1, 'finished', 7)])).toMatchObject({ kind: 'settled', accepted: [id(1)] });
    expect(decide([lease(1, 'finished', 7, true)])).toEqual({ kind: 'open', wanted: 1 });
    expect(decide([lease(1, 'finished', 7, true), lease(2, 'finished', 7)])).toMatchObject({ kind: 'settled' });
  });

  it('is confirmed by no other device of the same owner or line', () => {
    const first = lease(1, 'finished', 7, true);
    const second = lease(2, 'finished', 7);
    expect(decide([first, { ...second, owner: first.owner }])).toEqual({ kind: 'open', wanted: 1 });
    const line = { network: 'a line' };
    expect(
      decide([
        { ...first, ...line },
        { ...second, ...line },
      ]),
    ).toEqual({ kind: 'open', wanted: 1 });
  });

  it('asks nobody else before the result that was drawn has come, or when it will not come', () => {
    expect(decide([lease(1, 'held', null, true)])).toEqual({ kind: 'open', wanted: 0 });
    expect(isCompared(job(), [lease(1, 'held', null, true)])).toBe(false);
    expect(decide([lease(1, 'gone', null, true)])).toEqual({ kind: 'open', wanted: 1 });
    expect(decide([lease(1, 'gone', null, true), lease(2, 'finished', 7)])).toMatchObject({ kind: 'settled' });
  });

  it('is not decided against somebody by one other alone', () => {
    const two = [lease(1, 'finished', 7, true), lease(2, 'finished', 8)];
    expect(decide(two)).toEqual({ kind: 'open', wanted: 2 });
    const three = [...two, lease(3, 'finished', 7), lease(4, 'finished', 7)];
    expect(decide(three)).toMatchObject({ kind: 'settled', rejected: [id(2)], accepted: [id(1), id(3), id(4)] });
  });
});

describe('a job of the network’s own', () => {
  it('with two known copies is settled by the right answer, and by a third party where the answer is another', () => {
    const canary = job({ about: id(9), known_output: id(7), known_copies: 2, checks_hold: 10n });
    expect(decideBy(canary, [lease(1, 'finished', 7)], 3, verification)).toMatchObject({ kind: 'settled' });
    expect(decideBy(canary, [lease(1, 'finished', 8)], 3, verification)).toEqual({ kind: 'open', wanted: 1 });
    const told = decideBy(canary, [lease(1, 'finished', 8), lease(2, 'finished', 7)], 3, verification);
    expect(told).toMatchObject({ kind: 'settled', rejected: [id(1)] });
  });

  it('costs its consumer, which is the network, nothing but what checks put there, and shows a price like any other', () => {
    const canary = job({ about: id(9), checks_hold: 10n });
    expect(billOf(canary, 1)).toMatchObject({ consumers: 0, charged: 10n });
    expect(billOf(job(), 1)).toMatchObject({ consumers: 1, charged: 10n });
  });
});

describe('what is compared for a job of the network’s own', () => {
  it('is the output that is known with each that came, as the workload says', () => {
    const of = { job_id: id(0), workload: 'near', version: '1', known_output: id(7) };
    const pair = { workload: 'near', version: '1', a: id(7), b: id(8) };
    expect(pairsOf({ job: of, leases: [lease(1, 'finished', 8), lease(2, 'held')] })).toEqual([pair]);
    expect(pairsOf({ job: of, leases: [lease(1, 'finished', 7)] })).toEqual([]);
    expect(pairsOf({ job: { ...of, known_output: null }, leases: [lease(1, 'finished', 8)] })).toEqual([]);
    const canary = job({ about: id(9), known_output: id(7), known_copies: 2 });
    const told = decideBy(canary, [lease(1, 'finished', 8)], 3, verification, () => 'same');
    expect(told).toMatchObject({ kind: 'settled', rejected: [] });
    const doubt = job({ about: id(9), known_output: id(7), known_copies: 1, suspect: id(5) });
    const three = [1, 2, 3].map((n) => lease(n, 'finished', 8));
    expect(wordOnSuspect(decideBy(doubt, three, 3, verification))).toBe('wrong');
    expect(wordOnSuspect(decideBy(doubt, three, 3, verification, () => 'unclear'))).toBe(null);
    expect(wordOnSuspect(decideBy(doubt, [lease(1, 'finished', 7)], 3, verification))).toBe('right');
  });
});

describe('the bill', () => {
  it('is never more than the hold, leaves nothing, and is in balance, whatever was accepted of what was paid for', () => {
    const amounts = fc.record({
      price: fc.bigInt({ min: 0n, max: 1_000n }),
      copies: fc.constantFrom(1n, 3n),
      own: fc.boolean(),
      live: fc.nat({ max: 14 }),
      wanted: fc.nat({ max: 3 }),
      accepted: fc.nat({ max: 17 }),
    });
    fc.assert(
      fc.property(amounts, ({ price, copies, own, live, wanted, accepted }) => {
        const bare = job({ price, hold: price * copies, about: own ? id(9) : null });
        const leases = Array.from({ length: live }, (_, n) => lease(n + 1, n % 2 === 0 ? 'held' : 'finished', 7));
        const funded = job({ ...bare, checks_hold: missingFor(bare, leases, wanted) });
        expect(missingFor(funded, leases, wanted)).toBe(0n);
        expect(paidCopies(funded, leases, wanted)).toBe(wanted);
        const paid = Math.min(accepted, live + wanted);
        const { charged, consumers, entries } = billOf(funded, paid);
        expect(charged <= bare.hold).toBe(true);
        expect(entries.reduce((sum, { amount }) => sum + amount, 0n)).toBe(0n);
        const [hold, ...back] = entries.map(({ amount }) => amount);
        expect(back.every((amount) => amount >= 0n)).toBe(true);
        const there = (own ? 0n : bare.hold) + funded.checks_hold;
        expect(there + (hold ?? 0n)).toBe(price * BigInt(paid));
        expect(consumers <= paid).toBe(true);
      }),
    );
  });

  it('lets nobody wait for copies that are not paid for', () => {
    expect(paidCopies(job(), [lease(1, 'finished', 7, true)], 1)).toBe(0);
    expect(missingFor(job(), [lease(1, 'finished', 7, true)], 1)).toBe(10n);
    expect(missingFor(job({ checks_hold: 10n }), [lease(1, 'finished', 7, true)], 1)).toBe(0n);
  });
});

describe('what is taken of a price', () => {
  it('has the checks’ share in it where there is a policy, and never more of it than the fee', () => {
    expect([takenBpsOf({ feeBps: 250 }), checksBpsOf({ feeBps: 250 })]).toEqual([250, 0]);
    const rates = { feeBps: 250, verification: DEFAULT_POLICY };
    expect([takenBpsOf(rates), checksBpsOf(rates)]).toEqual([750, 500]);
    const { fee } = sharesOf(1_000n, takenBpsOf(rates));
    expect([fee, checksOf(1_000n, fee, checksBpsOf(rates)), checksOf(1_000n, 20n, 500)]).toEqual([75n, 50n, 20n]);
  });
});

describe('the terms of a credit', () => {
  it('say what the rule of maturity says, at every time and for every length of the lane', () => {
    const { maturity } = DEFAULT_POLICY;
    const numbers = fc.record({
      ordinal: fc.integer({ min: 1, max: 700 }),
      latest: fc.integer({ min: 1, max: 1_400 }),
      age: fc.integer({ min: 0, max: 2 * maturity.mostMs }),
    });
    fc.assert(
      fc.property(numbers, ({ ordinal, latest, age }) => {
        const acceptedAt = 1_000;
        const terms = termsOf({ ordinal, acceptedAt }, 0, DEFAULT_POLICY);
        const now = acceptedAt + age;
        const ripe = terms.maturesAt <= now || ((terms.earlyAt ?? 0) <= now && (terms.needs ?? 0) <= latest);
        const credit = { leaseId: id(1), amount: 1n, payer: '', acceptedAt, ordinal, checked: false, checking: false };
        expect(ripe).toBe(isMature(credit, latest, now, DEFAULT_POLICY));
      }),
      { numRuns: 2_000 },
    );
  });

  it('are never of a time up to which all has matured', () => {
    const { maturesAt, earlyAt } = termsOf({ ordinal: 2, acceptedAt: 0 }, 10 ** 12, DEFAULT_POLICY);
    expect([maturesAt, earlyAt].every((at) => (at ?? 0) > 10 ** 12)).toBe(true);
  });
});
