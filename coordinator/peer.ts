import type { Address } from '../core/primitives.ts';
import type { Machine } from '../core/wire.ts';

/** A WebSocket in our words. */
export type Socket = {
  readonly send: (text: string) => void;
  readonly close: (code: number, reason: string) => void;
  /** Whether to stop reading for now. */
  readonly pause: (paused: boolean) => void;
};

/** The device at the other end, after its hello. */
export type Peer = {
  readonly device: Address;
  readonly owner: Address;
  readonly workloads: ReadonlySet<string>;
  readonly machine: Machine | null;
  readonly network: string | null;
};
