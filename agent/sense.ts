import { gamesAmong } from '../core/games.ts';
import type { Sensed, Signals } from '../core/signals.ts';
import { combine } from './combine.ts';
import type { Ports, Process, Source } from './ports.ts';

const SLOW_MS = 5_000;

/** Gathers the signals of one moment. */
export type Sense = {
  readonly idleMs: () => Promise<Sensed<number>>;
  readonly gather: (
    known: Omit<Signals, keyof import('../core/signals.ts').Readings | 'now' | 'timeZone'>,
  ) => Promise<Signals>;
};

export function createSense({ clock, sensors, settings }: Pick<Ports, 'clock' | 'sensors' | 'settings'>): Sense {
  const { sources } = sensors;
  const cached = new Map<object, { readonly at: number; readonly value: Sensed<unknown> }>();

  async function within<T>(read: () => Promise<Sensed<T>>, ms: number): Promise<Sensed<T>> {
    let cancel = (): void => undefined;
    const late = new Promise<'unknown'>((resolve) => {
      cancel = clock.after(ms, () => resolve('unknown'));
    });
    try {
      return await Promise.race([read(), late]);
    } catch {
      return 'unknown';
    } finally {
      cancel();
    }
  }
  async function of<T>(
    list: readonly Source<T>[],
    merge: (values: readonly Sensed<T>[]) => Sensed<T>,
  ): Promise<Sensed<T>> {
    const values = await Promise.all(
      list.map(async (source) => {
        const was = cached.get(source);
        if (was !== undefined && clock.now() - was.at < SLOW_MS) return was.value as Sensed<T>;
        const value = await within(source.read, source.timeoutMs);
        cached.set(source, { at: clock.now(), value });
        return value;
      }),
    );
    return merge(values);
  }
  const idleMs = async (): Promise<Sensed<number>> =>
    combine.least(await Promise.all(sources.idle.map((source) => within(source.idleMs, source.timeoutMs))));

  return {
    idleMs,
    async gather(known) {
      const [
        locked,
        fullscreen,
        processes,
        media,
        cpuByOthersPercent,
        gpus,
        onBattery,
        temperatureC,
        metered,
        freeDiskBytes,
      ] = await Promise.all([
        of(sources.locked, combine.all),
        of(sources.fullscreen, combine.first),
        of<readonly Process[]>(sources.processes, combine.first),
        of(sources.media, combine.first),
        of(sources.cpuByOthersPercent, combine.most),
        of(sources.gpus, combine.lists),
        of(sources.onBattery, combine.any),
        of(sources.temperatureC, combine.most),
        of(sources.metered, combine.any),
        of(sources.freeDiskBytes, combine.least),
      ]);
      const games =
        typeof processes === 'string' ? processes : gamesAmong(processes, settings.current().settings.games);
      return {
        ...{
          locked,
          fullscreen,
          games,
          media,
          cpuByOthersPercent,
          gpus,
          onBattery,
          temperatureC,
          metered,
          freeDiskBytes,
        },
        ...{ now: clock.now(), timeZone: clock.timeZone(), idleMs: await idleMs() },
        ...known,
      };
    },
  };
}
