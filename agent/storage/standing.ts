import type { StorageFacts } from '../../core/lending.ts';
import type { Amount } from '../../core/money.ts';
import type { UnixMs } from '../../core/primitives.ts';
import type { CoordinatorMessage } from '../../core/wire.ts';
import { dayStartOf } from '../day.ts';
import type { Clock } from '../ports.ts';

type Told = Extract<CoordinatorMessage, { type: 'storage-standing' }>;

/** What the coordinator thinks of this device as a place for shards, and what it has credited for them. */
export function createStanding({ clock }: { readonly clock: Clock }) {
  let told: Told | null = null;
  /** What had been credited when the day began, as far as this process has heard. */
  let morning: { readonly day: UnixMs; readonly credited: Amount } | null = null;

  const today = (): UnixMs => dayStartOf(clock.now(), clock.utcOffsetMinutes());

  return {
    heard(message: Told): void {
      if (morning?.day !== today()) morning = { day: today(), credited: (told ?? message).credited };
      told = message;
    },
    facts(): Omit<StorageFacts, 'up' | 'usedBytes'> {
      const earned = told === null || morning === null ? null : told.credited - morning.credited;
      return {
        score: told?.score ?? null,
        scoreReason: told?.reason ?? null,
        suspendedUntil: told?.suspendedUntil ?? null,
        audits: { passed: told?.passed ?? 0, failed: told?.failed ?? 0 },
        earnedToday: earned === null ? 'unknown' : morning?.day === today() ? earned : 0n,
        nextPayoutAt: null,
      };
    },
    reset(): void {
      told = null;
      morning = null;
    },
  };
}
