import { statfs } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { battery } from 'systeminformation';
import type { Known } from '../../core/primitives.ts';
import type { Sensors } from '../ports.ts';

/** The machine's gauges. What cannot be read is unknown; nothing here throws. */
export function systemSensors(idleMs: () => Promise<Known<number>>): Sensors {
  return {
    idleMs: () => idleMs().catch((): 'unknown' => 'unknown'),
    async onBattery() {
      try {
        const { hasBattery, acConnected } = await battery();
        return hasBattery ? !acConnected : false;
      } catch {
        return 'unknown';
      }
    },
    async freeDiskBytes(path) {
      // The folder may not be there yet: then its parent's file system is the one it will be on.
      for (const place of [path, dirname(path)]) {
        try {
          const { bavail, bsize } = await statfs(place);
          return bavail * bsize;
        } catch {}
      }
      return 'unknown';
    },
    machine: async () => ({ cpuCores: availableParallelism(), memoryBytes: totalmem() }),
  };
}
