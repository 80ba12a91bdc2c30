import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { clawBack } from '../../../coordinator/clawback.ts';
import { holdCredits, releaseCredits } from '../../../coordinator/credits.ts';
import type { Sql } from '../../../coordinator/db.ts';
import { balanceOf, booksBalance } from '../../../coordinator/ledger.ts';
import { Signer } from '../../../coordinator/signing.ts';
import { parseTokens } from '../../../core/money.ts';
import { type Hex32, ZERO_HASH } from '../../../core/primitives.ts';
import { clawedHash, domainOf, reportHash } from '../../../core/typed-data.ts';
import { clawBacks, quote } from '../../../core/wire.ts';
import { post, type TestConsumer, type TestDevice } from '../../support/device.ts';
import { earn as earnOne } from '../../support/earn.ts';
import { freePort } from '../../support/free-port.ts';
import { PRICE, TestNetwork, WORKLOAD } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

/** Short, for an order is good for some minutes only. */
const HOLD_BACK = 20_000;
const FEE_BPS = 250;
const FEE = (PRICE * BigInt(FEE_BPS)) / 10_000n;
const PAY = PRICE - FEE;

describe('credits that can be clawed back', () => {
  let network: TestNetwork;
  let consumer: TestConsumer;
  const started = Date.now();
  let ahead = 0;
  const logged: string[] = [];
  beforeAll(async () => {
    network = await TestNetwork.start({
      ...{ port: await freePort(), feeBps: FEE_BPS, maturityMs: HOLD_BACK, epochEveryMs: 100 },
      ...{ clock: { now: () => started + ahead }, log: (level, event) => void logged.push(`${level} ${event}`) },
    });
    consumer = await network.consumer(parseTokens('5'));
  }, 60_000);
  afterAll(() => network.stop());

  const earn = (device: TestDevice, text: string) => earnOne(consumer, device, text);

  /** In the coordinator's own books, while it is away. */
  async function inBooks<T>(work: (sql: Sql, signer: Signer) => Promise<T>): Promise<T> {
    await network.halt();
    const db = await network.openBooks();
    try {
      const { chainId, distributor, publisher } = network.chain;
      const signer = new Signer(publisher.privateKey, domainOf(chainId, distributor));
      return await db.tx((sql) => work(sql, signer));
    } finally {
      await db.close();
      await network.restart();
    }
  }
  const readiness = async () => await (await fetch(`${network.url}/readyz`)).json();

  it('name the fee in the quote, pay the rest, and are published only when mature', async () => {
    const asked = await post(`${network.url}/v1/quotes`, { workload: 'echo', inputBytes: 3, params: {} });
    expect(quote.parse(await asked.json())).toMatchObject({ price: PRICE, pay: PAY, fee: FEE });
    const device = await network.device(0);
    const { item } = await earn(device, 'patient');
    expect(item.amount).toBe(PAY);
    expect((await device.report([item])).value).toMatchObject({ credited: PAY, cumulative: PAY });
    const owner = device.owner.address;
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await network.books(owner)).toMatchObject({ credited: PAY, pending: PAY, matured: 0n, published: 0n });
    ahead += HOLD_BACK + 1;
    await until('the epoch', async () => (await network.books(owner)).published === PAY);
    expect(await network.books(owner)).toMatchObject({ credited: PAY, pending: 0n, matured: 0n, claimed: 0n });
    await device.hangUp();
    expect(await inBooks((sql) => balanceOf(sql, 'fees'))).toBe(FEE);
  }, 60_000);

  it('go back to the consumer in full, once, with a signed word to the owner; what is mature stays', async () => {
    const device = await network.device(0);
    const owner = device.owner.address;
    const [kept, taken, unreported] = [await earn(device, 'k'), await earn(device, 't'), await earn(device, 'u')];
    await device.report([kept.item]);
    ahead += HOLD_BACK + 1;
    await until('the epoch', async () => (await network.books(owner)).published === PAY);
    await device.report([taken.item]);
    await device.hangUp();
    const before = (await network.books(consumer.account.address)).deposit;

    const leases: Hex32[] = [kept, taken, unreported].map(({ item }) => item.leaseId);
    const records = await inBooks(async (sql, signer) => {
      const first = await clawBack(sql, signer, leases, 'its results were false', started + ahead);
      expect(await clawBack(sql, signer, leases, 'again', started + ahead)).toEqual([]);
      expect(await booksBalance(sql)).toBe(true);
      return first;
    });
    expect(records).toHaveLength(1);
    expect((await network.books(consumer.account.address)).deposit).toBe(before + 2n * PRICE);
    expect(await network.books(owner)).toMatchObject({
      credited: PAY,
      pending: 0n,
      published: PAY,
      clawedBack: 2n * PAY,
    });
    expect((await consumer.job(taken.job.jobId)).charged).toBe(0n);
    expect((await consumer.job(kept.job.jobId)).charged).toBe(PRICE);
    const shown = clawBacks.parse(await (await fetch(`${network.url}/v1/owners/${owner}/clawbacks`)).json());
    expect(shown.clawBacks).toEqual(records);
    const [record] = shown.clawBacks;
    expect(record?.value).toMatchObject({ owner, why: 'its results were false', total: 2n * PAY, itemCount: 2 });
    expect(record?.value.itemsHash).toBe(clawedHash(record?.items ?? []));

    await device.connect([WORKLOAD]);
    const late = await device.report([unreported.item]);
    expect(late.outcomes).toEqual([{ leaseId: unreported.item.leaseId, kind: 'refused', reason: 'not-verified' }]);
    await device.hangUp();
  }, 60_000);

  it('do not mature while they are held, and do as if nothing had been once they are released', async () => {
    const device = await network.device(0);
    const owner = device.owner.address;
    const { item } = await earn(device, 'held');
    await device.report([item]);
    await device.hangUp();
    await inBooks((sql) => holdCredits(sql, { leaseIds: [item.leaseId] }, 'suspicion', started + ahead));
    ahead += HOLD_BACK + 1;
    const other = await network.device(0);
    const { item: free } = await earn(other, 'free');
    await other.report([free]);
    ahead += HOLD_BACK + 1;
    await until('the epoch', async () => (await network.books(other.owner.address)).published === PAY);
    expect(await network.books(owner)).toMatchObject({ pending: PAY, published: 0n });
    await other.hangUp();
    await inBooks((sql) => releaseCredits(sql, [item.leaseId], started + ahead));
    await until('the epoch', async () => (await network.books(owner)).published === PAY);
  }, 60_000);

  it('are held, with both reports kept as proof, when their device signs two reports with one sequence', async () => {
    const device = await network.device(0);
    const { item } = await earn(device, 'forked');
    await device.report([item]);
    const first = device.lastReport ?? expect.unreachable();
    const fork = await device.makeReport([item], { sequence: 1, previous: ZERO_HASH, periodEnd: 9 });
    const from = device.messages.length;
    device.send({ type: 'report', ...fork, items: [...fork.items] });
    expect((await device.told('error', () => true, from)).code).toBe('CONFLICT');
    await device.ended();
    ahead += HOLD_BACK + 1;
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await network.books(device.owner.address)).toMatchObject({ pending: PAY, published: 0n });
    const row = z.object({ report_hash: z.string(), signature: z.string() });
    const proof = await inBooks((sql) =>
      sql.query(
        row,
        `SELECT report_hash, signature FROM reports WHERE device = $1
         UNION ALL SELECT report_hash, signature FROM report_forks WHERE device = $1`,
        [device.key.address],
      ),
    );
    expect(proof).toEqual([
      { report_hash: reportHash(first.value), signature: first.signature },
      { report_hash: reportHash(fork.value), signature: fork.signature },
    ]);
  }, 60_000);

  it('are in no root when a receipt was altered: it is logged, the coordinator is not ready, and nothing is published', async () => {
    const device = await network.device(0);
    const { item } = await earn(device, 'altered');
    await device.report([item]);
    await device.hangUp();
    expect(await readiness()).toEqual({ status: 'ready' });
    await inBooks((sql) =>
      sql.exec(`UPDATE receipts SET outcomes = replace(outcomes, $2, $3) WHERE owner = $1`, [
        device.owner.address,
        PAY.toString(),
        (PAY + 1n).toString(),
      ]),
    );
    const roots = await network.chain.distributorAs(network.chain.deployer).getFunction('rootCount').staticCall();
    ahead += HOLD_BACK + 1;
    logged.length = 0;
    await until('the alarm', async () => (await fetch(`${network.url}/readyz`)).status === 503);
    expect(await readiness()).toMatchObject({
      code: 'COORDINATOR_AWAY',
      detail: expect.stringMatching(/^not ready: the receipt of report 0x… does not add up$/),
    });
    await until('the alarm in the log', () => logged.includes('error epoch-not-published'));
    expect(await network.chain.distributorAs(network.chain.deployer).getFunction('rootCount').staticCall()).toBe(roots);
    expect((await network.books(device.owner.address)).published).toBe(0n);
  }, 60_000);
});
