import type { Signals } from '../core/signals.ts';
import { lineBusy, ratesFor } from '../core/traffic.ts';
import type { Ports, Unsubscribe } from './ports.ts';

type LineOptions = {
  readonly ports: Pick<Ports, 'traffic' | 'settings' | 'log'>;
  /** More bytes have passed: the month's may be used up. */
  readonly changed: () => void;
};

/** Keeps work within what the owner gives of the line. */
export function createLine({ ports: { traffic, settings }, changed }: LineOptions) {
  let unsubscribe: Unsubscribe = () => undefined;
  return {
    known: (): Pick<Signals, 'traffic'> => {
      const { monthBytesIn, monthBytesOut, resetsAt } = traffic.view(
        settings.current().settings.limits.network.resetDay,
      );
      return { traffic: { monthBytes: monthBytesIn + monthBytesOut, resetsAt } };
    },
    /** Whoever comes back has their line at once. */
    heed(signals: Signals): void {
      const { limits, rules } = settings.current().settings;
      traffic.limit(ratesFor(limits.network, lineBusy(signals, rules.idleAfterSeconds)));
    },
    async open(): Promise<void> {
      await traffic.load();
      unsubscribe = traffic.onChange(changed);
    },
    async close(): Promise<void> {
      unsubscribe();
      await traffic.close();
    },
  };
}
