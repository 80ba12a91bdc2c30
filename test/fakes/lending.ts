import type { BandwidthFacts, StorageFacts } from '../../core/lending.ts';
import { parseTokens } from '../../core/money.ts';

const GIB = 1024 ** 3;

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
