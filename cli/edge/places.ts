import { API } from '../../core/api.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import type { ContentOrder, ContentView } from '../../core/wire-content.ts';
import type { DeviceChannel } from '../channel.ts';
import { channelTo } from '../channels.ts';
import type { Consumer } from '../consumer.ts';

/** Where published content lies, as far as the coordinator knows. */
export type EdgePlaces = {
  /** Registers a content of this account's, and names the devices that are to hold it. Throws CONFLICT and TOO_MANY. */
  readonly register: (order: ContentOrder) => Promise<ContentView>;
  /** Throws NOT_FOUND and UNAUTHORISED. */
  readonly find: (content: Hex32, grant: string | null) => Promise<ContentView>;
  /** Throws NOT_FOUND (it is not connected), COORDINATOR_AWAY, UNAUTHORISED, TOO_MANY and CANCELLED. */
  readonly open: (device: Address, content: Hex32, signal: AbortSignal) => Promise<DeviceChannel>;
};

/** Pays for what was received, in its own time; the device stops when it waits too long. */
export type EdgePayer = {
  readonly received: (channel: DeviceChannel, content: Hex32, bytes: number) => void;
  /** Pays for all that was received, before the channels are closed. Never throws. */
  readonly settle: () => Promise<void>;
};

export const networkPlaces = (consumer: Consumer): EdgePlaces => ({
  register: (order) => consumer.client.call(API.publish, { body: order }),
  find: (content, grant) =>
    consumer.client.call(API.content, { params: { id: content }, query: grant === null ? {} : { grant } }),
  open: (device, _content, signal) => channelTo(consumer, device, 'edge', signal),
});
