import { type Catalogue, workIn } from '../core/catalogue.ts';
import type { Hex32 } from '../core/primitives.ts';
import type { DeviceMessage } from '../core/wire.ts';
import type { Ledger } from './ports.ts';

const IN_HAND = ['held', 'finished', 'accepted', 'reported'] as const;
/** As many as a message may carry; the newest. */
const MOST = 1_000;

type Hello = Pick<Extract<DeviceMessage, { type: 'hello' }>, 'agent' | 'platform' | 'workloads' | 'leases'>;

/** What a device can be given. */
export const workloadsOf = (catalogue: Catalogue): Hello['workloads'] =>
  workIn(catalogue).map(({ id, image }) => ({ id, image }));

/** What a device says of itself when it connects. */
export const helloOf = (agent: string, platform: string, catalogue: Catalogue, ledger: Ledger | null): Hello => ({
  agent,
  platform,
  workloads: workloadsOf(catalogue),
  leases: (ledger?.leases(IN_HAND) ?? []).map((record): Hex32 => record.lease.leaseId).slice(-MOST),
});
