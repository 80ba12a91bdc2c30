import { resolve } from 'node:path';
import { openSettings } from '../agent/adapters/settings.ts';
import { trafficFile } from '../agent/adapters/traffic-file.ts';
import type { Clock } from '../agent/ports.ts';
import { applyPatch, type Settings, type SettingsPatch } from '../core/settings.ts';
import type { Text } from '../core/text/en.ts';
import { calendarDay, gibibytes } from '../core/text/format.ts';
import { CARRIERS, daysOf, GIB, NO_USAGE, periodAt, type TrafficDay, totalSince } from '../core/traffic.ts';
import type { Logger } from './log.ts';
import { settingsIn } from './machine.ts';

/** What `idlemesh lend` was told to change; left out: as it is. */
export type LendChange = {
  readonly storage?: 'on' | 'off';
  readonly bandwidth?: 'on' | 'idle' | 'off';
  readonly lendGib?: number;
  readonly minFreeGib?: number;
  /** null: the engine's own place. */
  readonly folder?: string | null;
  readonly cacheGib?: number;
  /** null: none. */
  readonly monthlyCapGib?: number | null;
  readonly resetDay?: number;
  readonly upMbps?: number | null;
  readonly downMbps?: number | null;
  readonly busyUpMbps?: number | null;
  readonly busyDownMbps?: number | null;
};

const BANDWIDTH = { on: 'always', idle: 'when-idle', off: 'never' } as const;

const given = <Key extends string, T>(key: Key, value: T | undefined): Partial<Record<Key, T>> =>
  value === undefined ? {} : ({ [key]: value } as Record<Key, T>);

function patchOf(change: LendChange): SettingsPatch {
  const { storage, bandwidth, folder } = change;
  return {
    lanes: {
      ...(storage === undefined ? {} : { storage: { share: storage === 'on' ? 'always' : 'never' } }),
      ...(bandwidth === undefined ? {} : { bandwidth: { share: BANDWIDTH[bandwidth] } }),
    },
    limits: {
      storage: {
        ...given('lendGiB', change.lendGib),
        ...given('minFreeGiB', change.minFreeGib),
        ...(folder === null ? { folder } : {}),
      },
      bandwidth: given('cacheGiB', change.cacheGib),
      network: {
        ...given('monthlyCapGiB', change.monthlyCapGib),
        ...given('resetDay', change.resetDay),
        ...{ ...given('idleUpMbps', change.upMbps), ...given('idleDownMbps', change.downMbps) },
        ...{ ...given('busyUpMbps', change.busyUpMbps), ...given('busyDownMbps', change.busyDownMbps) },
      },
    },
  };
}

/** The settings after a change. Throws BAD_INPUT, and changes nothing, where the whole would not be valid. */
export function lendWith(current: Settings, change: LendChange): Settings {
  const next = applyPatch(current, patchOf(change));
  if (typeof change.folder !== 'string') return next;
  const folder = resolve(change.folder);
  return applyPatch({ ...next, limits: { ...next.limits, storage: { ...next.limits.storage, folder } } }, {});
}

type At = { readonly dataDir: string; readonly log: Logger };

/** Changes what is lent; an agent that runs takes it over at once. Throws SETTINGS_BROKEN and as `lendWith`. */
export async function lend({ dataDir, log }: At, change: LendChange): Promise<Settings> {
  const store = await openSettings({ path: resolve(dataDir, 'settings.json'), log });
  try {
    await store.update((current) => lendWith(current, change));
    return store.current().settings;
  } finally {
    store.close();
  }
}

/** What is lent, for programs. */
export const lentOf = ({ lanes, limits }: Settings) => ({
  storage: { share: lanes.storage.share, ...limits.storage },
  bandwidth: { share: lanes.bandwidth.share, ...limits.bandwidth },
  network: limits.network,
});

/** What is lent, for reading. Pure. */
export function lendLines({ lanes, limits }: Settings, text: Text): readonly string[] {
  const { lend: words, network, lane } = text.window;
  const gib = (value: number): string => network.data(String(value));
  const rate = (value: number | null): string => (value === null ? words.noLimit : network.rate(String(value)));
  const share = {
    always: words.bandwidthAlways,
    'when-idle': words.bandwidthIdle,
    never: words.bandwidthNever,
  } as const;
  const row = (name: string, value: string): string => text.window.lanes.named(name, value);
  const { idleDownMbps, idleUpMbps, busyDownMbps, busyUpMbps, monthlyCapGiB, resetDay } = limits.network;
  return [
    row(lane('storage'), lanes.storage.share === 'always' ? words.on : words.off),
    `  ${row(words.lendGiB, gib(limits.storage.lendGiB))}`,
    `  ${row(words.minFree, gib(limits.storage.minFreeGiB))}`,
    `  ${row(words.drive, limits.storage.folder ?? words.driveOwn)}`,
    row(lane('bandwidth'), share[lanes.bandwidth.share]),
    `  ${row(words.cacheGiB, gib(limits.bandwidth.cacheGiB))}`,
    row(network.title, ''),
    `  ${row(network.idleDown, rate(idleDownMbps))}`,
    `  ${row(network.idleUp, rate(idleUpMbps))}`,
    `  ${row(network.busyDown, rate(busyDownMbps))}`,
    `  ${row(network.busyUp, rate(busyUpMbps))}`,
    `  ${row(network.cap, monthlyCapGiB === null ? words.noLimit : gib(monthlyCapGiB))}`,
    `  ${row(words.resetDay, words.resetDaySaid(String(resetDay)))}`,
  ].map((line) => line.trimEnd());
}

export type TrafficReport = {
  /** Since the last reset day. */
  readonly period: {
    readonly in: number;
    readonly out: number;
    readonly capBytes: number | null;
    readonly resetsAt: number;
  };
  readonly days: readonly TrafficDay[];
};

/** What has passed for the sake of work, to within the last second. Throws SETTINGS_BROKEN. */
export async function trafficReport(
  at: At,
  count: number,
  clock: Pick<Clock, 'now' | 'utcOffsetMinutes'>,
): Promise<TrafficReport> {
  const { monthlyCapGiB, resetDay } = (await settingsIn(at.dataDir)).limits.network;
  const usage = (await trafficFile(resolve(at.dataDir, 'traffic.json'), at.log).load()) ?? NO_USAGE;
  const [now, offset] = [clock.now(), clock.utcOffsetMinutes()];
  const { from, resetsAt } = periodAt(now, offset, resetDay);
  const capBytes = monthlyCapGiB === null ? null : monthlyCapGiB * GIB;
  return { period: { ...totalSince(usage, from), capBytes, resetsAt }, days: daysOf(usage, count, now, offset) };
}

/** A line for the period, and one for each day and carrier of which anything passed. Pure. */
export function trafficLines(
  { period, days }: TrafficReport,
  text: Text,
  language: 'en' | 'ja',
  utcOffsetMinutes: number,
): readonly string[] {
  const { lend: words, network, lane } = text.window;
  const day = (at: number): string => calendarDay(at, { utcOffsetMinutes }, language);
  const resets = day(period.resetsAt);
  const [into, out] = [gibibytes(period.in), gibibytes(period.out)];
  const used =
    period.capBytes === null
      ? network.used(into, out, resets)
      : network.usedOf(gibibytes(period.in + period.out), gibibytes(period.capBytes), into, out, resets);
  return [
    used,
    ...days.flatMap(({ dayStart, carriers, stored }) => {
      const passed = CARRIERS.filter((carrier) => carriers[carrier].in + carriers[carrier].out > 0);
      if (passed.length === 0 && stored === null) return [];
      return [
        day(dayStart),
        ...passed.map((carrier) => {
          const { in: received, out: sent } = carriers[carrier];
          const name = carrier === 'session' ? words.session : lane(carrier);
          return `  ${text.window.lanes.named(name, `${gibibytes(received)} ${words.received}, ${gibibytes(sent)} ${words.sent}`)}`;
        }),
        ...(stored === null ? [] : [`  ${text.window.lanes.named(words.byDayStored, gibibytes(stored))}`]),
      ];
    }),
  ];
}
