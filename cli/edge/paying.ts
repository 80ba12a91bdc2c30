import { API } from '../../core/api.ts';
import { asFailure, type Failure } from '../../core/errors.ts';
import type { Amount } from '../../core/money.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import { RECEIPTS } from '../../core/receipts.ts';
import type { DeviceChannel } from '../channel.ts';
import type { Consumer } from '../consumer.ts';
import type { EdgePayer, EdgePlaces } from './places.ts';
import { networkPlaces } from './places.ts';
import { receiptPayer } from './receipts.ts';

/** Set aside for one device at first, however large the content: another may give most of it. */
const FIRST_BYTES = 64 * 1024 * 1024;
/** What is broken off counts until the device knows. */
const SPARE_BYTES = 4 * RECEIPTS.unsignedBytes;

type Budget = { maxBytes: number; had: number; asking: boolean };

/**
 * Where published content lies, for who pays to read it: what a device may serve is set aside of the deposit when its channel opens, and more
 * before that is used up. Throws INSUFFICIENT_FUNDS where a channel is opened.
 */
export async function payingPlaces(
  consumer: Consumer,
  failed: (device: Address, failure: Failure) => void,
): Promise<{ readonly places: EdgePlaces; readonly payer: EdgePayer; readonly price: Amount }> {
  const { client } = consumer;
  const { deliveryPerMiB: price } = await client.call(API.prices);
  const places = networkPlaces(consumer);
  const signing = receiptPayer({ consumer: consumer.address, price, now: Date.now, prove: consumer.prove, failed });
  const sizes = new Map<Hex32, number>();
  const budgets = new Map<Hex32, Budget>();

  async function setAside({ channelId: session, device }: DeviceChannel, content: Hex32, maxBytes: number) {
    const { maxBytes: granted } = await client.call(API.deliver, { body: { session, device, content, maxBytes } });
    return granted;
  }

  async function more(channel: DeviceChannel, content: Hex32, budget: Budget): Promise<void> {
    budget.asking = true;
    try {
      budget.maxBytes = await setAside(channel, content, budget.maxBytes * 2);
      budget.asking = false;
    } catch (error) {
      // It is not asked again: what is set aside can be used up, and then the device says so.
      failed(channel.device, asFailure(error));
    }
  }

  return {
    price,
    places: {
      register: places.register,
      async find(content, grant) {
        const view = await places.find(content, grant);
        sizes.set(content, view.bytes + view.manifestBytes);
        return view;
      },
      async open(device, content, signal) {
        const channel = await places.open(device, content, signal);
        try {
          const wanted = (sizes.get(content) ?? FIRST_BYTES) + SPARE_BYTES;
          const maxBytes = await setAside(channel, content, Math.min(wanted, FIRST_BYTES));
          budgets.set(channel.channelId, { maxBytes, had: 0, asking: false });
          return channel;
        } catch (error) {
          channel.close();
          throw error;
        }
      },
    },
    payer: {
      settle: signing.settle,
      received(channel, content, bytes) {
        signing.received(channel, content, bytes);
        const budget = budgets.get(channel.channelId);
        if (budget === undefined) return;
        budget.had += bytes;
        if (!budget.asking && budget.had + SPARE_BYTES / 2 > budget.maxBytes / 2) void more(channel, content, budget);
      },
    },
  };
}
