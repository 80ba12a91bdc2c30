import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseTokens } from '../../../core/money.ts';
import { outcomesHash, reportHash } from '../../../core/typed-data.ts';
import { randomHex32, sha256, type TestConsumer, type TestDevice } from '../../support/device.ts';
import { freePort } from '../../support/free-port.ts';
import { PRICE, TestNetwork, WORKLOAD } from '../../support/network.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('a coordinator that a power cut threw back', () => {
  let network: TestNetwork;
  let consumer: TestConsumer;
  beforeAll(async () => {
    network = await TestNetwork.start({ port: await freePort(), epochEveryMs: 3_600_000 });
    consumer = await network.consumer(parseTokens('5'));
  }, 60_000);
  afterAll(() => network.stop());

  async function earn(device: TestDevice, text: string) {
    const from = device.messages.length;
    device.send({ type: 'ready', lane: 'cpu', slots: 1 });
    await consumer.submit('echo', bytes(text));
    const lease = await device.nextLease(from);
    await device.finish(lease, bytes(text));
    await device.told('verdict', ({ verdict }) => verdict.leaseId === lease.leaseId, from);
    return { leaseId: lease.leaseId, outputHash: sha256(bytes(text)), amount: PRICE };
  }

  it('credits the report that it lost once more when it is sent again, and then the one after it', async () => {
    const device = await network.device(0);
    const items = [await earn(device, 'one'), await earn(device, 'two'), await earn(device, 'three')];
    const [first, second, third] = items;
    if (first === undefined || second === undefined || third === undefined) expect.unreachable();
    const { value: kept } = await device.report([first]);

    await network.halt();
    const goBack = await network.keepBooks();
    await network.restart();
    await device.connect([WORKLOAD]);
    await device.report([second]);
    const lost = device.lastReport ?? expect.unreachable();
    await network.halt();
    await goBack();
    await network.restart();

    const from = device.messages.length;
    const welcome = await device.connect([WORKLOAD]);
    expect(welcome.lastReport).toEqual({ sequence: 1, reportHash: kept.reportHash });
    const next = await device.makeReport([third]);
    device.send({ type: 'report', ...next, items: [...next.items] });
    expect((await device.told('error', () => true, from)).code).toBe('CONFLICT');

    const receipt = await device.sendReport(lost);
    expect(receipt.value).toMatchObject({
      reportHash: reportHash(lost.value),
      credited: PRICE,
      cumulative: 2n * PRICE,
    });
    expect(await device.sendReport(lost)).toEqual(receipt);
    expect((await device.sendReport(next)).value).toMatchObject({ credited: PRICE, cumulative: 3n * PRICE });
    expect((await network.books(device.owner.address)).credited).toBe(3n * PRICE);
    await device.hangUp();
  }, 60_000);

  it('keeps nothing of items that name no lease, and yet answers the report as before when it is sent again', async () => {
    const device = await network.device(0);
    const good = await earn(device, 'good');
    const invented = () => ({ leaseId: randomHex32(), outputHash: randomHex32(), amount: PRICE });
    const items = [invented(), good, ...Array.from({ length: 500 }, invented), good];
    const receipt = await device.report(items);
    const outcomes = receipt.outcomes.map((outcome) => (outcome.kind === 'credited' ? outcome.amount : outcome.reason));
    expect(outcomes).toEqual([
      'unknown-lease',
      PRICE,
      ...Array.from({ length: 500 }, () => 'unknown-lease'),
      'already-credited',
    ]);
    expect(receipt.value.outcomesHash).toBe(outcomesHash(receipt.outcomes));
    expect(await device.sendReport(device.lastReport ?? expect.unreachable())).toEqual(receipt);
    await device.hangUp();

    await network.halt();
    const db = await network.openBooks();
    const [row] = await db.query(
      z.object({ bytes: z.number() }),
      `SELECT (length(reports.items) + length(receipts.outcomes))::int AS bytes
       FROM reports JOIN receipts USING (report_hash) WHERE device = $1`,
      [device.key.address],
    );
    await db.close();
    expect(row?.bytes).toBeLessThan(1_000);
    await network.restart();
  }, 60_000);
});
