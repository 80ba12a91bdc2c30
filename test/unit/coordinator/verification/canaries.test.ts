import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AgreedJob,
  canaryJobId,
  drawCanary,
  isCanary,
  mayServe,
} from '../../../../coordinator/verification/canaries.ts';
import { shuffled } from '../../../../coordinator/verification/draw.ts';
import { DEFAULT_POLICY } from '../../../../coordinator/verification/policy.ts';
import type { Party } from '../../../../coordinator/verification/trust.ts';
import { inLots } from '../../../../coordinator/verification/turns.ts';
import { type Address, type Hex32, hex32 } from '../../../../core/primitives.ts';

const id = (n: number): Hex32 => `0x${n.toString(16).padStart(64, '0')}`;
const owner = (n: number): Address => `0x${n.toString(16).padStart(40, '0')}`;
const party = (n: number, line: number | null = n): Party => ({
  owner: owner(n),
  network: line === null ? null : `line ${line}`,
});
const job = (n: number, seenBy: readonly Party[], image = 'i'): AgreedJob => ({
  ...{ jobId: id(n), workload: 'w', image, outputHash: id(n + 1000), seenBy },
});
const kind = { workload: 'w', image: 'i' };

describe('canaries', () => {
  it('never go to an owner or a network that saw the job', () => {
    const parties = fc.record({ owner: fc.integer({ min: 1, max: 6 }), line: fc.integer({ min: 1, max: 6 }) });
    fc.assert(
      fc.property(fc.array(fc.array(parties, { maxLength: 4 }), { maxLength: 8 }), parties, fc.nat(), (seen, to, n) => {
        const jobs = seen.map((all, at) =>
          job(
            at,
            all.map((one) => party(one.owner, one.line)),
          ),
        );
        const drawn = drawCanary('secret', id(n), jobs, party(to.owner, to.line), kind);
        const fit = jobs.filter(({ seenBy }) =>
          seenBy.every((one) => one.owner !== owner(to.owner) && one.network !== `line ${to.line}`),
        );
        if (fit.length === 0) expect(drawn).toBeNull();
        else expect(fit).toContain(drawn);
      }),
    );
  });

  it('are of the very workload that the device offered', () => {
    expect(drawCanary('secret', id(1), [job(1, [], 'other')], party(1), kind)).toBeNull();
    expect(drawCanary('secret', id(1), [job(1, [], 'i')], party(1), kind)?.jobId).toBe(id(1));
  });

  it('go, where networks are not known, to other owners', () => {
    expect(mayServe(job(1, [party(1, null)]), party(2, null))).toBe(true);
    expect(mayServe(job(1, [party(1, null)]), party(1, null))).toBe(false);
  });

  it('have an id like any other, new for each lease', () => {
    const ids = Array.from({ length: 100 }, (_, n) => canaryJobId('secret', id(n)));
    expect(new Set(ids).size).toBe(100);
    for (const one of ids) expect(hex32.parse(one)).toBe(one);
  });

  it('are one lease in a hundred, and no lease tells which', () => {
    const count = Array.from({ length: 20_000 }, (_, n) => isCanary('secret', id(n), DEFAULT_POLICY)).filter(
      Boolean,
    ).length;
    expect(Math.abs(count - 200)).toBeLessThan(60);
  });
});

describe('the order of offers', () => {
  it('holds everybody once, and is another in the next round', () => {
    const list = Array.from({ length: 50 }, (_, n) => n);
    expect([...shuffled('secret', 'offer', '1', list)].sort((a, b) => a - b)).toEqual(list);
    expect(shuffled('secret', 'offer', '1', list)).not.toEqual(shuffled('secret', 'offer', '2', list));
  });

  it('gives those of one owner or one network one lot together', () => {
    const crowd = Array.from({ length: 30 }, (_, n) => ({ ...party(100 + n, 1), name: 'crowd' }));
    const alone = Array.from({ length: 9 }, (_, n) => ({ ...party(n, 200 + n), name: 'alone' }));
    let first = 0;
    for (let round = 0; round < 500; round++) {
      const [winner] = inLots('secret', String(round), [...crowd, ...alone]);
      if (winner?.name === 'crowd') first += 1;
    }
    // One in ten; four standard deviations.
    expect(Math.abs(first - 50)).toBeLessThan(27);
  });

  it('ties devices together through others, and loses none', () => {
    const list = [party(1, 1), party(2, 2), party(3, 3), party(1, 2), party(4, 4)];
    const turns = inLots('secret', 'round', list);
    expect(turns).toHaveLength(5);
    // The first three are one of each group: the three that are tied, and the two others.
    const tied = new Set([list[0], list[1], list[3]]);
    expect(turns.slice(0, 3).filter((one) => tied.has(one))).toHaveLength(1);
  });
});
