import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Books } from '../../support/sim/books.ts';
import { CALM } from '../../support/sim/link.ts';
import {
  BOINC_POLICY,
  CPU_WORK,
  calmWorld,
  HASTY_POLICY,
  honest,
  liars,
  stormWorld,
} from '../../support/sim/settings.ts';
import { Timeline } from '../../support/sim/timeline.ts';
import { type Group, type Outcome, type Person, World, type WorldSetting } from '../../support/sim/world.ts';

const run = (setting: WorldSetting): Outcome => new World(setting).run();
const of = ({ people }: Outcome, group: string): readonly Person[] => people.filter((person) => person.group === group);
const PERFECT = { ...CALM, lost: 0, doubled: 0, stuckPer10k: 0 };
const small = (groups: readonly Group[], change: Partial<WorldSetting> = {}): WorldSetting =>
  calmWorld('small', 5, groups, { policy: HASTY_POLICY, hours: 40, roundMs: 60_000, restless: 0, ...change });

describe('a simulated network in a storm', () => {
  // The books are checked at each transfer, stakes and sums every day, and at the end nothing may be left hanging.
  it.each(Array.from({ length: 8 }, (_, index) => index + 1))('keeps every rule, seed %i', (seed) => {
    const { tally, people } = run(stormWorld(seed));
    expect(tally.paid).toBeGreaterThan(1000);
    expect(tally.forfeits).toBeGreaterThan(0);
    expect(tally.extra.recheck).toBeGreaterThan(0);
    expect(tally.extra.canary).toBeGreaterThan(0);
    expect(tally.extra.dispute).toBeGreaterThan(0);
    expect(people.every((person) => person.pay >= 0n)).toBe(true);
    expect(tally.paidWrong / tally.paid).toBeLessThan(0.02);
  });

  it('is the same to the last unit for the same seed, and another for another', () => {
    const [first, second, other] = [run(stormWorld(77)), run(stormWorld(77)), run(stormWorld(78))];
    expect(second.digest).toBe(first.digest);
    expect(second.tally).toEqual(first.tally);
    expect(other.digest).not.toBe(first.digest);
  });

  it('tells, when something is wrong, the seed and the command that show it again', () => {
    const broken = stormWorld(4711, { workloads: [CPU_WORK, { ...CPU_WORK, id: 'odd', price: -100n }] });
    expect(() => run(broken)).toThrow(/takes hold:.* to -100\n.*npm run bench -- cheat --world=storm --seed=4711/);
  });
});

describe('a simulated network in calm', () => {
  it('pays honest people each of their jobs, and takes nothing back', () => {
    const faultless: Group = { ...honest(30), conscience: { fakes: 0, faults: 0, sleeper: false } };
    const { people, tally } = run(small([faultless], { faults: PERFECT }));
    for (const { pay, worked } of people) expect(pay).toBe(BigInt(worked) * CPU_WORK.price);
    expect({ ...tally, wronged: tally.wronged.size }).toMatchObject({
      forfeits: 0,
      undecided: 0,
      paidWrong: 0,
      wronged: 0,
    });
    expect(tally.extraAfterProbation).toBeGreaterThan(0);
  });

  it('lets a machine that errs once keep all but that one result', () => {
    const faulty: Group = { ...honest(1, 'faulty'), conscience: { fakes: 0, faults: 0.004, sleeper: false } };
    let [released, kept] = [0, 0];
    for (let seed = 1; seed <= 4; seed++) {
      const outcome = run(small([honest(24), faulty], { seed, hours: 30 }));
      if (outcome.tally.forfeits > 0 || outcome.tally.releases === 0) continue;
      released += 1;
      for (const { wronged } of of(outcome, 'faulty')) if (wronged.forfeited === 0) kept += 1;
    }
    expect(released).toBeGreaterThan(0);
    expect(kept).toBe(released);
  });

  it('leaves those who cheat with less than the honest, alone, together and under many names', () => {
    const outcome = run(
      small([
        honest(50),
        liars('naive', 5, 0.2, false),
        liars('sleeping', 5, 0.2, true),
        liars('ring', 10, 0.2, true, { ring: 10 }),
        { ...liars('sybil', 3, 0.2, true), identities: 5 },
        liars('whitewashing', 3, 1, true, { whitewashes: true }),
        liars('roaming', 6, 1, true, { whitewashes: true, roams: true }),
      ]),
    );
    const mean = (group: string) => {
      const people = of(outcome, group);
      return Number(people.reduce((sum, { pay }) => sum + pay, 0n)) / people.length;
    };
    for (const group of ['naive', 'sleeping', 'ring']) expect(mean(group)).toBeLessThan(mean('honest') / 2);
    for (const group of ['sybil', 'whitewashing', 'roaming']) expect(mean(group)).toBeLessThan(mean('honest'));
    expect(of(outcome, 'honest').every(({ wronged }) => wronged.forfeited === 0)).toBe(true);
  });

  it('takes back from those who cheat what a network without claw-back lets them keep', () => {
    const people = [honest(40), liars('sleeping', 6, 0.3, true)];
    const share = (outcome: Outcome) => outcome.tally.paidWrong / outcome.tally.paid;
    const [ours, other] = [run(small(people)), run(small(people, { clawBack: false, policy: BOINC_POLICY }))];
    expect(share(ours)).toBeLessThan(share(other) / 2);
  });
});

describe('what the simulation stands on', () => {
  it('is a timeline on which nothing comes before its time, nor before what was planned earlier for the same moment', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }), (delays) => {
        const timeline = new Timeline(1000);
        const seen: number[] = [];
        for (const [index, ms] of delays.entries()) timeline.after(ms, () => seen.push(timeline.now * 1000 + index));
        timeline.runUntil(1100);
        const planned = delays.map((ms, index) => (1000 + ms) * 1000 + index);
        expect(seen).toEqual([...planned].sort((a, b) => a - b));
      }),
    );
  });

  it('are books that refuse what does not balance and what nobody has', () => {
    const books = new Books();
    const entry = (account: string, amount: bigint) => ({ account, amount });
    books.post('in', [entry('external', -5n), entry('a', 5n)]);
    expect(() => books.post('odd', [entry('a', -1n), entry('b', 2n)])).toThrow('not balanced');
    expect(() => new Books().post('more', [entry('a', -6n), entry('b', 6n)])).toThrow('takes a to -6');
    expect(books.balance('external')).toBe(-5n);
  });
});
