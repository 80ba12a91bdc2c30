import type { AdminAction } from '../../core/admin.ts';
import type { Hex32 } from '../../core/primitives.ts';
import type { NetworkInfo } from '../../core/wire.ts';
import type { Account } from './chain.ts';
import { Signatory } from './device.ts';

/** The signed body of an admin's order. */
export async function adminOrder(
  network: NetworkInfo,
  by: Account,
  order: {
    readonly action: AdminAction;
    readonly subject: string;
    readonly why: string;
    readonly issuedAt: number;
    readonly networkId?: Hex32;
  },
) {
  const value = { admin: by.address, networkId: network.networkId, ...order };
  return { value, signature: await new Signatory(by, network).sign('AdminAction', value) };
}
