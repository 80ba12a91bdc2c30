import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { receiptFiles } from '../../../agent/adapters/receipt-files.ts';
import { createDeliveries } from '../../../agent/edge/deliveries.ts';
import { createRedemption } from '../../../agent/edge/redemption.ts';
import { createDeliveryTerms } from '../../../agent/edge/terms.ts';
import type { SignedReceipt } from '../../../core/receipts.ts';
import type { DeviceMessage } from '../../../core/wire.ts';
import type { DeliveryOutcome, OpenDelivery } from '../../../core/wire-delivery.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { newAccount } from '../../support/chain.ts';
import { Signatory } from '../../support/device.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';
import { MIB, NETWORK, receiptBy } from '../../support/receipts.ts';
import { until } from '../../support/wait.ts';

const EVERY_MS = 10_000;
const consumer = new Signatory(newAccount(), NETWORK);
const aboutOne = () => ({ session: randomHex32(), device: randomAddress(), content: randomHex32(), price: 5n });
type Sent = readonly SignedReceipt[];

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'idlemesh-receipts-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Receipts in real files, and a coordinator that answers when it is told to. */
function stage() {
  const clock = new FakeClock();
  const files = receiptFiles(folder);
  const sent: Sent[] = [];
  const earned: bigint[] = [];
  const state = { connected: true };
  const redemption = createRedemption({
    ...{ clock, log: () => undefined, store: () => files, everyMs: EVERY_MS },
    booked: ({ credited }) => void earned.push(credited),
    send(message: DeviceMessage) {
      if (state.connected && message.type === 'deliveries') sent.push(message.receipts);
      return state.connected;
    },
  });
  const kept = async (receipt: SignedReceipt): Promise<void> => {
    await files.keep(receipt);
    redemption.kept(receipt);
  };
  const answer = (outcomes: readonly DeliveryOutcome[]) =>
    redemption.heard({ type: 'deliveries-booked', outcomes: [...outcomes] });
  /** As a coordinator does that finds nothing wrong. */
  const book = (receipts: Sent) =>
    answer(receipts.map(({ value: { session, content, bytes } }) => ({ session, content, bytes, credited: 1n })));
  const left = async (): Promise<readonly number[]> => (await files.all()).map(({ value }) => value.bytes).sort();
  const isSent = (times: number) => until(`message ${times}`, () => sent.length >= times && sent[times - 1]);
  return { clock, redemption, sent, earned, state, kept, answer, book, left, isSent };
}

describe('receipts are redeemed', () => {
  it('when a session begins, whatever is on the disk, and let go of when they are booked', async () => {
    const { kept, redemption, book, isSent, left, earned, sent, clock } = stage();
    const [a, b] = [await receiptBy(consumer, aboutOne(), 7), await receiptBy(consumer, aboutOne(), 9)];
    await kept(a);
    await kept(b);
    await clock.advance(10 * EVERY_MS);
    expect(sent).toEqual([]);
    redemption.joined();
    const first = await isSent(1);
    expect([...first].sort((x, y) => x.value.bytes - y.value.bytes)).toEqual([a, b]);
    book(first);
    await until('nothing left', async () => (await left()).length === 0);
    expect(earned).toEqual([1n, 1n]);
    await clock.advance(10 * EVERY_MS);
    expect([sent.length, clock.pending()]).toEqual([1, 0]);
  });

  it('the newest of many at a time, and one that came meanwhile stays for the next time', async () => {
    const { kept, redemption, book, isSent, left, clock, sent } = stage();
    redemption.joined();
    await clock.advance(0);
    const about = aboutOne();
    for (const bytes of [1, 2, 3]) await kept(await receiptBy(consumer, about, bytes));
    await clock.advance(EVERY_MS - 1);
    expect(sent).toEqual([]);
    await clock.advance(1);
    const first = await isSent(1);
    expect(first.map(({ value }) => value.bytes)).toEqual([3]);
    await kept(await receiptBy(consumer, about, 4));
    book(first);
    await clock.advance(0);
    expect(await left()).toEqual([4]);
    await clock.advance(EVERY_MS);
    const second = await isSent(2);
    expect(second.map(({ value }) => value.bytes)).toEqual([4]);
    book(second);
    await until('nothing left', async () => (await left()).length === 0);
    expect(sent).toHaveLength(2);
  });

  it('a hundred in a message, one message at a time', async () => {
    const { kept, redemption, book, isSent, sent, left } = stage();
    for (let n = 1; n <= 250; n++) await kept(await receiptBy(consumer, aboutOne(), n));
    redemption.joined();
    for (const [nth, count] of [100, 100, 50].entries()) {
      const batch = await isSent(nth + 1);
      expect([batch.length, sent.length]).toEqual([count, nth + 1]);
      book(batch);
    }
    await until('nothing left', async () => (await left()).length === 0);
    expect(new Set(sent.flat().map(({ value }) => value.session)).size).toBe(250);
  });

  it('again until there is an answer: after a while, and in the next session', async () => {
    const { kept, redemption, book, isSent, left, clock, sent, state } = stage();
    await kept(await receiptBy(consumer, aboutOne(), 7));
    state.connected = false;
    redemption.joined();
    await clock.advance(EVERY_MS);
    expect(sent).toEqual([]);
    state.connected = true;
    redemption.joined();
    const first = await isSent(1);
    await clock.advance(59_999);
    expect(sent).toHaveLength(1);
    await clock.advance(1);
    expect(await isSent(2)).toEqual(first);
    redemption.joined();
    expect(await isSent(3)).toEqual(first);
    expect(await left()).toEqual([7]);
    book(first);
    await until('nothing left', async () => (await left()).length === 0);
    redemption.close();
    expect(clock.pending()).toBe(0);
  });

  it('and what is refused for good is let go of, too, without being earned', async () => {
    const { kept, redemption, answer, isSent, left, earned } = stage();
    const [a, b] = [await receiptBy(consumer, aboutOne(), 7), await receiptBy(consumer, aboutOne(), 9)];
    await kept(a);
    await kept(b);
    redemption.joined();
    await isSent(1);
    answer([{ session: a.value.session, content: a.value.content, refused: 'closed' }]);
    await until('one left', async () => (await left()).length === 1);
    expect([await left(), earned]).toEqual([[9], []]);
    // An answer to nothing changes nothing.
    answer([{ session: randomHex32(), content: randomHex32(), refused: 'unknown' }]);
    expect(await left()).toEqual([9]);
    redemption.close();
  });
});

describe('what was set aside', () => {
  const open = (change: Partial<OpenDelivery> = {}): OpenDelivery => ({
    ...{ session: randomHex32(), content: randomHex32(), consumer: consumer.address, price: 5n },
    ...{ maxBytes: 8 * MIB, expiresAt: new FakeClock().now() + 60_000 },
    ...change,
  });
  const of = ({ session, content, consumer: by }: OpenDelivery) => ({ channelId: session, content, consumer: by });
  const here = new AbortController().signal;

  it('is waited for a little, and for more where more is asked for', async () => {
    const clock = new FakeClock();
    const terms = createDeliveryTerms({ clock, now: clock.now });
    const one = open();
    const asked = terms.of(of(one), MIB, here);
    terms.told([open(), one]);
    expect(await asked).toMatchObject({ price: 5n, maxBytes: 8 * MIB });
    expect(await terms.of(of(one), 8 * MIB, here)).toMatchObject({ maxBytes: 8 * MIB });
    const more = terms.of(of(one), 9 * MIB, here);
    terms.told([{ ...one, maxBytes: 16 * MIB }]);
    expect(await more).toMatchObject({ maxBytes: 16 * MIB });
    const most = terms.of(of(one), 17 * MIB, here);
    await clock.advance(5_000);
    expect(await most).toMatchObject({ maxBytes: 16 * MIB });
    expect(clock.pending()).toBe(0);
  });

  it('is nothing for others, after its time, in another network, or for who has left', async () => {
    const clock = new FakeClock();
    const terms = createDeliveryTerms({ clock, now: clock.now });
    const one = open();
    terms.told([one]);
    const stranger = terms.of({ ...of(one), consumer: randomAddress() }, MIB, here);
    await clock.advance(5_000);
    expect(await stranger).toBeNull();
    const leaving = new AbortController();
    const gone = terms.of({ ...of(one), content: randomHex32() }, MIB, leaving.signal);
    leaving.abort();
    expect(await gone).toBeNull();
    await clock.advance(55_000);
    const late = terms.of(of(one), MIB, here);
    await clock.advance(5_000);
    expect(await late).toBeNull();
    terms.told([open({ ...one, expiresAt: clock.now() + 60_000 })]);
    terms.reset();
    const left = terms.of(of(one), MIB, here);
    await clock.advance(5_000);
    expect([await left, clock.pending()]).toEqual([null, 0]);
  });

  it('is served, signed for, kept and handed in', async () => {
    const clock = new FakeClock();
    const device = randomAddress();
    const sent: Sent[] = [];
    const earned: bigint[] = [];
    const deliveries = createDeliveries({
      ...{ clock, log: () => undefined, network: () => NETWORK, device, now: clock.now },
      receipts: (networkId) => receiptFiles(join(folder, networkId)),
      booked: ({ credited }) => void earned.push(credited),
      send(message) {
        if (message.type === 'deliveries') sent.push(message.receipts);
        return true;
      },
    });
    const one = open();
    const about = { session: one.session, device, content: one.content, price: one.price };
    deliveries.joined();
    const allowed = deliveries.meter.allow(of(one), MIB, here);
    deliveries.heard({ type: 'deliveries-open', deliveries: [one] });
    await allowed;
    deliveries.meter.served(of(one), MIB);
    const { value, signature } = await receiptBy(consumer, about, MIB);
    async function* body() {
      const text = JSON.stringify({ value: { ...value, price: String(value.price) }, signature });
      yield new TextEncoder().encode(text);
    }
    const request = { channelId: one.session, consumer: consumer.address, params: {}, headers: {}, signal: here };
    expect(await deliveries.route.handle({ ...request, body: body() })).toEqual({ status: 204 });
    expect(await receiptFiles(join(folder, NETWORK.networkId)).all()).toEqual([{ value, signature }]);
    await clock.advance(10_000);
    await until('it is handed in', () => sent.length === 1);
    const { session, content } = one;
    deliveries.heard({ type: 'deliveries-booked', outcomes: [{ session, content, bytes: MIB, credited: 5n }] });
    expect(earned).toEqual([5n]);
    deliveries.ended(one.session);
    deliveries.left();
    deliveries.close();
    expect(clock.pending()).toBe(0);
  });
});
