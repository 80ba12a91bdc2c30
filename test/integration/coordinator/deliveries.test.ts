import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Consumer } from '../../../cli/consumer.ts';
import { API } from '../../../core/api.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { costOf, type SignedReceipt } from '../../../core/receipts.ts';
import type { DeliveryOutcome } from '../../../core/wire-delivery.ts';
import { newAccount } from '../../support/chain.ts';
import { randomHex32, Signatory, type TestConsumer, type TestDevice } from '../../support/device.ts';
import { TestNetwork, WORKLOAD } from '../../support/network.ts';
import { MIB, receiptBy } from '../../support/receipts.ts';
import { until } from '../../support/wait.ts';

const PRICE = 1_000_003n;

describe('a delivery', () => {
  let network: TestNetwork;
  let payer: TestConsumer;
  let consumer: Consumer;
  let signs: Signatory;
  let device: TestDevice;
  beforeAll(async () => {
    network = await TestNetwork.start({ deliveryPrice: PRICE, feeBps: 1_000, epochEveryMs: 200 });
    payer = await network.consumer();
    consumer = await Consumer.connect(network.url, payer.account.privateKey);
    signs = new Signatory(payer.account, network.coordinator.network);
    device = await network.device(0);
  }, 120_000);
  afterAll(() => network.stop());

  const order = (session: Hex32, content: Hex32, maxBytes: number, who = consumer) =>
    who.client.call(API.deliver, { body: { session, content, device: device.key.address, maxBytes } });
  /** One that is ordered, and the receipts that its consumer signs. */
  async function ordered(maxBytes: number) {
    const [session, content] = [randomHex32(), randomHex32()];
    const grant = await order(session, content, maxBytes);
    const about = { session, content, device: device.key.address, price: grant.price };
    return { ...about, grant, sign: (bytes: number, who = signs) => receiptBy(who, about, bytes) };
  }
  async function redeem(receipts: readonly SignedReceipt[]): Promise<readonly DeliveryOutcome[]> {
    const from = device.messages.length;
    device.send({ type: 'deliveries', receipts: [...receipts] });
    return (await device.told('deliveries-booked', () => true, from)).outcomes;
  }
  const paid = (from: number, to: number): bigint => {
    const cost = costOf(to, PRICE) - costOf(from, PRICE);
    return cost - (cost + 9n) / 10n;
  };
  const again = async (): Promise<void> => {
    await device.hangUp();
    await device.connect([WORKLOAD]);
  };

  it('costs what is told beforehand, is held from the deposit, and its device hears of it', async () => {
    expect(await consumer.client.call(API.prices, {})).toEqual({ deliveryPerMiB: PRICE });
    const before = await consumer.client.call(API.account, {});
    const { session, content, grant } = await ordered(10 * MIB);
    expect(grant).toMatchObject({ session, content, price: PRICE, maxBytes: 10 * MIB, held: 10n * PRICE });
    expect(grant.expiresAt).toBeGreaterThan(Date.now());
    const after = await consumer.client.call(API.account, {});
    expect([after.held - before.held, before.deposit - after.deposit]).toEqual([10n * PRICE, 10n * PRICE]);
    const isIt = ({ deliveries }: { readonly deliveries: readonly { readonly session: Hex32 }[] }) =>
      deliveries.some((one) => one.session === session);
    const { held: _held, device: _device, ...open } = grant;
    expect((await device.told('deliveries-open', isIt)).deliveries).toEqual([{ ...open, consumer: consumer.address }]);
    // It hears of more, and of all that is open when it comes back.
    await order(session, content, 12 * MIB);
    const from = device.messages.length;
    await again();
    const told = await device.told('deliveries-open', isIt, from);
    expect(told.deliveries.find((one) => one.session === session)?.maxBytes).toBe(12 * MIB);
  });

  it('is redeemed by receipts, each of which counts once, and paid by a root', async () => {
    const { session, content, sign } = await ordered(16 * MIB);
    const [four, seven] = [await sign(4 * MIB), await sign(7 * MIB)];
    const booked = (bytes: number, credited: bigint) => ({ session, content, bytes, credited });
    expect(await redeem([four])).toEqual([booked(4 * MIB, paid(0, 4 * MIB))]);
    expect(await redeem([four])).toEqual([booked(4 * MIB, 0n)]);
    expect(await redeem([seven, four, seven])).toEqual([
      booked(7 * MIB, paid(4 * MIB, 7 * MIB)),
      booked(7 * MIB, 0n),
      booked(7 * MIB, 0n),
    ]);
    const owed = paid(0, 4 * MIB) + paid(4 * MIB, 7 * MIB);
    await until('a root', async () => (await network.books(device.owner.address)).published === owed);
    expect((await network.books(device.owner.address)).credited).toBe(owed);
  });

  it('is not redeemed by what its consumer did not sign, or by who did not serve it', async () => {
    const { session, content, sign } = await ordered(16 * MIB);
    const good = await sign(4 * MIB);
    const refused = (code: string) => ({ session, content, refused: code });
    const wrong = [
      await sign(MIB, new Signatory(newAccount(), network.coordinator.network)),
      { ...good, value: { ...good.value, bytes: 8 * MIB } },
      { ...good, value: { ...good.value, price: PRICE + 1n } },
    ];
    expect(await redeem(wrong)).toEqual([refused('other-terms'), refused('not-signed'), refused('other-terms')]);
    const thief = await network.device(0);
    thief.send({ type: 'deliveries', receipts: [good] });
    expect((await thief.told('deliveries-booked')).outcomes).toEqual([refused('other-device')]);
    const strange = await receiptBy(signs, { ...good.value, session: randomHex32() }, MIB);
    expect(await redeem([strange, good])).toMatchObject([{ refused: 'unknown' }, { bytes: 4 * MIB }]);
    await thief.hangUp();
  });

  it('needs a deposit, a device that is there, and a session of one’s own', async () => {
    const { session, content } = await ordered(MIB);
    const poor = await Consumer.connect(network.url, newAccount().privateKey);
    await expect(order(randomHex32(), content, MIB, poor)).rejects.toMatchObject({ code: 'INSUFFICIENT_FUNDS' });
    await expect(order(session, content, 2 * MIB, poor)).rejects.toMatchObject({ code: 'CONFLICT' });
    const stranger = { session, content, device: newAccount().address, maxBytes: MIB };
    await expect(consumer.client.call(API.deliver, { body: stranger })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(order(session, content, 0)).rejects.toMatchObject({ code: 'BAD_INPUT' });
  });

  it('goes on after its coordinator was gone', async () => {
    const { session, content, sign } = await ordered(16 * MIB);
    expect(await redeem([await sign(4 * MIB)])).toMatchObject([{ bytes: 4 * MIB }]);
    const before = await network.books(device.owner.address);
    await network.restart();
    // Another port: all of them come anew.
    device = device.movedTo(network.url);
    await device.connect([WORKLOAD]);
    expect(await redeem([await sign(4 * MIB), await sign(9 * MIB)])).toEqual([
      { session, content, bytes: 4 * MIB, credited: 0n },
      { session, content, bytes: 9 * MIB, credited: paid(4 * MIB, 9 * MIB) },
    ]);
    const after = await network.books(device.owner.address);
    expect(after.credited - before.credited).toBe(paid(4 * MIB, 9 * MIB));
    await device.hangUp();
  });
});
