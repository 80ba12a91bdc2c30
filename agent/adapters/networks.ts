import { join } from 'node:path';
import { z } from 'zod';
import { encodeWire, networkInfo } from '../../core/wire.ts';
import type { NetworkMemory } from '../ports.ts';
import { readIfThere, writeFileAtomic } from './files.ts';

const known = z.record(z.string(), networkInfo);

/** One small file; one that cannot be read is as good as none: it is asked for again. */
export function fileNetworks(folder: string): NetworkMemory {
  const path = join(folder, 'networks.json');
  async function read(): Promise<z.output<typeof known>> {
    try {
      return known.parse(JSON.parse((await readIfThere(path)) ?? '{}'));
    } catch {
      return {};
    }
  }
  return {
    load: async (url) => (await read())[url] ?? null,
    async save(url, network) {
      const all = await read();
      // Its clock aside, nothing changed: no write.
      if (encodeWire({ ...all[url], now: 0 }) === encodeWire({ ...network, now: 0 })) return;
      await writeFileAtomic(path, encodeWire({ ...all, [url]: network }));
    },
  };
}
