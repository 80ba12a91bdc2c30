import { unreachable } from '../core/errors.ts';
import type { Address } from '../core/primitives.ts';
import type { CoordinatorMessage, DeviceMessage } from '../core/wire.ts';
import { Channels } from './channels.ts';
import type { Context } from './context.ts';
import type { Peer } from './peer.ts';

/** What devices say of the storage and bandwidth that they lend. */
export type LendingMessage = Extract<DeviceMessage, { type: 'reachable' }>;

/** What a session does not know itself: everything that is neither a job nor its pay. */
export type LendingHost = {
  /** Its hello was good, and its welcome is on the way. */
  readonly joined: (peer: Peer) => Promise<void>;
  readonly heard: (peer: Peer, message: LendingMessage) => Promise<void>;
};

/** A device's session, as far as word can be sent to it. */
export type Told = { readonly send: (message: CoordinatorMessage) => void };

/** Lanes without jobs: each message goes to the part that it concerns. */
export class Lending implements LendingHost {
  readonly channels: Channels;

  constructor(context: Context, sessionOf: (device: Address) => Told | undefined) {
    this.channels = new Channels(context, sessionOf);
  }

  async joined(peer: Peer): Promise<void> {
    await this.channels.joined(peer.device);
  }

  async heard(peer: Peer, message: LendingMessage): Promise<void> {
    switch (message.type) {
      case 'reachable':
        return await this.channels.reachable(peer.device, message.direct);
      default:
        return unreachable(message.type);
    }
  }
}
