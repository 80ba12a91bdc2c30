import type { DailyTraffic } from '../../core/ipc.ts';
import { type BandwidthFacts, bandwidthView, type StorageFacts, storageView } from '../../core/lending.ts';
import { parseTokens } from '../../core/money.ts';
import { LANES } from '../../core/primitives.ts';
import { applyPatch, defaultSettings, type Settings } from '../../core/settings.ts';
import type { LaneView } from '../../core/snapshot.ts';

const GIB = 1024 ** 3;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What a device tells that has kept others' files for weeks. */
export const storageFacts = (change: Partial<StorageFacts> = {}): StorageFacts => ({
  ...{ up: true, usedBytes: 31.4 * GIB, score: 0.987, scoreReason: 'passed', suspendedUntil: null },
  ...{ earnedToday: parseTokens('0.2114'), nextPayoutAt: null, audits: { passed: 1_284, failed: 2 } },
  ...change,
});

export const bandwidthFacts = (change: Partial<BandwidthFacts> = {}): BandwidthFacts => ({
  ...{ up: true, cachedBytes: 6.1 * GIB, servedToday: 3.22 * GIB, sessions: 2 },
  ...{ earnedToday: parseTokens('0.0925'), nextPayoutAt: null },
  ...change,
});

/** A machine that lends disk and line, for weeks already. */
export function lender(now: number, change: { readonly busy?: boolean; readonly settings?: Settings } = {}) {
  const { busy = false } = change;
  const settings =
    change.settings ??
    applyPatch(defaultSettings(), {
      lanes: { storage: { share: 'always' }, bandwidth: { share: 'always' } },
      limits: { network: { monthlyCapGiB: 500, resetDay: 15 } },
    });
  const { limits } = settings;
  const of = (share: string) =>
    share === 'never' ? ({ kind: 'hold', reason: { kind: 'lane-off' } } as const) : ({ kind: 'run' } as const);
  const storage = of(settings.lanes.storage.share);
  const bandwidth = of(settings.lanes.bandwidth.share);
  const lent = settings.lanes.storage.share !== 'never';
  return {
    lanes: LANES.map((lane) => ({
      lane,
      decision:
        lane === 'cpu'
          ? { kind: 'run' }
          : lane === 'storage'
            ? storage
            : lane === 'bandwidth'
              ? bandwidth
              : { kind: 'hold', reason: { kind: 'lane-not-offered' } },
      heldSince: null,
    })) satisfies readonly LaneView[],
    storage: storageView(
      { decision: storage, busy, limits },
      lent ? storageFacts({ nextPayoutAt: now + 3 * HOUR + 12 * MINUTE }) : null,
    ),
    bandwidth: bandwidthView(
      { decision: bandwidth, busy, limits },
      lent ? bandwidthFacts({ nextPayoutAt: now + 47 * MINUTE }) : null,
    ),
    settings,
  };
}

/** `lends`: false for a machine whose line only jobs used. */
export function lineDays(now: number, days: number, lends = true): DailyTraffic {
  const today = Math.floor(now / DAY) * DAY;
  const some = (at: number, seed: number, most: number): number => (((at * 37 + seed * 11) % 29) / 29) * most * GIB;
  return Array.from({ length: days }, (_, index) => {
    const at = 60 - days + index;
    const both = (seed: number, into: number, out: number) => ({
      in: some(at, seed, into),
      out: some(at, seed + 3, out),
    });
    const none = { in: 0, out: 0 };
    return {
      dayStart: today - (days - 1 - index) * DAY,
      carriers: {
        ...{ cpu: both(1, 1.4, 0.6), gpu: none, session: both(2, 0.05, 0.05) },
        bandwidth: lends ? both(4, 0.4, 4.2) : none,
        storage: lends ? both(5, 1.6, 0.5) : none,
      },
      stored: lends && at > 20 && at !== 47 ? Math.min(31.4, (at - 20) * 1.1) * GIB : null,
    };
  });
}
