import { dialRelay } from '../agent/adapters/relay.ts';
import { API } from '../core/api.ts';
import type { Address } from '../core/primitives.ts';
import type { Purpose } from '../core/wire-channel.ts';
import { type DeviceChannel, openChannel } from './channel.ts';
import type { Consumer } from './consumer.ts';

/** A channel to a device of the network. Throws NOT_FOUND (it is not connected), COORDINATOR_AWAY, UNAUTHORISED, TOO_MANY and CANCELLED. */
export async function channelTo(
  consumer: Consumer,
  device: Address,
  purpose: Purpose,
  signal?: AbortSignal,
): Promise<DeviceChannel> {
  const grant = await consumer.client.call(API.channel, { body: { device, purpose } }, signal);
  const socket = await dialRelay(grant.relay ?? consumer.url, grant, signal);
  return await openChannel(socket, {
    ...{ network: consumer.network, consumer: consumer.address, device, channelId: grant.channelId },
    ...{ direct: false, sign: consumer.prove },
  });
}
