import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CatalogueEntry } from '../../core/catalogue.ts';
import { onVirtualDisplay, testTools } from '../../scripts/lib/display.mjs';
import { which } from '../../scripts/lib/run.mjs';
import { openDisplay } from './yield/display.ts';
import { type Arm, freeOnce, type Scene, yieldOnce } from './yield/events.ts';
import { percentile, rounded, spread } from './yield/figures.ts';
import { openFleet } from './yield/fleet.ts';
import { spinnerEntries } from './yield/image.ts';
import { falseSwitches } from './yield/noise.ts';

/**
 * How long work goes on after its owner is back: from a synthetic input on a virtual display, or the start of a program that
 * counts as a game, to the last instruction that any process of any container ran. The agent is the real one, in its own
 * process, with the default limits; beside it, on the same containers, stands a control with BOINC's published polling rules.
 * `--scale=0.1` makes a tenth of the events; `--cpu=100` lets the work have all cores.
 */
const INNER = '--on-this-display';
const COUNTS = [1, 8] as const;
const EVENTS: Readonly<Record<Arm, number>> = { input: 60, game: 40, controlInput: 10, controlGame: 10 };
const GPU_EVENTS = 24;
/** Hours of noise, each another. */
const SEEDS = 51;
const HELD_MIB = '256';

const option = (name: string, fallback: number): number =>
  Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback);

const tell = (text: string): void => void process.stderr.write(`${text}\n`);

/** All events of one run in random order, so that what disturbs the machine meanwhile disturbs all arms alike. */
function plan(scale: number): readonly Arm[] {
  const arms = Object.entries(EVENTS).flatMap(([arm, events]) =>
    Array.from({ length: Math.ceil(events * scale) }, () => arm as Arm),
  );
  return arms
    .map((arm) => ({ arm, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ arm }) => arm);
}

type Latencies = Readonly<Record<Arm, number[]>>;
const none = (): Latencies => ({ input: [], game: [], controlInput: [], controlGame: [] });

type Setting = { readonly entries: readonly CatalogueEntry[]; readonly cpuPercent: number; readonly scale: number };
type Place = Omit<Scene, 'fleet'>;

type Run = { readonly count: number; readonly latencies: Latencies; readonly endedInstead: number };

async function arms(count: number, { entries, cpuPercent, scale }: Setting, place: Place): Promise<Run> {
  const latencies = none();
  let endedInstead = 0;
  const fleet = await openFleet({ entries, cpuPercent, lane: 'cpu', count, heldMiB: '0' });
  try {
    for (const arm of plan(scale)) {
      const took = await yieldOnce(arm, { ...place, fleet });
      latencies[arm].push(took);
      tell(`${count} containers, ${arm}: ${rounded(took)} ms`);
    }
  } finally {
    endedInstead = await fleet.end();
  }
  return { count, latencies, endedInstead };
}

async function gpu({ entries, cpuPercent, scale }: Setting, place: Place): Promise<readonly number[]> {
  const times: number[] = [];
  const fleet = await openFleet({ entries, cpuPercent, lane: 'gpu', count: 1, heldMiB: HELD_MIB });
  try {
    for (let event = 0; event < Math.ceil(GPU_EVENTS * scale); event++) {
      times.push(await freeOnce({ ...place, fleet }));
      tell(`memory free: ${rounded(times.at(-1) ?? 0)} ms`);
    }
  } finally {
    await fleet.end();
  }
  return times;
}

async function measure(): Promise<void> {
  const loadBefore = loadavg()[0] ?? 0;
  const folder = await mkdtemp(join(tmpdir(), 'idlemesh-bench-game-'));
  const display = await openDisplay();
  try {
    const games = join(folder, 'steamapps/common/BenchGame');
    await mkdir(games, { recursive: true });
    const game = join(games, 'BenchGame');
    await copyFile(which('sleep') ?? '/bin/sleep', game);
    const place = { display, game };
    const setting = {
      entries: await spinnerEntries(),
      ...{ cpuPercent: option('cpu', 50), scale: option('scale', 1) },
    };
    const runs: Run[] = [];
    for (const count of COUNTS) runs.push(await arms(count, setting, place));
    const free = await gpu(setting, place);
    const seeds = Array.from({ length: SEEDS }, (_, seed) => falseSwitches(seed + 1));
    const all = (arm: Arm): readonly number[] => runs.flatMap(({ latencies }) => latencies[arm]);
    const gameP50Ms = percentile(all('game'), 50);
    const controlGameP50Ms = percentile(all('controlGame'), 50);
    const figures = {
      events: all('input').length + all('game').length,
      inputP50Ms: rounded(percentile(all('input'), 50)),
      inputP99Ms: rounded(percentile(all('input'), 99)),
      gameP50Ms: rounded(gameP50Ms),
      gameP99Ms: rounded(percentile(all('game'), 99)),
      controlInputP50Ms: rounded(percentile(all('controlInput'), 50)),
      controlGameP50Ms: rounded(controlGameP50Ms),
      ratioGame: rounded(controlGameP50Ms / gameP50Ms),
      falseSwitchesPer5Min: rounded(
        percentile(
          seeds.map(({ ours }) => ours),
          50,
        ),
      ),
      controlFalseSwitchesPer5Min: rounded(
        percentile(
          seeds.map(({ control }) => control),
          50,
        ),
      ),
      gpuFreeP99Ms: rounded(percentile(free, 99)),
      raw: {
        cpuPercent: setting.cpuPercent,
        gpuFree: spread(free),
        ...Object.fromEntries(
          runs.map(({ count, latencies, endedInstead }) => [
            `containers${count}`,
            {
              ...Object.fromEntries(Object.entries(latencies).map(([arm, values]) => [arm, spread(values)])),
              endedInstead,
            },
          ]),
        ),
        loadBefore: rounded(loadBefore),
        loadAfter: rounded(loadavg()[0] ?? 0),
      },
    };
    process.stdout.write(`${JSON.stringify(figures)}\n`);
  } finally {
    display.close();
    await rm(folder, { recursive: true, force: true });
  }
}

if (process.argv.includes(INNER)) await measure();
else {
  await testTools(['Xvfb', 'xauth', 'dbus-run-session', 'dbus-launch']);
  const words = [process.execPath, '--disable-warning=ExperimentalWarning', fileURLToPath(import.meta.url), INNER];
  const [command = '', args] = onVirtualDisplay([...words, ...process.argv.slice(2)]);
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = await once(child, 'exit');
  process.exitCode = Number(code ?? 1);
}
