import { channelCoordinatorMessages, channelDeviceMessages } from './wire-channel.ts';
import { contentDeviceMessages } from './wire-content.ts';
import { deliveryCoordinatorMessages, deliveryDeviceMessages } from './wire-delivery.ts';

/** What sessions say of the lanes without jobs: storage and bandwidth. */
export const lendingCoordinatorMessages = [...channelCoordinatorMessages, ...deliveryCoordinatorMessages] as const;
export const lendingDeviceMessages = [
  ...channelDeviceMessages,
  ...contentDeviceMessages,
  ...deliveryDeviceMessages,
] as const;
