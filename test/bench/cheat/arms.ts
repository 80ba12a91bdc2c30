import { CPU_WORK, calmWorld, honest, liars } from '../../support/sim/settings.ts';
import type { Group, Person, WorldSetting } from '../../support/sim/world.ts';

/** The worlds of `npm run bench -- cheat`, and what is read from them. */

/** Cheat rates in per cent; each is in one of the crowds. */
const RATES = Array.from({ length: 100 }, (_, index) => index + 1);
const CROWDS = 5;
/** What computing a job costs its owner, as a share of the price: who fakes saves it. */
export const COST_SHARE = 0.3;

/** Rare cheats are rarely met: the rarer, the more people it takes to see what they earn. */
const peopleAt = (rate: number): number => (rate <= 2 ? 40 : rate <= 6 ? 20 : rate <= 20 ? 10 : 5);

const atRate = (rate: number): readonly Group[] => [
  liars(`naive ${rate}`, peopleAt(rate), rate / 100, false),
  liars(`sleeping ${rate}`, peopleAt(rate), rate / 100, true),
  liars(`ring ${rate}`, Math.max(10, peopleAt(rate)), rate / 100, true, { ring: 10 }),
];

/** They leave an identity behind with each fake: on the same line, and, which is dearer, each time on a new one. */
const whitewashers: readonly Group[] = [
  liars('whitewashing', 10, 1, true, { whitewashes: true }),
  liars('roaming', 20, 1, true, { whitewashes: true, roams: true }),
];

/** About as many cheaters as honest people, of every rate, alone and in rings of ten. */
const crowd = (index: number, seed: number): WorldSetting =>
  calmWorld(
    `crowd-${index}`,
    seed + index,
    [
      honest(240),
      // The lowest rates fall into different crowds.
      ...RATES.filter((rate) => (rate - 1) % CROWDS === index).flatMap(atRate),
      ...(index === 0 ? whitewashers : []),
    ],
    { hours: 84 },
  );

const manyNames = (people: number): readonly Group[] => [
  { ...honest(people, 'sybil'), identities: 10 },
  liars('lying sybil', people, 0.05, true, { identities: 10 }),
];

export type Bench = { readonly kind: 'crowd' | 'steady' | 'sybil'; readonly setting: WorldSetting };

export function benches(seed: number, scale: number): readonly Bench[] {
  const fewer = (setting: WorldSetting): WorldSetting => ({ ...setting, hours: Math.max(24, setting.hours * scale) });
  return [
    ...Array.from({ length: CROWDS }, (_, index) => ({ kind: 'crowd' as const, setting: fewer(crowd(index, seed)) })),
    // A network as it should be: one in twenty cheats, and everybody does about a thousand jobs.
    {
      kind: 'steady',
      setting: fewer(
        calmWorld('steady', seed + 10, [
          honest(285),
          ...[1, 5, 20, 50, 100].map((rate) => liars(`sleeping ${rate}`, 3, rate / 100, true)),
        ]),
      ),
    },
    { kind: 'sybil', setting: fewer(calmWorld('plenty', seed + 11, [honest(100), ...manyNames(10)], { hours: 84 })) },
    {
      kind: 'sybil',
      // Work for less than half of the machines.
      setting: fewer(
        calmWorld('scarce', seed + 12, [honest(60), ...manyNames(6)], { hours: 60, jobsPerHour: 180, roundMs: 30_000 }),
      ),
    },
  ];
}

/** What people of each group have left on average after what their work cost them, in prices of a job. */
export function netByGroup(people: readonly Person[]): ReadonlyMap<string, number> {
  const sums = new Map<string, { net: number; count: number }>();
  for (const { group, pay, worked } of people) {
    const sum = sums.get(group) ?? { net: 0, count: 0 };
    sum.net += Number((pay * 1000n) / CPU_WORK.price) / 1000 - worked * COST_SHARE;
    sum.count += 1;
    sums.set(group, sum);
  }
  return new Map([...sums].map(([group, { net, count }]) => [group, net / count]));
}
