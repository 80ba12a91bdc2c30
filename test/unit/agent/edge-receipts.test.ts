import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { receiptFiles } from '../../../agent/adapters/receipt-files.ts';
import { receiptRoute } from '../../../agent/edge/receipts.ts';
import { costOf, RECEIPTS } from '../../../core/receipts.ts';
import { encodeWire } from '../../../core/wire.ts';
import { newAccount } from '../../support/chain.ts';
import { Signatory } from '../../support/device.ts';
import { inOne } from '../../support/edge.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';
import { MIB, NETWORK, receiptBy, receiptStage } from '../../support/receipts.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'idlemesh-receipts-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Whether it is settled by now, and how. */
function watched(promise: Promise<unknown>) {
  const seen: { state: 'waits' | 'done' | string } = { state: 'waits' };
  promise.then(
    () => {
      seen.state = 'done';
    },
    (error: Error & { code?: string }) => {
      seen.state = error.code ?? error.message;
    },
  );
  return seen;
}

/** As much as is given without a receipt. */
async function upToTheLimit(stage: ReturnType<typeof receiptStage>): Promise<void> {
  for (let out = 0; out < RECEIPTS.unsignedBytes; out += MIB) await stage.serve(MIB);
}

describe('the meter', () => {
  it('waits at the unsigned limit, and goes on as far as a receipt reaches', async () => {
    const stage = receiptStage(folder);
    await upToTheLimit(stage);
    const next = watched(stage.allow(MIB));
    const after = watched(stage.allow(MIB));
    await stage.clock.advance(1_000);
    expect([next.state, after.state]).toEqual(['waits', 'waits']);
    await stage.sign(MIB);
    await stage.clock.advance(0);
    expect([next.state, after.state].sort()).toEqual(['done', 'waits']);
    await stage.sign(2 * MIB);
    await stage.clock.advance(0);
    expect([next.state, after.state]).toEqual(['done', 'done']);
    expect(stage.clock.pending()).toBe(0);
  });

  it('refuses who signs nothing for too long, and serves it again once it does', async () => {
    const stage = receiptStage(folder);
    await upToTheLimit(stage);
    const late = watched(stage.allow(MIB));
    await stage.clock.advance(29_999);
    expect(late.state).toBe('waits');
    await stage.clock.advance(1);
    expect(late.state).toBe('REFUSED');
    await stage.sign(4 * MIB);
    await stage.serve(4 * MIB);
    expect(stage.clock.pending()).toBe(0);
  });

  it('counts what was let out and never sent as free once nothing is on its way', async () => {
    const stage = receiptStage(folder);
    for (let n = 0; n < 8; n++) await stage.allow(MIB);
    const next = watched(stage.allow(2 * MIB));
    for (let n = 0; n < 7; n++) stage.meter.served(stage.session, MIB);
    await stage.clock.advance(0);
    expect(next.state).toBe('waits');
    // The consumer left off in the middle of the last one: half of it is not out, and the other half is not signed for.
    stage.meter.served(stage.session, MIB / 2);
    await stage.clock.advance(0);
    expect(next.state).toBe('waits');
    await stage.sign(MIB / 2 + MIB);
    await stage.clock.advance(0);
    expect(next.state).toBe('done');
  });

  it('serves nobody who has set nothing aside, and no more than was', async () => {
    const stage = receiptStage(folder);
    stage.state.terms = null;
    await expect(stage.allow(1)).rejects.toMatchObject({ code: 'REFUSED' });
    stage.state.terms = { price: 1_000_003n, maxBytes: 3 * MIB };
    await stage.serve(2 * MIB);
    await expect(stage.allow(MIB + 1)).rejects.toMatchObject({ code: 'REFUSED' });
    await stage.serve(MIB);
    stage.state.terms = { price: 1_000_003n, maxBytes: 4 * MIB };
    await stage.serve(MIB);
    await expect(stage.allow(RECEIPTS.unsignedBytes + 1)).rejects.toMatchObject({ code: 'REFUSED' });
  });

  it('takes no receipt that is about something else, that another signed, or that is for more than was served', async () => {
    const stage = receiptStage(folder);
    await expect(stage.sign(MIB)).rejects.toMatchObject({ code: 'BAD_INPUT' });
    await upToTheLimit(stage);
    const wrong = [
      ...[{ session: randomHex32() }, { consumer: randomAddress() }, { device: randomAddress() }],
      ...[{ content: randomHex32() }, { price: 1_000_002n }, { bytes: RECEIPTS.unsignedBytes + 1 }],
    ];
    for (const changed of wrong) {
      await expect(stage.sign(MIB, changed)).rejects.toMatchObject({ code: 'BAD_INPUT' });
    }
    const { value } = await stage.receipt(MIB);
    const thief = new Signatory(newAccount(), NETWORK);
    const forged = { value, signature: await thief.sign('TransferReceipt', value) };
    await expect(stage.meter.signed(stage.session, forged)).rejects.toMatchObject({ code: 'UNAUTHORISED' });
    // One that was changed after it was signed.
    const raised = { ...(await stage.receipt(MIB)), value: { ...value, bytes: 2 * MIB } };
    await expect(stage.meter.signed(stage.session, raised)).rejects.toMatchObject({ code: 'UNAUTHORISED' });
    expect(await stage.files.all()).toEqual([]);
    expect(stage.kept).toEqual([]);
    // None of them counted.
    const next = watched(stage.allow(1));
    await stage.clock.advance(1_000);
    expect(next.state).toBe('waits');
    stage.meter.ended(stage.session.channelId);
  });

  it('counts nothing that the disk did not take', async () => {
    const stage = receiptStage(folder);
    await upToTheLimit(stage);
    const next = watched(stage.allow(MIB));
    stage.state.full = true;
    await expect(stage.sign(4 * MIB)).rejects.toMatchObject({ code: 'DISK_FULL' });
    await stage.clock.advance(1_000);
    expect([next.state, stage.kept.length]).toEqual(['waits', 0]);
    stage.state.full = false;
    await stage.sign(4 * MIB);
    await stage.clock.advance(0);
    expect([next.state, stage.kept.length]).toEqual(['done', 1]);
  });

  it('keeps the newest of a session, in whatever order they come', async () => {
    const stage = receiptStage(folder);
    await upToTheLimit(stage);
    const receipts = await Promise.all([3, 1, 4, 2].map((n) => stage.receipt(n * MIB)));
    await Promise.all(receipts.map((one) => stage.meter.signed(stage.session, one)));
    await stage.sign(3 * MIB);
    expect((await stage.files.all()).map(({ value }) => value.bytes)).toEqual([4 * MIB]);
    expect(stage.kept.map(({ value }) => value.bytes)).toEqual([3 * MIB, 4 * MIB]);
    await stage.serve(4 * MIB);
    const next = watched(stage.allow(1));
    await stage.clock.advance(1_000);
    expect(next.state).toBe('waits');
    stage.meter.ended(stage.session.channelId);
  });

  it('lets go of who has left, and of a channel that is over', async () => {
    const stage = receiptStage(folder);
    await upToTheLimit(stage);
    const left = watched(stage.allow(MIB));
    await stage.clock.advance(0);
    stage.leaving.abort();
    await stage.clock.advance(0);
    expect(left.state).toBe('CANCELLED');
    const over = watched(stage.meter.allow(stage.session, MIB, new AbortController().signal));
    await stage.clock.advance(0);
    stage.meter.ended(stage.session.channelId);
    await stage.clock.advance(0);
    expect([over.state, stage.clock.pending()]).toEqual(['CANCELLED', 0]);
    // Nothing of it is remembered but what lies on the disk.
    await expect(stage.sign(MIB)).rejects.toMatchObject({ code: 'BAD_INPUT' });
  });

  it('is handed receipts over the channel that they are for', async () => {
    const stage = receiptStage(folder);
    await stage.serve(2 * MIB);
    const route = receiptRoute(stage.meter);
    const hand = (body: string) =>
      route.handle({
        ...{ channelId: stage.session.channelId, consumer: stage.consumer.address, params: {}, headers: {} },
        ...{ body: inOne(Buffer.from(body)), signal: stage.leaving.signal },
      });
    expect(await hand(encodeWire(await stage.receipt(2 * MIB)))).toEqual({ status: 204 });
    expect(stage.kept.length).toBe(1);
    for (const broken of ['', '{}', '[', 'x'.repeat(5_000), encodeWire({ ...(await stage.receipt(1)), more: 1 })]) {
      await expect(hand(broken)).rejects.toMatchObject({ code: 'BAD_INPUT' });
    }
  });
});

describe('receipts in files', () => {
  it('outlive the process, one for each session and content', async () => {
    const consumer = new Signatory(newAccount(), NETWORK);
    const about = { session: randomHex32(), device: randomAddress(), content: randomHex32(), price: 5n };
    const other = { ...about, content: randomHex32() };
    const store = receiptFiles(folder);
    await store.keep(await receiptBy(consumer, about, 1));
    await store.keep(await receiptBy(consumer, other, 7));
    const newest = await receiptBy(consumer, about, 2);
    await store.keep(newest);
    const anew = receiptFiles(folder);
    expect((await anew.all()).map(({ value }) => value.bytes).sort()).toEqual([2, 7]);
    expect(await anew.all()).toContainEqual(newest);
    // Settled up to where it was before: a newer one has come since.
    await anew.drop({ ...about, bytes: 1 });
    expect((await anew.all()).map(({ value }) => value.bytes).sort()).toEqual([2, 7]);
    await anew.drop({ ...about, bytes: 2 });
    await anew.drop({ ...about, bytes: 2 });
    expect((await store.all()).map(({ value }) => value.bytes)).toEqual([7]);
  });

  it('are whole, whatever a killed process has left beside them', async () => {
    const consumer = new Signatory(newAccount(), NETWORK);
    const about = { session: randomHex32(), device: randomAddress(), content: randomHex32(), price: 5n };
    const store = receiptFiles(folder);
    const first = await receiptBy(consumer, about, 1);
    await store.keep(first);
    const [name = ''] = await readdir(folder);
    // Killed between write and rename; and what no version of this program has written.
    const second = encodeWire(await receiptBy(consumer, about, 2));
    await writeFile(join(folder, `${name}.0123456789ab.tmp`), second.slice(0, 40));
    await writeFile(join(folder, `${name}.ba9876543210.tmp`), second);
    await writeFile(join(folder, 'other.json'), second.slice(0, 40));
    expect(await receiptFiles(folder).all()).toEqual([first]);
    expect(await receiptFiles(join(folder, 'none')).all()).toEqual([]);
  });
});

it('costs what all steps together cost, to the unit', () => {
  const steps = fc.array(fc.integer({ min: 0, max: 16 * MIB }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(steps, fc.bigInt({ min: 0n, max: 10n ** 24n }), (sizes, price) => {
      let [bytes, paid] = [0, 0n];
      for (const size of sizes) {
        const before = costOf(bytes, price);
        bytes += size;
        const step = costOf(bytes, price) - before;
        expect(step >= 0n).toBe(true);
        paid += step;
      }
      expect(paid).toBe((BigInt(bytes) * price) / BigInt(MIB));
    }),
  );
  expect(costOf(MIB, 9_765_625n)).toBe(9_765_625n);
  expect(costOf(MIB - 1, 1n)).toBe(0n);
});
