import { powerMonitor } from 'electron';
import type { Known } from '../../core/primitives.ts';

/**
 * Milliseconds since the last input, whole seconds, on Windows and macOS. Not for Linux: under Wayland what comes back is always
 * 0, or grows while somebody types into a native window.
 */
export function createIdleTime(): () => Promise<Known<number>> {
  return async () => {
    const seconds = powerMonitor.getSystemIdleTime();
    return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : 'unknown';
  };
}
