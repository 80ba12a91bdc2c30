import { asFailure, type Failure } from '../../core/errors.ts';
import type { Amount } from '../../core/money.ts';
import type { Address, Hex32, Signature, UnixMs } from '../../core/primitives.ts';
import { RECEIPTS, type Receipt } from '../../core/receipts.ts';
import { encodeWire } from '../../core/wire.ts';
import type { DeviceChannel } from '../channel.ts';
import type { EdgePayer } from './places.ts';

/** What was had is signed for after so long without more, too: a device may be waiting for just that. */
const REST_MS = 1_000;

type PayerOptions = {
  readonly consumer: Address;
  /** Agreed, base units a MiB. */
  readonly price: Amount;
  readonly now: () => UnixMs;
  readonly prove: (name: 'TransferReceipt', value: Receipt) => Promise<Signature>;
  /** A device did not take a receipt. It stops serving by itself; what it was signed for before stays its due. */
  readonly failed?: (device: Address, failure: Failure) => void;
};

type Account = {
  readonly channel: DeviceChannel;
  readonly content: Hex32;
  had: number;
  asked: number;
  /** One after the other, so that no older one comes in late. */
  sending: Promise<void>;
  rest: NodeJS.Timeout | null;
};

/** Signs for what was had and checked, and for nothing else, whenever a step is full and when all is done. */
export function receiptPayer(options: PayerOptions): EdgePayer & { readonly signed: () => number } {
  const accounts = new Map<string, Account>();
  let signed = 0;

  async function send({ channel, content }: Account, bytes: number): Promise<void> {
    const value: Receipt = {
      ...{ session: channel.channelId, consumer: options.consumer, device: channel.device, content },
      ...{ bytes, price: options.price, issuedAt: options.now() },
    };
    const signature = await options.prove('TransferReceipt', value);
    const body = new TextEncoder().encode(encodeWire({ value, signature }));
    const answer = await channel.request({ method: 'POST', path: '/v1/receipts', body });
    // Nothing comes; but what is not read stays open.
    for await (const _part of answer.body);
  }

  function sign(account: Account): void {
    if (account.rest !== null) clearTimeout(account.rest);
    account.rest = null;
    const bytes = account.had;
    if (bytes === account.asked) return;
    signed += bytes - account.asked;
    account.asked = bytes;
    account.sending = account.sending
      .then(() => send(account, bytes))
      .catch((error: unknown) => options.failed?.(account.channel.device, asFailure(error)));
  }

  return {
    received(channel, content, bytes) {
      const key = `${channel.channelId} ${content}`;
      const fresh = { channel, content, had: 0, asked: 0, sending: Promise.resolve(), rest: null };
      const account: Account = accounts.get(key) ?? fresh;
      accounts.set(key, account);
      account.had += bytes;
      if (account.had - account.asked >= RECEIPTS.stepBytes) sign(account);
      else account.rest ??= setTimeout(() => sign(account), REST_MS).unref();
    },
    async settle() {
      for (const account of accounts.values()) sign(account);
      await Promise.all([...accounts.values()].map(({ sending }) => sending));
    },
    signed: () => signed,
  };
}
