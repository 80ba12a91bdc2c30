import { decide, freshMemory } from '../../../core/decide.ts';
import { defaultSettings } from '../../../core/settings.ts';
import { calm, NOW, policyFrom } from '../../support/rules.ts';

/**
 * How often a noisy load makes work stop or go on, by our rule and by BOINC's published one, at the same threshold. The load has
 * no trend: nobody comes or leaves, so that every switch after the first is false. Both see the same samples, one a second.
 */
export const THRESHOLD_PERCENT = 50;
const MINUTES = 60;
const SECOND_MS = 1_000;

/** Mulberry32: numbers in [0, 1) that a seed makes again. */
function numbersOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Percent per second, an hour long: an autoregressive hum (φ = 0.8) around 60 to 120 % of the threshold, with bursts of one to
 * eight seconds, such as a browser, a virus scanner or a build in small steps make.
 */
export function noisyLoad(seed: number): readonly number[] {
  const next = numbersOf(seed);
  const bell = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const mean = THRESHOLD_PERCENT * (0.6 + 0.6 * next());
  const spread = 3 + 7 * next();
  let hum = 0;
  let burst = 0;
  let height = 0;
  return Array.from({ length: MINUTES * 60 }, () => {
    hum = 0.8 * hum + spread * bell();
    if (burst > 0) burst -= 1;
    else if (next() < 0.02) [burst, height] = [1 + Math.floor(8 * next()), 60 * next()];
    return Math.min(100, Math.max(0, mean + hum + (burst > 0 ? height : 0)));
  });
}

const changes = (states: readonly boolean[]): number =>
  states.filter((state, index) => index > 0 && state !== states[index - 1]).length;

/** Whether work runs, each second, by our rule. */
function ours(load: readonly number[]): readonly boolean[] {
  const policy = policyFrom({ rules: { ...defaultSettings().rules, cpuBusyPercent: THRESHOLD_PERCENT } });
  let memory = freshMemory();
  return load.map((percent, second) => {
    const signals = calm({ now: NOW + second * SECOND_MS, cpuByOthersPercent: percent, gpus: 'unavailable' });
    const decision = decide(signals, policy, memory);
    memory = decision.memory;
    return decision.lanes.cpu.kind === 'run';
  });
}

const SAMPLE_SECONDS = 10;
const HELD_SECONDS = 20;

/**
 * BOINC 8, `client/app.cpp` and `cs_prefs.cpp`: the load of others over each 10 s suspends work when it is above the
 * threshold; it stays suspended for at least 20 s after the last such sample.
 */
function boinc(load: readonly number[]): readonly boolean[] {
  let runs = true;
  let last = Number.NEGATIVE_INFINITY;
  return load.map((_, second) => {
    const ends = (second + 1) % SAMPLE_SECONDS === 0;
    if (!ends) return runs;
    const sample = load.slice(second + 1 - SAMPLE_SECONDS, second + 1);
    const mean = sample.reduce((sum, percent) => sum + percent, 0) / SAMPLE_SECONDS;
    if (mean > THRESHOLD_PERCENT) last = second;
    runs = second - last >= HELD_SECONDS;
    return runs;
  });
}

/** Switches in five minutes, on average over an hour of the noise with this seed; the first, which may be true, not counted. */
export function falseSwitches(seed: number): { readonly ours: number; readonly control: number } {
  const load = noisyLoad(seed);
  const rate = (states: readonly boolean[]): number => Math.max(0, changes([true, ...states]) - 1) / (MINUTES / 5);
  return { ours: rate(ours(load)), control: rate(boinc(load)) };
}

/** The most switches that our rule makes in any five minutes of the noise with this seed; the first counts. */
export function worstFiveMinutes(seed: number): number {
  const states = [true, ...ours(noisyLoad(seed))];
  const at = states.flatMap((state, index) => (index > 0 && state !== states[index - 1] ? [index] : []));
  return Math.max(0, ...at.map((from) => at.filter((when) => when >= from && when < from + 300).length));
}
