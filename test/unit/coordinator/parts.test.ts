import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Tokens } from '../../../coordinator/access.ts';
import { Changes } from '../../../coordinator/context.ts';
import { firstDifference } from '../../../coordinator/epochs.ts';
import { lineOf, RateLimit } from '../../../coordinator/rate-limit.ts';
import { maturesAt, sharesOf } from '../../../coordinator/shares.ts';
import { retryAt } from '../../../coordinator/webhooks.ts';

const account = `0x${'a'.repeat(40)}` as const;

describe('bearer tokens', () => {
  const tokens = new Tokens(new Uint8Array(32).fill(1));
  const { token, expiresAt } = tokens.grant(account, 'consumer', 1_000);

  it('speak for an account until they expire', () => {
    expect(tokens.check(token, expiresAt - 1)).toEqual({ account, role: 'consumer' });
    expect(tokens.check(token, expiresAt)).toBeNull();
  });

  it.each([
    ['another role', token.replace('consumer', 'device')],
    ['another account', token.replace('aaaa', 'bbbb')],
    ['a later end', token.replace(String(expiresAt), String(expiresAt + 1))],
    ['a cut seal', token.slice(0, -1)],
    ['nothing', ''],
  ])('are refused with %s', (_name, altered) => {
    expect(altered).not.toBe(token);
    expect(tokens.check(altered, 2_000)).toBeNull();
  });

  it('are not those of another coordinator', () => {
    expect(new Tokens(new Uint8Array(32).fill(2)).check(token, 2_000)).toBeNull();
  });
});

describe('rate limit', () => {
  it('lets a burst through, then so many per second, for each key', () => {
    const limit = new RateLimit(2, 1);
    expect([limit.allows('a', 0), limit.allows('a', 0), limit.allows('a', 0)]).toEqual([true, true, false]);
    expect(limit.allows('b', 0)).toBe(true);
    expect([limit.allows('a', 1_000), limit.allows('a', 1_000)]).toEqual([true, false]);
  });

  it('takes all addresses of one line for one, however they are written', () => {
    const one = lineOf('2001:db8:1:2::1');
    expect(
      ['2001:db8:1:2:ffff:ffff:ffff:ffff', '2001:0db8:0001:0002:0::5', '2001:db8:1:2::1%eth0'].map(lineOf),
    ).toEqual([one, one, one]);
    expect(lineOf('2001:db8:1:3::1')).not.toBe(one);
    expect(lineOf('::ffff:198.51.100.7')).toBe(lineOf('198.51.100.7'));
    expect(lineOf('198.51.100.8')).not.toBe(lineOf('198.51.100.7'));
  });

  it('gives nothing back when the clock goes back', () => {
    const limit = new RateLimit(1, 1);
    expect([limit.allows('a', 5_000), limit.allows('a', 1_000)]).toEqual([true, false]);
  });
});

describe('changes', () => {
  it('wakes those who wait for that job, and all of them at the end', async () => {
    const changes = new Changes();
    const [one, other] = [changes.wait('1', 60_000), changes.wait('2', 60_000)];
    changes.notify('1');
    await one.changed;
    changes.wakeAll();
    await other.changed;
  });
});

describe('the shares of a price', () => {
  it('add up to it, the fee is never above its part, and the provider lacks less than one unit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 128n }), fc.integer({ min: 0, max: 10_000 }), (price, feeBps) => {
        const { pay, fee, dust } = sharesOf(price, feeBps);
        expect(pay + fee + dust).toBe(price);
        expect(dust === 0n || dust === 1n).toBe(true);
        expect(fee * 10_000n).toBeLessThanOrEqual(price * BigInt(feeBps));
        const lacking = price * BigInt(10_000 - feeBps) - pay * 10_000n;
        expect(lacking >= 0n && lacking < 10_000n).toBe(true);
      }),
    );
  });

  it.each([
    [10_000n, 0, 10_000n, 0n, 0n],
    [10_000n, 250, 9_750n, 250n, 0n],
    [1n, 250, 0n, 0n, 1n],
    [99n, 101, 98n, 0n, 1n],
    [10_001n, 9_999, 1n, 9_999n, 1n],
    [7n, 10_000, 0n, 7n, 0n],
  ])('of %d at %d are %d, %d and %d', (price, feeBps, pay, fee, dust) => {
    expect(sharesOf(price, feeBps)).toEqual({ pay, fee, dust });
  });

  it('wait for their time, and never for one that has been settled', () => {
    expect(maturesAt(100, 50, 0)).toBe(150);
    expect(maturesAt(100, 0, 100)).toBe(101);
    expect(maturesAt(100, 0, 5_000)).toBe(5_001);
  });
});

describe('the two calculators', () => {
  it('agree to the unit or name who differs', () => {
    const owed = (due: bigint, credited = 2n) => new Map([[account, { due, credited }]]);
    expect(firstDifference(owed(1n), owed(1n))).toBeNull();
    expect(firstDifference(owed(1n), owed(2n))).toBe(account);
    expect(firstDifference(owed(1n), owed(1n, 3n))).toBe(account);
    expect(firstDifference(new Map(), owed(1n))).toBe(account);
    expect(firstDifference(owed(0n), new Map())).toBe(account);
    expect(firstDifference(owed(0n, 0n), new Map())).toBeNull();
  });
});

it('a webhook that fails is tried again after ever longer pauses, and a spread keeps those that failed together apart', () => {
  const pauses = Array.from({ length: 12 }, (_one, at) => retryAt(at + 1, 0, 0));
  expect(pauses.every((pause, at) => at === 0 || pause >= (pauses[at - 1] ?? 0))).toBe(true);
  expect([pauses[0], pauses.at(-1)]).toEqual([5_000, 14_400_000]);
  expect(retryAt(1, 1_000, 1)).toBe(8_500);
});

it('a request that is refused says when the next one passes', () => {
  const limit = new RateLimit(1, 0.5);
  expect(limit.take('a', 0)).toMatchObject({ allowed: true, remaining: 0 });
  expect(limit.take('a', 0)).toMatchObject({ allowed: false, retryAfter: 2 });
  expect(limit.take('a', 1_500)).toMatchObject({ allowed: false, retryAfter: 1 });
});
