import type { History } from '../../agent/ports.ts';
import type { SwitchEntry, SwitchPage, SwitchQuery } from '../../core/ipc.ts';

const DAY_MS = 24 * 60 * 60_000;

/** Outlives the agents that use it, as a file does. */
export class FakeHistory implements History {
  /** Newest first. */
  entries: readonly SwitchEntry[] = [];
  #next = 1;
  append = (entry: Omit<SwitchEntry, 'id'>): void => {
    const all = [{ ...entry, id: this.#next++ }, ...this.entries];
    this.entries = all.slice(0, 10_000).filter(({ at }) => at > entry.at - 90 * DAY_MS);
  };
  page = ({ before, limit }: SwitchQuery): SwitchPage => {
    const older = this.entries.filter(({ id }) => before === null || id < before);
    return { entries: older.slice(0, limit), more: older.length > limit };
  };
  close = (): void => undefined;
}
