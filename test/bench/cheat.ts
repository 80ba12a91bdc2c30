import { parseArgs } from 'node:util';
import { breakEvenRate, DEFAULT_POLICY } from '../../coordinator/verification/policy.ts';
import { BOINC_POLICY, FAULTS, stormWorld } from '../support/sim/settings.ts';
import { type Outcome, type Person, World, type WorldSetting } from '../support/sim/world.ts';
import { type Bench, benches, COST_SHARE, netByGroup } from './cheat/arms.ts';
import { realFigures } from './cheat/real.ts';

/**
 * What cheating brings, and what preventing it costs: simulated networks against the very rules of the coordinator, each world right after
 * it once more under BOINC's published rule. Deterministic: `--seed=N` (default 1) is the same run to the last unit, `--world=NAME` runs one
 * world of it alone (`storm` is that of the tests), `--scale=0.5` half the time. `--real`: some thousand jobs through the coordinator
 * itself, on a real database; which leases are looked at is another draw each time.
 */
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    scale: { type: 'string', default: '1' },
    world: { type: 'string' },
    real: { type: 'boolean', default: false },
  },
});

const rounded = (value: number, digits = 4): number => Number(value.toFixed(digits));
const ARMS = { ours: { policy: DEFAULT_POLICY, clawBack: true }, boinc: { policy: BOINC_POLICY, clawBack: false } };
type Arm = keyof typeof ARMS;
type Run = { readonly bench: Bench; readonly outcome: Outcome; readonly net: ReadonlyMap<string, number> };

/** Net pay of each group over that of the honest people of the same run. */
const ratiosOf = ({ net }: Run): readonly (readonly [string, number])[] =>
  [...net].flatMap(([group, value]) =>
    group === 'honest' ? [] : [[group, value / (net.get('honest') ?? 0)] as const],
  );

const highest = (ratios: readonly (readonly [string, number])[]) =>
  ratios.reduce((worst, next) => (next[1] > worst[1] ? next : worst), ['nobody', -Infinity] as readonly [
    string,
    number,
  ]);

const total = (runs: readonly Run[], pick: (outcome: Outcome) => number): number =>
  runs.reduce((sum, { outcome }) => sum + pick(outcome), 0);

const honestIn = ({ people }: Outcome) => people.filter(({ group }) => group === 'honest');
/** Whether any right result was not paid, or was taken back, for whatever cause. */
const isWronged = ({ wronged: { undecided, outvoted, forfeited } }: Person) => undecided + outvoted + forfeited > 0;

function rowsOf(ratios: readonly (readonly [string, number])[]): readonly (readonly number[])[] {
  const rows = Array.from({ length: 100 }, (_, index) => {
    const found = ['naive', 'sleeping', 'ring'].map((kind) =>
      ratios.find(([group]) => group === `${kind} ${index + 1}`),
    );
    return [index + 1, ...found.flatMap((one) => (one === undefined ? [] : [rounded(one[1], 3)]))];
  });
  return rows.filter((row) => row.length > 1);
}

function figuresOf(runs: readonly Run[]) {
  const of = (kind: Bench['kind']) => runs.filter(({ bench }) => bench.kind === kind);
  const cheaters = of('crowd').flatMap(ratiosOf);
  const [worst, worstRatio] = highest(cheaters);
  const extra = (chosen: readonly Run[]) =>
    (100 * total(chosen, ({ tally }) => tally.extraAfterProbation)) /
    total(chosen, ({ tally }) => tally.jobsAfterProbation);
  const honest = runs.flatMap(({ outcome }) => honestIn(outcome));
  const wronged = honest.filter(isWronged);
  const sybils = of('sybil').map((run) => [run.bench.setting.name, highest(ratiosOf(run))] as const);
  const paid = total(of('crowd'), ({ tally }) => tally.paid);
  return {
    extraCopiesPct: rounded(extra(of('steady'))),
    worstCheaterPayRatio: rounded(worstRatio),
    falsePunishedPct: rounded((100 * wronged.length) / honest.length),
    sybilRatio: rounded(Math.max(...sybils.map(([, [, ratio]]) => ratio))),
    raw: {
      jobs: total(runs, ({ tally }) => tally.jobs),
      worst,
      // One row a rate, in per cent: [rate, alone from the start, alone once trusted, in rings of ten].
      ratios: rowsOf(cheaters),
      newIdentityForEachFake: Object.fromEntries(
        cheaters.filter(([group]) => /^[a-z]+$/.test(group)).map(([group, ratio]) => [group, rounded(ratio, 3)]),
      ),
      sybils: Object.fromEntries(sybils.map(([name, [group, ratio]]) => [name, { group, ratio: rounded(ratio) }])),
      honestDevices: honest.length,
      honestWronged: wronged.length,
      honestWrongedWhere: Object.fromEntries(
        runs.map(({ bench, outcome }) => [bench.setting.name, honestIn(outcome).filter(isWronged).length]),
      ),
      rightResultsLost: {
        undecided: wronged.reduce((sum, person) => sum + person.wronged.undecided, 0),
        outvoted: wronged.reduce((sum, person) => sum + person.wronged.outvoted, 0),
        forfeited: wronged.reduce((sum, person) => sum + person.wronged.forfeited, 0),
      },
      honestJobs: honest.reduce((sum, person) => sum + person.worked, 0),
      extraCopiesAmongCheatersPct: rounded(extra(of('crowd'))),
      steadyExtra: of('steady').map(({ outcome: { tally } }) => ({
        ...{ jobs: tally.jobs, afterProbation: tally.jobsAfterProbation, ...tally.extra },
      })),
      paidFakesAmongCheatersPct: rounded((100 * total(of('crowd'), ({ tally }) => tally.paidWrong)) / paid),
      forfeits: total(runs, ({ tally }) => tally.forfeits),
      releases: total(runs, ({ tally }) => tally.releases),
      undecided: total(runs, ({ tally }) => tally.undecided),
    },
  };
}

const seed = Number(values.seed);
const scale = Number(values.scale);
if (!(Number.isSafeInteger(seed) && scale > 0))
  throw new Error('npm run bench -- cheat [--json] [--seed=N] [--scale=0.5] [--real]');
if (values.real) {
  process.stdout.write(`${JSON.stringify(await realFigures(seed, scale))}\n`);
  process.exit();
}
const storm: Bench = { kind: 'crowd', setting: stormWorld(seed) };
const all = values.world === 'storm' ? [storm] : benches(seed, scale);
const chosen = all.filter(({ setting }) => values.world === undefined || setting.name === values.world);
if (chosen.length === 0) {
  throw new Error(`no such world; there are: ${[...all.map(({ setting }) => setting.name), 'storm'].join(', ')}`);
}

function runOf(bench: Bench, arm: Arm): Run {
  const begun = performance.now();
  const own: WorldSetting =
    values.world === 'storm' && arm === 'ours' ? bench.setting : { ...bench.setting, ...ARMS[arm] };
  const outcome = new World(own).run();
  const seconds = rounded((performance.now() - begun) / 1000, 1);
  process.stderr.write(`${own.name}, ${arm}: ${outcome.tally.jobs} jobs in ${seconds} s\n`);
  return { bench, outcome, net: netByGroup(outcome.people) };
}

const runs: Readonly<Record<Arm, Run[]>> = { ours: [], boinc: [] };
for (const bench of chosen) for (const arm of ['ours', 'boinc'] as const) runs[arm].push(runOf(bench, arm));
const ours = figuresOf(runs.ours);
const figures = {
  ...ours,
  raw: {
    seed,
    honestFaults: FAULTS,
    costShare: COST_SHARE,
    breakEvenPct: rounded(100 * breakEvenRate(DEFAULT_POLICY)),
    ...ours.raw,
    boinc: figuresOf(runs.boinc),
  },
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
