import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../../../coordinator/verification/policy.ts';
import {
  afterBad,
  afterValid,
  conductOf,
  isReplicated,
  isTrusted,
  mayBeFaults,
  NO_TRUST,
  type Party,
  replicationChance,
  restsUntil,
  type Trust,
} from '../../../../coordinator/verification/trust.ts';
import type { Address, Hex32 } from '../../../../core/primitives.ts';

const owner = (n: number): Address => `0x${n.toString(16).padStart(40, '0')}`;
const id = (n: number): Hex32 => `0x${n.toString(16).padStart(64, '0')}`;
const party = (n: number, line = n): Party => ({ owner: owner(n), network: `line ${line}` });
const strangers = (count: number): readonly Party[] => Array.from({ length: count }, (_, n) => party(n + 1));
const grown = (partners: readonly Party[]): Trust =>
  partners.reduce((trust, partner) => afterValid(trust, [partner], DEFAULT_POLICY), NO_TRUST);
const MUCH = 10n ** 12n;

describe('trust', () => {
  it('comes after ten valid results with ten different partners, and goes with one bad one', () => {
    expect(isTrusted(grown(strangers(9)), DEFAULT_POLICY)).toBe(false);
    expect(isTrusted(grown(strangers(10)), DEFAULT_POLICY)).toBe(true);
    expect(isTrusted(afterBad(), DEFAULT_POLICY)).toBe(false);
  });

  it('does not grow with the same owner or the same network again', () => {
    const sameOwner = Array.from({ length: 50 }, (_, line) => party(1, line));
    const sameLine = Array.from({ length: 50 }, (_, n) => party(n, 1));
    expect(grown(sameOwner).valid).toBe(1);
    expect(grown(sameLine).valid).toBe(1);
  });

  it('is out of reach of any ten that are drawn with each other alone, in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 200 }), (mates) => {
        expect(isTrusted(grown(mates.map((mate) => party(mate))), DEFAULT_POLICY)).toBe(false);
      }),
    );
  });

  it('leaves a job unreplicated with the chance that the record, the least share and the stake allow', () => {
    const chance = (valid: number, price: bigint, stake: bigint) =>
      replicationChance({ valid, partners: [] }, price, stake, DEFAULT_POLICY);
    expect(chance(9, 1n, MUCH)).toBe(1);
    expect(chance(10, 1n, MUCH)).toBe(0.1);
    expect(chance(40, 1n, MUCH)).toBe(0.025);
    expect(chance(1000, 1n, MUCH)).toBe(0.02);
    expect(chance(1000, 5n, 0n)).toBe(1);
    expect(chance(1000, 5n, 95n)).toBeCloseTo(0.1);
    expect(chance(1000, 0n, 0n)).toBe(1);
  });

  it('never lets one fake pay: what is at stake, times the chance, is more than the price that nobody checks', () => {
    const amounts = fc.bigInt({ min: 1n, max: 10n ** 24n });
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 10_000 }), amounts, amounts, (valid, price, stake) => {
        const chance = replicationChance({ valid, partners: [] }, price, stake, DEFAULT_POLICY);
        // Chances are kept to a millionth.
        const lost = (chance + 2e-6) * Number(stake);
        expect(lost).toBeGreaterThanOrEqual((1 - chance) * Number(price) * (1 - 1e-9));
      }),
    );
  });
});

describe('whether a job is replicated', () => {
  it('follows from the secret and the lease alone', () => {
    const drawn = (secret: string) => Array.from({ length: 400 }, (_, n) => isReplicated(secret, id(n), 0.5));
    expect(drawn('a')).toEqual(drawn('a'));
    expect(drawn('a')).not.toEqual(drawn('b'));
  });

  it('happens as often as it should', () => {
    const count = Array.from({ length: 20_000 }, (_, n) => isReplicated('secret', id(n), 0.02)).filter(Boolean).length;
    // Four standard deviations.
    expect(Math.abs(count - 400)).toBeLessThan(80);
    expect(isReplicated('secret', id(1), 1)).toBe(true);
    expect(isReplicated('secret', id(1), 0)).toBe(false);
  });
});

describe('bad results', () => {
  const conduct = (checked: number, bad: number) => ({ checked, bad });

  it('may be faults once, and once more for each thousand that were checked', () => {
    expect(mayBeFaults([conduct(20, 1)], DEFAULT_POLICY)).toBe(true);
    expect(mayBeFaults([conduct(20, 2)], DEFAULT_POLICY)).toBe(false);
    expect(mayBeFaults([conduct(1000, 2)], DEFAULT_POLICY)).toBe(true);
  });

  it('are held against a new device on an old line', () => {
    expect(mayBeFaults([conduct(5, 1), conduct(5, 1), conduct(90, 2)], DEFAULT_POLICY)).toBe(false);
  });

  it('are forgotten after their time', () => {
    const now = 1_800_000_000_000;
    const today = Math.floor(now / 86_400_000);
    const days = [
      { day: today, checked: 3, bad: 1 },
      { day: today - 89, checked: 5, bad: 1 },
      { day: today - 91, checked: 7, bad: 1 },
    ];
    expect(conductOf(days, now, DEFAULT_POLICY)).toEqual({ checked: 8, bad: 2 });
  });

  it('beyond what a machine may do cost a rest that doubles, within a bound', () => {
    const { firstMs, mostMs } = DEFAULT_POLICY.rest;
    expect([1, 2, 3, 4, 60].map((bad) => restsUntil(conduct(0, bad), 1000, DEFAULT_POLICY) - 1000)).toEqual([
      0,
      firstMs,
      2 * firstMs,
      4 * firstMs,
      mostMs,
    ]);
  });
});
