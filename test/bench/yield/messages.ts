import type { Address } from '../../../core/primitives.ts';
import type { Lease } from '../../../core/wire.ts';

/** What the measurement tells the agent's process when it starts it. */
export type Start = {
  readonly folder: string;
  readonly catalogueFile: string;
  readonly catalogueKeysFile: string;
  readonly cpuPercent: number;
  /** For how long nobody has touched the machine, as far as the agent can know. */
  readonly idleMs: number;
  readonly jobs: readonly Pick<Lease, 'lane' | 'workload' | 'version' | 'image' | 'params'>[];
};

/** Milliseconds that have passed at once. */
export type ToAgent = { readonly leapMs: number };

export type FromAgent =
  | { readonly kind: 'ready'; readonly device: Address }
  | { readonly kind: 'state'; readonly phases: readonly string[]; readonly reason: string | null };
