import { type Bus, messageBus } from '../../agent/adapters/bus.ts';
import type { Source } from '../../agent/ports.ts';
import { startBus, type TestBus, TestService } from './bus.ts';
import { until } from './wait.ts';

/** What `leave` ends. */
export const opened: (() => unknown)[] = [];
/** Ends everything that a test began on its bus. */
export const leave = async (): Promise<void> => {
  for (const close of opened.splice(0).reverse()) await close();
};

export type Stage = {
  readonly daemon: TestBus;
  readonly bus: Bus;
  readonly play: (name: string) => Promise<TestService>;
};
/** A bus, the agent's connection to it, and room for services. */
export async function stage(): Promise<Stage> {
  const daemon = await startBus();
  opened.push(daemon.stop);
  const bus = messageBus(daemon.address, 30);
  opened.push(bus.close);
  const play = async (name: string): Promise<TestService> => {
    const service = await TestService.start(daemon.address, name);
    opened.push(() => service.stop());
    return service;
  };
  return { daemon, bus, play };
}
/** Reads whenever the source says that something changed. */
export function follow<T>(source: Source<T>): { readonly last: () => unknown; readonly first: Promise<unknown> } {
  let last: unknown = null;
  const read = async (): Promise<unknown> => {
    last = await source.read();
    return last;
  };
  source.onChange?.(() => void read());
  return { first: read(), last: () => last };
}
/** Waits for a reading. */
export const settles = (followed: { readonly last: () => unknown }, value: unknown): Promise<unknown> =>
  until(`the reading ${JSON.stringify(value)}`, () => JSON.stringify(followed.last()) === JSON.stringify(value), 5_000);
