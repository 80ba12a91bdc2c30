import type { Known } from '../core/primitives.ts';
import type { Signals } from '../core/signals.ts';
import type { Ports } from './ports.ts';

/** Power and disk change slowly and may cost a process to read. */
const SLOW_MS = 5_000;

type Slow = { readonly at: number; readonly onBattery: Known<boolean>; readonly freeDiskBytes: Known<number> };

/** Gathers the signals of one moment. */
export type Sense = {
  readonly idleMs: () => Promise<Known<number>>;
  readonly gather: (known: Omit<Signals, 'now' | 'idleMs' | 'onBattery' | 'freeDiskBytes'>) => Promise<Signals>;
};

export function createSense(ports: Pick<Ports, 'clock' | 'sensors' | 'workspace'>): Sense {
  const { clock, sensors, workspace } = ports;
  let slow: Slow | null = null;
  let reading: Promise<Slow> | null = null;

  async function read(): Promise<Slow> {
    const [onBattery, freeDiskBytes] = await Promise.all([sensors.onBattery(), sensors.freeDiskBytes(workspace.path)]);
    slow = { at: clock.now(), onBattery, freeDiskBytes };
    return slow;
  }

  /** Read anew in the background: who comes back must not wait for a battery gauge. */
  async function slowOnes(): Promise<Slow> {
    if (slow !== null && clock.now() - slow.at < SLOW_MS) return slow;
    reading ??= read().finally(() => {
      reading = null;
    });
    return slow ?? (await reading);
  }

  return {
    idleMs: () => sensors.idleMs(),
    async gather(known) {
      const { onBattery, freeDiskBytes } = await slowOnes();
      const idleMs = await sensors.idleMs();
      return { now: clock.now(), idleMs, onBattery, freeDiskBytes, ...known };
    },
  };
}
