import { channelCoordinatorMessages, channelDeviceMessages } from './wire-channel.ts';
import { contentDeviceMessages } from './wire-content.ts';
import { storageCoordinatorMessages, storageDeviceMessages } from './wire-storage.ts';

/** What is said in a session of the lanes without jobs. */
export const lendingDeviceMessages = [
  ...channelDeviceMessages,
  ...contentDeviceMessages,
  ...storageDeviceMessages,
] as const;
export const lendingCoordinatorMessages = [...channelCoordinatorMessages, ...storageCoordinatorMessages] as const;
