import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { receiptFiles } from '../../../agent/adapters/receipt-files.ts';
import { createReceiptMeter } from '../../../agent/edge/receipts.ts';
import { fail } from '../../../core/errors.ts';
import { costOf, RECEIPTS, type Receipt, type SignedReceipt } from '../../../core/receipts.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { newAccount } from '../../support/chain.ts';
import { Signatory } from '../../support/device.ts';
import { NETWORK } from '../../support/rules.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';

const MIB = 1024 * 1024;
const never = new AbortController().signal;
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'idlemesh-receipts-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A device that serves, and a consumer that signs. */
function stage(options: { readonly full?: boolean } = {}) {
  const clock = new FakeClock();
  const account = newAccount();
  const consumer = new Signatory(account, NETWORK);
  const device = randomAddress();
  const price = 1_000_003n;
  const files = receiptFiles(folder);
  const keep = async (receipt: SignedReceipt) =>
    options.full === true ? fail('DISK_FULL', 'no room') : await files.keep(receipt);
  const meter = createReceiptMeter({
    ...{ clock, network: () => NETWORK, device: () => device, price: () => price, store: { keep } },
  });
  const session = { channelId: randomHex32(), consumer: consumer.address, content: randomHex32() };
  const receipt = async (bytes: number, change: Partial<Receipt> = {}): Promise<SignedReceipt> => {
    const value: Receipt = {
      ...{ session: session.channelId, consumer: consumer.address, device, content: session.content },
      ...{ bytes, price, issuedAt: clock.now(), ...change },
    };
    return { value, signature: await consumer.sign('TransferReceipt', value) };
  };
  async function serve(bytes: number): Promise<void> {
    await meter.allow(session, bytes, never);
    meter.served(session, bytes);
  }
  return { clock, meter, session, receipt, serve, files };
}
