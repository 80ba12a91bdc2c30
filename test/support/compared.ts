import {
  type Catalogue,
  type CatalogueEntry,
  type Comparison,
  catalogue,
  type Verifier,
} from '../../core/catalogue.ts';
import { PRICE, WORKLOAD } from './network.ts';

const MIB = 1024 * 1024;
export const LIMITS = { cpuCores: 1, memoryBytes: 64 * MIB, pids: 16, scratchBytes: 32 * MIB, seconds: 3 } as const;

export const VERIFIER: Verifier = {
  ...{
    id: 'letters',
    version: '1.0.0',
    image: `sha256:${'cd'.repeat(32)}`,
    pull: null,
    loadsCode: false,
    program: null,
  },
  limits: { ...LIMITS, maxInputBytes: 0, maxOutputBytes: 0 },
};

const ENTRY = {
  ...{ version: '1.0.0', lane: 'cpu', title: { en: 'A', ja: 'ア' }, network: 'none', comparison: 'exact' },
  limits: { ...LIMITS, memoryBytes: 1e8, seconds: 60, maxInputBytes: 1_000_000, maxOutputBytes: 16 * MIB },
  ...{ price: { base: PRICE.toString(), perInputMiB: '0' }, params: {} },
} as const;

/** The test network's one workload, compared so; with the entry of a verifier where one is named. */
export function comparedBy(comparison: Comparison, change: Partial<CatalogueEntry> = {}): Catalogue {
  const verifiers =
    comparison !== 'exact' && 'entry' in comparison
      ? [{ ...ENTRY, id: comparison.entry, purpose: 'verifier', image: VERIFIER.image, limits: VERIFIER.limits }]
      : [];
  const { price: _price, ...rest } = change;
  return catalogue.parse({ version: 1, entries: [...verifiers, { ...ENTRY, ...WORKLOAD, comparison, ...rest }] });
}

export const floats = (...numbers: readonly number[]): Uint8Array => new Uint8Array(new Float32Array(numbers).buffer);
