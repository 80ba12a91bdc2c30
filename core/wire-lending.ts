import { channelCoordinatorMessages, channelDeviceMessages } from './wire-channel.ts';
import { contentDeviceMessages } from './wire-content.ts';
import { deliveryCoordinatorMessages, deliveryDeviceMessages } from './wire-delivery.ts';
import { storageCoordinatorMessages, storageDeviceMessages } from './wire-storage.ts';

/** What is said in a session of the lanes without jobs. */
export const lendingDeviceMessages = [
  ...channelDeviceMessages,
  ...contentDeviceMessages,
  ...deliveryDeviceMessages,
  ...storageDeviceMessages,
] as const;
export const lendingCoordinatorMessages = [
  ...channelCoordinatorMessages,
  ...deliveryCoordinatorMessages,
  ...storageCoordinatorMessages,
] as const;
