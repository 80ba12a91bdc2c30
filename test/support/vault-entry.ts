import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CatalogueEntry, workloadManifest } from '../../core/catalogue.ts';
import type { NetworkInfo } from '../../core/wire.ts';
import { randomAddress, randomHex32 } from './random.ts';

/** The vault as a catalogue lists it, with an image that nobody looks at. */
export function vaultEntry(): CatalogueEntry {
  const path = join(import.meta.dirname, '../../workloads/vault/manifest.json');
  const manifest = workloadManifest.parse(JSON.parse(readFileSync(path, 'utf8')));
  return { ...manifest, image: `sha256:${'0'.repeat(64)}`, pull: null };
}

/** A network that exists in tests alone. */
export const TEST_NETWORK: NetworkInfo = {
  ...{ networkId: randomHex32(), name: 'test', chainId: 31_337, rpcUrl: 'http://127.0.0.1:1' },
  ...{ token: randomAddress(), tokenSymbol: 'IDLE', distributor: randomAddress(), coordinator: randomAddress() },
  ...{ replicas: 0, reportEveryMs: 1_000, epochEveryMs: 1_000, now: 0 },
};
