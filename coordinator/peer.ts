import type { Address } from '../core/primitives.ts';
import type { Machine } from '../core/wire.ts';

/** The device at the other end, after its hello. */
export type Peer = {
  readonly device: Address;
  readonly owner: Address;
  readonly workloads: ReadonlySet<string>;
  readonly machine: Machine | null;
  readonly network: string | null;
};
