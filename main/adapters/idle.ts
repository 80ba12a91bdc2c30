import { powerMonitor } from 'electron';
import type { Known } from '../../core/primitives.ts';
import { idleTimeIsReadable } from '../idle-source.ts';

/** Milliseconds since the last input, whole seconds; unknown where the system does not say. */
export function createIdleTime(): () => Promise<Known<number>> {
  const readable = idleTimeIsReadable(process.platform, process.env);
  return async () => {
    if (!readable) return 'unknown';
    const seconds = powerMonitor.getSystemIdleTime();
    return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : 'unknown';
  };
}
