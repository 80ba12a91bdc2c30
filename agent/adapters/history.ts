import type { SwitchEntry } from '../../core/ipc.ts';
import type { History } from '../ports.ts';

/** Switches of this run only. */
export function memoryHistory(): History {
  const entries: SwitchEntry[] = [];
  return {
    append: (entry) => void entries.unshift({ ...entry, id: entries.length + 1 }),
    page({ before, limit }) {
      const older = entries.filter((entry) => before === null || entry.id < before);
      return { entries: older.slice(0, limit), more: older.length > limit };
    },
    close: () => undefined,
  };
}
