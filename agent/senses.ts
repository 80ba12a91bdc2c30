import { gamesAmong } from '../core/games.ts';
import type { Settings } from '../core/settings.ts';
import { type GpuReading, type Readings, SENSORS, type Sensed, type SensorName } from '../core/signals.ts';
import type { SensorView } from '../core/snapshot.ts';
import { combine } from './combine.ts';
import { createIdleWatch } from './idle-watch.ts';
import type { Attention, Clock, Log, Process, Source, Sources } from './ports.ts';
import { type Watched, watchSource } from './watched.ts';

/** All sensors of this machine, as values that can be had at any time: one that hangs stops nothing. */
export type Senses = {
  readonly read: () => Readings;
  readonly programs: () => readonly Process[];
  /**
   * Sets how closely to look; resolves when what that needs has been read, or is overdue. `thresholds`: the idle times that
   * matter, ms, ascending.
   */
  readonly attend: (attention: Attentions, thresholds: readonly number[]) => Promise<void>;
  readonly views: () => readonly SensorView[];
  readonly close: () => void;
};

/** For input, and for everything else. */
type Attentions = { readonly idle: Attention; readonly others: Attention };

type SensesOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly sources: Sources;
  /** What the owner counts as a game. */
  readonly games: () => Settings['games'];
  /** A reading has changed. Called in the turn of the event itself. */
  readonly changed: (sensor: SensorName) => void;
};

const text = ({ name }: { readonly name: string }): boolean => typeof name === 'string';
const share = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 101;
const processSane = ({ name, path, launchedBy, launcherId }: Process): boolean =>
  typeof name === 'string' &&
  (path === null || typeof path === 'string') &&
  Array.isArray(launchedBy) &&
  launchedBy.every((parent) => typeof parent === 'string') &&
  (launcherId === null || typeof launcherId === 'string');
const gpuSane = ({ id, name }: GpuReading): boolean => typeof id === 'string' && typeof name === 'string';

export function createSenses({ clock, log, sources, games, changed }: SensesOptions): Senses {
  const idle = createIdleWatch({ clock, log, sources: sources.idle, changed: () => changed('idle') });
  const everything: { readonly sensor: SensorName; readonly watched: Watched<unknown> }[] = [];
  let lockedBefore: Sensed<boolean> = 'unavailable';

  function watchAll<T>(
    sensor: SensorName,
    list: readonly Source<T>[],
    sane: (value: T) => boolean,
    always = false,
  ): readonly Watched<T>[] {
    return list.map((source) => {
      const watched: Watched<T> = watchSource(source, {
        ...{ clock, sane },
        told(before) {
          const now = watched.value();
          if (now === 'unknown' && before !== 'unknown') log('warn', 'sensor-silent', { sensor, source: source.name });
          if (!always && same(before, now)) return;
          if (isUse(sensor)) idle.evidence();
          changed(sensor);
        },
      });
      everything.push({ sensor, watched });
      return watched;
    });
  }

  const boolean = (value: unknown): boolean => typeof value === 'boolean';
  const locked = watchAll('locked', sources.locked, boolean);
  const fullscreen = watchAll('fullscreen', sources.fullscreen, (app) => app === null || text(app));
  const processes = watchAll('games', sources.processes, (list) => Array.isArray(list) && list.every(processSane));
  const media = watchAll('media', sources.media, (who) => who === null || text(who));
  // Loads are smoothed over time: each reading counts, also one that equals the last.
  const cpu = watchAll('cpu', sources.cpuByOthersPercent, share, true);
  const gpus = watchAll('gpus', sources.gpus, (list) => Array.isArray(list) && list.every(gpuSane), true);
  const power = watchAll('power', sources.onBattery, boolean);
  const heat = watchAll('temperature', sources.temperatureC, (value) => value > -60 && value < 200);
  const metered = watchAll('metered', sources.metered, boolean);
  const disk = watchAll('disk', sources.freeDiskBytes, (value) => value >= 0 && Number.isFinite(value));

  /** Whether what was just learned can only be somebody's doing: a source of idle time that missed it is blind. */
  function isUse(sensor: SensorName): boolean {
    if (sensor === 'locked') {
      const before = lockedBefore;
      lockedBefore = combine.all(locked.map((watched) => watched.value()));
      return before === true && lockedBefore === false;
    }
    return false;
  }

  let matched: {
    readonly list: Sensed<readonly Process[]>;
    readonly rules: Settings['games'];
    readonly games: Readings['games'];
  } | null = null;
  function gamesNow(): Readings['games'] {
    const list = combine.first(processes.map((watched) => watched.value()));
    const rules = games();
    if (matched === null || matched.list !== list || matched.rules !== rules) {
      matched = { list, rules, games: typeof list === 'string' ? list : gamesAmong(list, rules) };
    }
    return matched.games;
  }
  const values = <T>(list: readonly Watched<T>[]): readonly Sensed<T>[] => list.map((watched) => watched.value());

  return {
    read: () => ({
      idleMs: idle.idleMs(),
      locked: combine.all(values(locked)),
      fullscreen: combine.first(values(fullscreen)),
      games: gamesNow(),
      media: combine.first(values(media)),
      cpuByOthersPercent: combine.most(values(cpu)),
      gpus: combine.lists(values(gpus)),
      onBattery: combine.any(values(power)),
      temperatureC: combine.most(values(heat)),
      metered: combine.any(values(metered)),
      freeDiskBytes: combine.least(values(disk)),
    }),
    programs() {
      const list = combine.first(values(processes));
      return typeof list === 'string' ? [] : list;
    },
    async attend(attention, thresholds) {
      await Promise.all([
        idle.attend(attention.idle, thresholds),
        // A lock shortens the idle time that counts.
        ...everything.map(({ sensor, watched }) =>
          watched.attend(sensor === 'locked' ? attention.idle : attention.others),
        ),
      ]);
    },
    views() {
      const said: { readonly sensor: SensorName; readonly name: string; readonly value: Sensed<unknown> }[] = [
        ...idle.views().map((view) => ({ sensor: 'idle' as const, ...view })),
        ...everything.map(({ sensor, watched }) => ({ sensor, name: watched.name, value: watched.value() })),
      ];
      return SENSORS.map((sensor): SensorView => {
        const heard = said.filter((view) => view.sensor === sensor && view.value !== 'unavailable');
        const doubtful = heard.some((view) => view.value === 'unknown');
        return {
          sensor,
          state: heard.length === 0 ? 'unavailable' : doubtful ? 'unknown' : 'ok',
          sources: heard.map((view) => view.name),
        };
      });
    },
    close() {
      idle.close();
      for (const { watched } of everything) watched.close();
    },
  };
}

/** Equal, as far as anyone could tell: small readings are compared by content, lists of processes by identity. */
function same(a: Sensed<unknown>, b: Sensed<unknown>): boolean {
  if (a === b) return true;
  if (Array.isArray(a) || Array.isArray(b)) return false;
  if (typeof a !== 'object' || typeof b !== 'object') return false;
  return JSON.stringify(a) === JSON.stringify(b);
}
