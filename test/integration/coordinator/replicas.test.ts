import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTokens } from '../../../core/money.ts';
import { sha256, type TestConsumer } from '../../support/device.ts';
import { PRICE, TestNetwork } from '../../support/network.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('work checked by a replica', () => {
  let network: TestNetwork;
  let consumer: TestConsumer;
  beforeAll(async () => {
    network = await TestNetwork.start({ replicas: 1 });
    consumer = await network.consumer(parseTokens('100'));
  }, 60_000);
  afterAll(() => network.stop());

  it('pays both who agree, and gives the third share back', async () => {
    const before = (await network.books(consumer.account.address)).deposit;
    const [a, b] = [await network.device(), await network.device()];
    const job = await consumer.submit('echo', bytes('agree'));
    expect(job.hold).toBe(3n * PRICE);
    const [leaseA, leaseB] = [await a.nextLease(), await b.nextLease()];
    expect(leaseA.leaseId).not.toBe(leaseB.leaseId);
    await a.finish(leaseA, bytes('same'));
    await a.told('result-stored');
    expect((await consumer.follow(job.jobId, ['verifying'])).outputHash).toBeNull();
    await b.finish(leaseB, bytes('same'));
    expect((await a.told('verdict')).verdict.kind).toBe('accepted');
    expect((await b.told('verdict')).verdict.kind).toBe('accepted');
    expect(await consumer.follow(job.jobId, ['done', 'failed'])).toMatchObject({ state: 'done', charged: 2n * PRICE });
    expect((await network.books(consumer.account.address)).deposit).toBe(before - 2n * PRICE);
    await a.hangUp();
    await b.hangUp();
  });

  it('asks a third when two differ, accepts the majority and rejects who stands alone', async () => {
    const before = (await network.books(consumer.account.address)).deposit;
    const [honest, liar] = [await network.device(), await network.device()];
    const job = await consumer.submit('echo', bytes('differ'));
    const [right, wrong] = [await honest.nextLease(), await liar.nextLease()];
    await honest.finish(right, bytes('true'));
    await liar.finish(wrong, bytes('false'));
    await liar.told('result-stored');
    const judge = await network.device();
    await judge.finish(await judge.nextLease(), bytes('true'));
    expect((await honest.told('verdict')).verdict.kind).toBe('accepted');
    expect((await judge.told('verdict')).verdict.kind).toBe('accepted');
    expect((await liar.told('verdict')).verdict).toMatchObject({ kind: 'rejected' });
    const done = await consumer.follow(job.jobId, ['done', 'failed']);
    expect(done).toMatchObject({ state: 'done', outputHash: sha256(bytes('true')), charged: 2n * PRICE });
    expect((await network.books(consumer.account.address)).deposit).toBe(before - 2n * PRICE);

    const item = { leaseId: wrong.leaseId, outputHash: sha256(bytes('false')), amount: PRICE };
    const receipt = await liar.report([item]);
    expect(receipt.outcomes).toEqual([{ leaseId: wrong.leaseId, kind: 'refused', reason: 'not-verified' }]);
    expect(receipt.value.credited).toBe(0n);
    for (const device of [honest, liar, judge]) await device.hangUp();
  });

  it('never gives two copies of a job to one owner', async () => {
    const one = await network.device();
    const two = await network.device(1, one.ownerAccount);
    const job = await consumer.submit('echo', bytes('one owner'));
    const first = await Promise.race([one.nextLease(), two.nextLease()]);
    const other = await network.device();
    const second = await other.nextLease();
    expect(second.jobId).toBe(job.jobId);
    const leases = [...one.messages, ...two.messages].filter((message) => message.type === 'lease');
    expect(leases.map((message) => message.lease.leaseId)).toEqual([first.leaseId]);
    for (const device of [one, two, other]) await device.hangUp();
  });
});
