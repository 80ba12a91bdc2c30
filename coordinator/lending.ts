import { unreachable } from '../core/errors.ts';
import type { Address } from '../core/primitives.ts';
import type { CoordinatorMessage, DeviceMessage } from '../core/wire.ts';
import type { EdgeOffer } from '../core/wire-content.ts';
import { Channels } from './channels.ts';
import type { Context } from './context.ts';
import { Deliveries } from './deliveries.ts';
import { stateOffer } from './edge-offers.ts';
import type { Peer } from './peer.ts';
import { Storage } from './storage/storage.ts';

/** What devices say of the storage and bandwidth that they lend. */
export type LendingMessage = Extract<
  DeviceMessage,
  { type: 'reachable' | 'edge-offer' | 'deliveries' | 'storage-offer' | 'audit-answer' }
>;

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
  readonly deliveries: Deliveries;
  readonly storage: Storage;
  readonly #context: Context;

  constructor(context: Context, sessionOf: (device: Address) => Told | undefined) {
    this.#context = context;
    this.channels = new Channels(context, sessionOf);
    this.deliveries = new Deliveries(context, sessionOf);
    this.storage = new Storage(context, sessionOf);
  }

  async joined(peer: Peer): Promise<void> {
    await this.channels.joined(peer.device);
    // What it lent in an earlier session it may not lend in this one.
    await this.#lendsEdge(peer, null);
    await this.deliveries.joined(peer);
    await this.storage.joined(peer);
  }

  async heard(peer: Peer, message: LendingMessage): Promise<void> {
    switch (message.type) {
      case 'reachable':
        return await this.channels.reachable(peer.device, message.direct);
      case 'edge-offer':
        return await this.#lendsEdge(peer, message.offer);
      case 'deliveries':
        return await this.deliveries.redeem(peer, message.receipts);
      case 'storage-offer':
        return await this.storage.offers(peer, message.offer);
      case 'audit-answer':
        return await this.storage.answered(peer, message);
      default:
        return unreachable(message);
    }
  }

  async #lendsEdge(peer: Peer, offer: EdgeOffer | null): Promise<void> {
    const { db, options } = this.#context;
    await stateOffer(db, peer, offer, options.clock.now());
  }
}
