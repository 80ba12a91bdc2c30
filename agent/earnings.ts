import type { Amount } from '../core/money.ts';
import type { UnixMs } from '../core/primitives.ts';
import { dayStartOf } from './day.ts';
import type { Clock } from './ports.ts';

/** What was credited since local midnight, as far as this process has heard of it. */
export function createEarnings({ clock }: { readonly clock: Clock }) {
  let sum: { readonly day: UnixMs; readonly amount: Amount } | null = null;
  const day = (): UnixMs => dayStartOf(clock.now(), clock.utcOffsetMinutes());
  const today = (): Amount => (sum?.day === day() ? sum.amount : 0n);
  return {
    earned(amount: Amount): void {
      sum = { day: day(), amount: today() + amount };
    },
    today,
    reset(): void {
      sum = null;
    },
  };
}
