import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTokens } from '../../../core/money.ts';
import { TestNetwork } from '../../support/network.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const HOUR = 3_600_000;

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
