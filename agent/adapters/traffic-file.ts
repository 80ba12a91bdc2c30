import { rename } from 'node:fs/promises';
import { asFailure } from '../../core/errors.ts';
import { parseUsage, type Usage } from '../../core/traffic.ts';
import type { Log, TrafficStore } from '../ports.ts';
import { readIfThere, writeFileAtomic } from './files.ts';

/** The bytes of the last days in one small file. One that cannot be understood is moved aside, and counting begins anew. */
export function trafficFile(path: string, log: Log): TrafficStore {
  return {
    async load(): Promise<Usage | null> {
      try {
        const text = await readIfThere(path);
        return text === null ? null : parseUsage(JSON.parse(text));
      } catch (error) {
        const aside = `${path}.broken-${Date.now()}`;
        await rename(path, aside).catch(() => undefined);
        log('error', 'traffic-broken', { detail: asFailure(error).message.slice(0, 200), movedTo: aside });
        return null;
      }
    },
    save: (usage) => writeFileAtomic(path, `${JSON.stringify(usage)}\n`),
  };
}
