import { unreachable } from '../../core/errors.ts';
import type { Address, Hex32, UnixMs } from '../../core/primitives.ts';
import type { DeviceMessage, NetworkInfo } from '../../core/wire.ts';
import type { ChannelRoute } from '../channel/routes.ts';
import type { DeliveryMessage } from '../lending.ts';
import type { Clock, Log } from '../ports.ts';
import type { EdgeMeter } from './cache.ts';
import { createReceiptMeter, type ReceiptStore, receiptRoute } from './receipts.ts';
import { createRedemption, type RedemptionOptions } from './redemption.ts';
import { createDeliveryTerms } from './terms.ts';

/** New receipts wait for others so long. */
const HAND_IN_EVERY_MS = 10_000;

type DeliveriesOptions = Pick<RedemptionOptions, 'booked'> & {
  readonly clock: Clock;
  readonly log: Log;
  readonly network: () => NetworkInfo | null;
  readonly device: Address;
  /** The network's time. */
  readonly now: () => UnixMs;
  readonly send: (message: DeviceMessage) => boolean;
  /** Receipts of one network; of another they are worth nothing. */
  readonly receipts: (networkId: Hex32) => ReceiptStore;
  readonly everyMs?: number;
};

export type Deliveries = {
  readonly meter: EdgeMeter;
  /** Beside those of the edge. */
  readonly route: ChannelRoute;
  readonly heard: (message: DeliveryMessage) => void;
  /** A session has begun. */
  readonly joined: () => void;
  /** A channel is over. */
  readonly ended: (channelId: Hex32) => void;
  /** The network is left. */
  readonly left: () => void;
  readonly close: () => void;
};

/** What is paid for being served: how far it may go, what was signed for it, and that this is redeemed. */
export function createDeliveries(options: DeliveriesOptions): Deliveries {
  const { clock, log, network, send, receipts } = options;
  let opened: { readonly networkId: Hex32; readonly store: ReceiptStore } | null = null;

  /** One for each network: it is what keeps what is done to a file in order. */
  function store(): ReceiptStore | null {
    const networkId = network()?.networkId;
    if (networkId === undefined) return null;
    if (opened?.networkId !== networkId) opened = { networkId, store: receipts(networkId) };
    return opened.store;
  }

  const terms = createDeliveryTerms({ clock, now: options.now });
  const redemption = createRedemption({
    ...{ clock, log, send, store, booked: options.booked, everyMs: options.everyMs ?? HAND_IN_EVERY_MS },
  });
  const meter = createReceiptMeter({
    ...{ clock, network, device: () => options.device, terms: terms.of, store, kept: redemption.kept },
  });

  return {
    meter,
    route: receiptRoute(meter),
    heard(message) {
      switch (message.type) {
        case 'deliveries-open':
          return terms.told(message.deliveries);
        case 'deliveries-booked':
          return redemption.heard(message);
        default:
          return unreachable(message);
      }
    },
    joined: redemption.joined,
    ended: meter.ended,
    left() {
      terms.reset();
      redemption.reset();
    },
    close: redemption.close,
  };
}
