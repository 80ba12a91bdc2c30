import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTokens } from '../../../core/money.ts';
import { TestNetwork, WORKLOAD } from '../../support/network.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const HOUR = 3_600_000;
const MINUTE = 60_000;

describe('a result that nobody confirms', () => {
  let network: TestNetwork;
  const started = Date.now();
  let ahead = 0;
  beforeAll(async () => {
    network = await TestNetwork.start({
      ...{ replicas: 1, keepJobsMs: MINUTE, leaseMs: MINUTE },
      clock: { now: () => started + ahead },
    });
  }, 60_000);
  afterAll(() => network.stop());

  it('keeps the hold for so long after its own deadline, then ends without pay and without blame', async () => {
    const deposit = parseTokens('5');
    const consumer = await network.consumer(deposit);
    const device = await network.device();
    const job = await consumer.submit('echo', bytes('alone'));
    const lease = await device.nextLease();
    await device.finish(lease, bytes('alone!'));
    await device.told('result-stored');
    ahead = MINUTE + 10_000;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect((await consumer.job(job.jobId)).state).toBe('verifying');
    ahead = 2 * MINUTE + 10_000;
    const ended = await consumer.follow(job.jobId, ['failed', 'done']);
    const why = 'no other device confirmed the result in time';
    expect(ended).toMatchObject({ state: 'failed', charged: 0n, failure: why });
    expect((await device.told('verdict')).verdict).toEqual({ leaseId: lease.leaseId, kind: 'rejected', reason: why });
    expect((await network.books(consumer.account.address)).deposit).toBe(deposit);
    // A device that was away hears it when it comes back.
    await device.hangUp();
    const from = device.messages.length;
    await device.connect([WORKLOAD], [lease.leaseId]);
    expect((await device.told('verdict', () => true, from)).verdict).toMatchObject({ kind: 'rejected', reason: why });
    await device.hangUp();
  }, 60_000);
});

describe('a job that nobody does', () => {
  let network: TestNetwork;
  const started = Date.now();
  let ahead = 0;
  beforeAll(async () => {
    network = await TestNetwork.start({
      keepJobsMs: HOUR,
      leaseMs: 10 * HOUR,
      keepBlobsMs: 100 * HOUR,
      clock: { now: () => started + ahead },
    });
  }, 60_000);
  afterAll(() => network.stop());

  it('fails once it is too old and gives its hold back; one that a device works on stays', async () => {
    const deposit = parseTokens('5');
    const consumer = await network.consumer(deposit);
    const device = await network.device();
    const worked = await consumer.submit('echo', bytes('worked on'));
    const lease = await device.nextLease();
    device.send({ type: 'ready', lane: 'cpu', slots: 0 });
    const left = await consumer.submit('echo', bytes('left'));
    ahead = HOUR + 60_000;
    const failed = await consumer.follow(left.jobId, ['failed', 'done']);
    expect(failed).toMatchObject({ state: 'failed', charged: 0n, failure: 'no device could do it for too long' });
    expect((await consumer.job(worked.jobId)).state).toBe('running');
    expect((await network.books(consumer.account.address)).deposit).toBe(deposit - worked.hold);

    await device.finish(lease, bytes('done'));
    expect((await consumer.follow(worked.jobId, ['failed', 'done'])).state).toBe('done');
    await device.hangUp();
  }, 60_000);
});
