import { asFailure, Failure, fail } from '../../core/errors.ts';
import type { Amount } from '../../core/money.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import { RECEIPTS, type Receipt, receiptFault, type SignedReceipt, signedReceipt } from '../../core/receipts.ts';
import type { NetworkInfo } from '../../core/wire.ts';
import type { ChannelRoute } from '../channel/routes.ts';
import { objectIn } from '../frames.ts';
import type { Clock } from '../ports.ts';
import { isSignedBy } from '../signatures.ts';
import type { EdgeMeter, EdgeSession } from './cache.ts';

/** One receipt, in text. */
const MOST_BYTES = 4 * 1024;
/** A consumer that signs nothing for so long has its request refused. */
const PATIENCE_MS = 30_000;

/** Where receipts lie until they are paid. */
export type ReceiptStore = {
  /** When it resolves it survives a power cut, in the place of an earlier one of its session and content. */
  readonly keep: (receipt: SignedReceipt) => Promise<void>;
  readonly all: () => Promise<readonly SignedReceipt[]>;
  /** It is settled: it goes, unless a newer one has taken its place. Gone already is success. */
  readonly drop: (settled: Pick<Receipt, 'session' | 'content' | 'bytes'>) => Promise<void>;
};

/** What a consumer has set aside, as the coordinator says. */
export type DeliveryTerms = {
  /** Base units a MiB. */
  readonly price: Amount;
  /** What is served beyond that nobody pays for. */
  readonly maxBytes: number;
};

/** What is out and what is signed for, of one content in one session. */
type Account = {
  /** Of the newest look at the terms. */
  price: Amount;
  /** Allowed, whether sent by now or not. */
  out: number;
  /** Sent in fact. */
  sent: number;
  /** Allowed, with no word of what was sent. */
  open: number;
  signed: number;
  waiting: Set<() => void>;
  /** One receipt after the other: an older one must not take the place of a newer. */
  last: Promise<void>;
  /** The channel has ended. */
  over: boolean;
};

type MeterOptions = {
  readonly clock: Clock;
  readonly network: () => NetworkInfo | null;
  readonly device: () => Address;
  /** null: nobody has set anything aside for it. May wait for word that goes as far as `upTo` bytes. */
  readonly terms: (session: EdgeSession, upTo: number, signal: AbortSignal) => Promise<DeliveryTerms | null>;
  /** null: no network is joined. */
  readonly store: () => Pick<ReceiptStore, 'keep'> | null;
  /** A receipt more is kept. */
  readonly kept?: (receipt: SignedReceipt) => void;
};

export type ReceiptMeter = EdgeMeter & {
  /** What the consumer signed of a session. Throws BAD_INPUT, UNAUTHORISED, REFUSED, and DISK_FULL: then it counts for nothing. */
  readonly signed: (session: EdgeSession, receipt: SignedReceipt) => Promise<void>;
  /** The channel is over: what waits is refused, and what was counted is let go of. What was signed is kept. */
  readonly ended: (channelId: Hex32) => void;
};

/**
 * Lets no more out than is signed for, and `RECEIPTS.unsignedBytes`. A request that would go beyond waits for a receipt. A receipt only counts
 * once it is on disk, so what a killed agent has served unpaid is never more than that either.
 */
export function createReceiptMeter({ clock, network, device, terms, store, kept }: MeterOptions): ReceiptMeter {
  const accounts = new Map<string, Account>();
  const keyOf = ({ channelId, content }: EdgeSession): string => `${channelId} ${content}`;

  function accountOf(session: EdgeSession, price: Amount): Account {
    const key = keyOf(session);
    const known = accounts.get(key);
    if (known !== undefined) return Object.assign(known, { price });
    const nothing = { out: 0, sent: 0, open: 0, signed: 0 };
    const fresh = { price, ...nothing, waiting: new Set<() => void>(), last: Promise.resolve(), over: false };
    accounts.set(key, fresh);
    return fresh;
  }

  function wake(account: Account): void {
    for (const look of [...account.waiting]) look();
  }

  const fits = (account: Account, bytes: number): boolean =>
    account.out + bytes - account.signed <= RECEIPTS.unsignedBytes;

  /** Resolves when there is room. Throws REFUSED when there is none in time, and CANCELLED. */
  function room(account: Account, bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (failure: Failure | null): void => {
        account.waiting.delete(look);
        signal.removeEventListener('abort', gone);
        cancel();
        if (failure === null) resolve();
        else reject(failure);
      };
      const look = (): void => {
        if (account.over) settle(new Failure('CANCELLED', 'the channel is over'));
        else if (fits(account, bytes)) settle(null);
      };
      const gone = (): void => settle(new Failure('CANCELLED', 'the consumer has left'));
      const late = (): void =>
        settle(new Failure('REFUSED', 'too much is not signed for: send a receipt for what you have had, then go on'));
      const cancel = clock.after(PATIENCE_MS, late);
      account.waiting.add(look);
      signal.addEventListener('abort', gone);
      if (signal.aborted) gone();
    });
  }

  async function record(session: EdgeSession, account: Account, receipt: SignedReceipt): Promise<void> {
    const { value, signature } = receipt;
    // An older one, or the same again, says nothing new.
    if (value.bytes <= account.signed) return;
    if (value.bytes > account.out) fail('BAD_INPUT', `the receipt is for more than was served: ${account.out} bytes`);
    const told = network() ?? fail('REFUSED', 'this device has left the network');
    if (!isSignedBy(told, session.consumer, 'TransferReceipt', value, signature)) {
      fail('UNAUTHORISED', 'the receipt is not signed by the consumer of this channel');
    }
    await (store() ?? fail('REFUSED', 'this device has left the network')).keep(receipt);
    account.signed = value.bytes;
    wake(account);
    kept?.(receipt);
  }

  return {
    async allow(session, bytes, signal) {
      if (bytes > RECEIPTS.unsignedBytes) fail('REFUSED', 'that is more than is given at a time');
      const before = accounts.get(keyOf(session))?.out ?? 0;
      const agreed = await terms(session, before + bytes, signal);
      if (agreed === null) return fail('REFUSED', 'nothing was set aside for this; order its delivery first');
      if (signal.aborted) fail('CANCELLED', 'the consumer has left');
      const account = accountOf(session, agreed.price);
      // Before and after: who waited may not be the only one that did.
      const within = (): void => {
        if (account.out + bytes > agreed.maxBytes) fail('REFUSED', 'more than was set aside for; set more aside');
      };
      within();
      while (!fits(account, bytes)) await room(account, bytes, signal);
      within();
      account.out += bytes;
      account.open += 1;
    },
    served(session, bytes) {
      const account = accounts.get(keyOf(session));
      if (account === undefined) return;
      account.sent += bytes;
      account.open -= 1;
      // What was let out and not sent is known as soon as nothing is on its way.
      if (account.open > 0 || account.out === account.sent) return;
      account.out = Math.max(account.sent, account.signed);
      wake(account);
    },
    async signed(session, receipt) {
      const account = accounts.get(keyOf(session)) ?? fail('BAD_INPUT', 'nothing was served of that content');
      const { channelId, ...rest } = session;
      const transfer = { ...rest, session: channelId, device: device(), price: account.price };
      const fault = receiptFault(receipt, transfer);
      if (fault !== null) fail('BAD_INPUT', fault);
      const turn = account.last.then(() => record(session, account, receipt));
      account.last = turn.catch((error: unknown) => void asFailure(error));
      await turn;
    },
    ended(channelId) {
      for (const [key, account] of [...accounts]) {
        if (!key.startsWith(channelId)) continue;
        accounts.delete(key);
        account.over = true;
        wake(account);
      }
    },
  };
}

/** Where a consumer hands its receipts in, over the channel that they are for. */
export const receiptRoute = (meter: Pick<ReceiptMeter, 'signed'>): ChannelRoute => ({
  method: 'POST',
  path: '/v1/receipts',
  async handle({ channelId, consumer, body }) {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of body) {
      bytes += part.length;
      if (bytes > MOST_BYTES) fail('BAD_INPUT', 'that is too long for a receipt');
      parts.push(part);
    }
    const read = signedReceipt.safeParse(objectIn(Buffer.concat(parts).toString('utf8')));
    if (!read.success) return fail('BAD_INPUT', 'that is no receipt');
    await meter.signed({ channelId, consumer, content: read.data.value.content }, read.data);
    return { status: 204 };
  },
});
