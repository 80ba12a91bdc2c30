import { systemClock } from '../../agent/adapters/clock.ts';
import type { Clock, Traffic, TrafficStore } from '../../agent/ports.ts';
import { createTraffic } from '../../agent/traffic.ts';
import type { Usage } from '../../core/traffic.ts';

/** Outlives the agents that use it, as a file does. */
export class FakeTrafficStore implements TrafficStore {
  usage: Usage | null = null;
  saves = 0;
  load = async (): Promise<Usage | null> => this.usage;
  save = async (usage: Usage): Promise<void> => {
    this.usage = usage;
    this.saves += 1;
  };
}

/** The real meter, with nothing behind it. */
export const trafficOf = (clock: Clock = systemClock, store: TrafficStore = new FakeTrafficStore()): Traffic =>
  createTraffic({ clock, log: () => undefined, store });
