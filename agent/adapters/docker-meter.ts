import type { Address } from '../../core/primitives.ts';

type Metered = { readonly device: Address; seconds: number };

/** Adds up the CPU time of containers that come and go. */
export type CpuMeter = {
  readonly begins: (containerId: string, device: Address) => void;
  readonly ended: (containerId: string) => void;
  /** Seconds; never falls. */
  readonly seconds: (device: Address) => Promise<number>;
};

/** `ask`: seconds that a container has used so far; null when it is gone. */
export function cpuMeter(ask: (containerId: string) => Promise<number | null>): CpuMeter {
  const running = new Map<string, Metered>();
  const spent = new Map<Address, number>();
  return {
    begins: (containerId, device) => void running.set(containerId, { device, seconds: 0 }),
    ended(containerId) {
      const metered = running.get(containerId);
      if (metered === undefined) return;
      running.delete(containerId);
      spent.set(metered.device, (spent.get(metered.device) ?? 0) + metered.seconds);
    },
    async seconds(device) {
      const own = (): [string, Metered][] => [...running].filter(([, metered]) => metered.device === device);
      await Promise.all(
        own().map(async ([containerId, metered]) => {
          const seconds = await ask(containerId);
          // One that has ended meanwhile is in the sum already, with what was known of it.
          if (seconds !== null && running.has(containerId)) metered.seconds = Math.max(metered.seconds, seconds);
        }),
      );
      return own().reduce((sum, [, metered]) => sum + metered.seconds, spent.get(device) ?? 0);
    },
  };
}
