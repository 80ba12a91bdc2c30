import { receiptFiles } from '../../agent/adapters/receipt-files.ts';
import { createReceiptMeter, type DeliveryTerms } from '../../agent/edge/receipts.ts';
import { fail } from '../../core/errors.ts';
import { type Address, type Hex32, ZERO_HASH } from '../../core/primitives.ts';
import type { Receipt, SignedReceipt } from '../../core/receipts.ts';
import type { NetworkInfo } from '../../core/wire.ts';
import { FakeClock } from '../fakes/clock.ts';
import { newAccount } from './chain.ts';
import { Signatory } from './device.ts';
import { randomAddress, randomHex32 } from './random.ts';

export const MIB = 1024 * 1024;

/** For what signs and checks signatures; nothing is there to be reached. */
export const NETWORK: NetworkInfo = {
  ...{ networkId: ZERO_HASH, name: 'Test', chainId: 31_337, rpcUrl: 'http://127.0.0.1:1', token: randomAddress() },
  ...{ tokenSymbol: 'T', distributor: randomAddress(), coordinator: randomAddress(), replicas: 0, now: 1 },
  ...{ reportEveryMs: 1_000, epochEveryMs: 1_000 },
};

type About = { readonly session: Hex32; readonly device: Address; readonly content: Hex32; readonly price: bigint };

/** Signs as an honest consumer does, but for what is `changed`. */
export async function receiptBy(
  consumer: Signatory,
  about: About,
  bytes: number,
  changed: Partial<Receipt> = {},
): Promise<SignedReceipt> {
  const value: Receipt = { ...about, consumer: consumer.address, bytes, issuedAt: 1_000, ...changed };
  return { value, signature: await consumer.sign('TransferReceipt', value) };
}

/** A device that serves one consumer one content, with its receipts in real files. */
export function receiptStage(folder: string) {
  const clock = new FakeClock();
  const consumer = new Signatory(newAccount(), NETWORK);
  const device = randomAddress();
  const files = receiptFiles(folder);
  const state = { full: false, terms: { price: 1_000_003n, maxBytes: 1024 * MIB } as DeliveryTerms | null };
  const kept: SignedReceipt[] = [];
  const meter = createReceiptMeter({
    ...{ clock, network: () => NETWORK, device: () => device, terms: async () => state.terms },
    kept: (receipt) => void kept.push(receipt),
    store: () => ({
      keep: (receipt) => (state.full ? Promise.resolve().then(() => fail('DISK_FULL', 'full')) : files.keep(receipt)),
    }),
  });
  const session = { channelId: randomHex32(), consumer: consumer.address, content: randomHex32() };
  const about = { session: session.channelId, device, content: session.content, price: 1_000_003n };
  const leaving = new AbortController();
  return {
    ...{ clock, consumer, device, files, state, kept, meter, session, leaving },
    receipt: (bytes: number, changed: Partial<Receipt> = {}) => receiptBy(consumer, about, bytes, changed),
    allow: (bytes: number) => meter.allow(session, bytes, leaving.signal),
    async serve(bytes: number): Promise<void> {
      await meter.allow(session, bytes, leaving.signal);
      meter.served(session, bytes);
    },
    async sign(bytes: number, changed: Partial<Receipt> = {}): Promise<void> {
      await meter.signed(session, await receiptBy(consumer, about, bytes, changed));
    },
  };
}
