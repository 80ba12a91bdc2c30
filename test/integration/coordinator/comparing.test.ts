import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { one } from '../../../coordinator/db.ts';
import { keepLikeness } from '../../../coordinator/likenesses.ts';
import { Failure } from '../../../core/errors.ts';
import { parseTokens } from '../../../core/money.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { type JobView, type Lease, problemDetails } from '../../../core/wire.ts';
import { FakeVerifier } from '../../fakes/verifier.ts';
import { comparedBy, floats } from '../../support/compared.ts';
import { getBlob, post, sha256, type TestConsumer, type TestDevice } from '../../support/device.ts';
import { PRICE, TestNetwork } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
type Holder = { readonly device: TestDevice; readonly lease: Lease; readonly output: Uint8Array };

let network: TestNetwork;
let consumer: TestConsumer;

/** A job of which each of so many new devices, one after the other, gives an output; the order is that of its leases. */
async function answered(outputs: readonly Uint8Array[]): Promise<{ readonly job: JobView; readonly by: Holder[] }> {
  const job = await consumer.submit('echo', bytes(`${Math.random()}`));
  const by: Holder[] = [];
  // Two at first; a third is asked for only when they differ.
  for (const output of outputs) {
    const device = await network.device();
    const lease = await device.nextLease();
    expect(lease.jobId).toBe(job.jobId);
    by.push({ device, lease, output });
    if (by.length < 2) continue;
    for (const { device: each, lease: own, output: out } of by.length === 2 ? by : by.slice(-1)) {
      await each.finish(own, out);
      await each.told('result-stored');
    }
  }
  return { job, by };
}
const verdictOf = async ({ device }: Holder) => (await device.told('verdict')).verdict;
const kindsOf = (by: readonly Holder[]) => Promise.all(by.map(async (one) => (await verdictOf(one)).kind));
const ended = (job: JobView) => consumer.follow(job.jobId, ['done', 'failed']);
const hangUp = async (by: readonly Holder[]) => {
  for (const { device } of by) await device.hangUp();
};

describe('numbers that are near enough', () => {
  beforeAll(async () => {
    const rule = { kind: 'tolerance', numbers: 'float32', absolute: 1e-6, relative: 1e-3 } as const;
    network = await TestNetwork.start({ replicas: 1, catalogue: comparedBy(rule) });
    consumer = await network.consumer(parseTokens('100'));
  }, 60_000);
  afterAll(() => network.stop());

  it('are one answer: both devices are paid for their own bytes, and the consumer gets those of the first lease', async () => {
    const outputs = [floats(1, 2000, Number.NaN), floats(1.0005, 2000.5, Number.NaN)];
    const { job, by } = await answered(outputs);
    expect(await kindsOf(by)).toEqual(['accepted', 'accepted']);
    const [first, second] = outputs.map(sha256) as [Hex32, Hex32];
    expect(await ended(job)).toMatchObject({ state: 'done', outputHash: first, charged: 2n * PRICE });
    const fetched = await getBlob(network.url, consumer.token, first);
    expect(Buffer.from(await fetched.arrayBuffer()).equals(Buffer.from(outputs[0] ?? []))).toBe(true);
    for (const [{ device, lease }, own, other] of [
      [by[0] ?? expect.unreachable(), first, second],
      [by[1] ?? expect.unreachable(), second, first],
    ] as const) {
      const wrong = await device.report([{ leaseId: lease.leaseId, outputHash: other, amount: PRICE }]);
      expect(wrong.outcomes).toMatchObject([{ kind: 'refused', reason: 'not-verified' }]);
      const receipt = await device.report([{ leaseId: lease.leaseId, outputHash: own, amount: PRICE }]);
      expect(receipt.outcomes).toEqual([{ leaseId: lease.leaseId, kind: 'credited', amount: PRICE }]);
    }
    await hangUp(by);
  });

  it('and one that is not near is found by a third', async () => {
    const { job, by } = await answered([floats(1, 7), floats(1, 8), floats(1.0005, 8)]);
    expect(await kindsOf(by)).toEqual(['rejected', 'accepted', 'accepted']);
    expect(await ended(job)).toMatchObject({ state: 'done', outputHash: sha256(floats(1, 8)), charged: 2n * PRICE });
    await hangUp(by);
  });

  it('also where the one that is not lies far behind, in another piece of a large output', async () => {
    const large = new Float32Array(600_000).fill(0.25);
    const near = new Float32Array(large.map((value) => value * 1.0001));
    const far = new Float32Array(near);
    far[599_999] = 0.3;
    const [a, b, c] = [large, far, near].map((numbers) => new Uint8Array(numbers.buffer));
    const { job, by } = await answered([a, b, c].map((one) => one ?? expect.unreachable()));
    expect(await kindsOf(by)).toEqual(['accepted', 'rejected', 'accepted']);
    expect(await ended(job)).toMatchObject({ state: 'done', outputHash: sha256(a ?? expect.unreachable()) });
    await hangUp(by);
  });

  it('of another length are no answer to each other', async () => {
    const { job, by } = await answered([floats(1, 2), floats(1), floats(1, 2)]);
    expect(await kindsOf(by)).toEqual(['accepted', 'rejected', 'accepted']);
    expect((await ended(job)).state).toBe('done');
    await hangUp(by);
  });
});

describe('a workload with a verifier', () => {
  const verifier = new FakeVerifier();
  let ahead = 0;
  beforeEach(async () => {
    Object.assign(verifier, { asked: 0, trouble: null, held: null });
    network = await TestNetwork.start({
      ...{ replicas: 1, catalogue: comparedBy({ kind: 'verifier', entry: 'letters' }) },
      ...{ runVerifier: verifier.run, clock: { now: () => Date.now() + ahead } },
    });
    consumer = await network.consumer(parseTokens('100'));
  }, 60_000);
  afterEach(() => network.stop());

  /** Comes back with what it holds after the coordinator was away. */
  const again = async ({ device, lease }: Holder) =>
    await device.connect([{ id: lease.workload, image: lease.image }], [lease.leaseId]);

  it('is asked once for two outputs, however many jobs have them', async () => {
    for (let turn = 0; turn < 2; turn++) {
      const { job, by } = await answered([bytes('An Answer'), bytes('an answer')]);
      expect(await kindsOf(by)).toEqual(['accepted', 'accepted']);
      expect(await ended(job)).toMatchObject({ outputHash: sha256(bytes('An Answer')), charged: 2n * PRICE });
      await hangUp(by);
    }
    expect(verifier.asked).toBe(1);
  });

  it('is not asked where the bytes are equal', async () => {
    const { job, by } = await answered([bytes('one'), bytes('one')]);
    expect((await ended(job)).state).toBe('done');
    expect(verifier.asked).toBe(0);
    await hangUp(by);
  });

  it('that cannot say calls nobody wrong: who stands alone is not paid, and is told so', async () => {
    const { by } = await answered([bytes('doubtful'), bytes('an answer'), bytes('An Answer')]);
    const [alone, ...others] = await Promise.all(by.map(verdictOf));
    expect(others.map(({ kind }) => kind)).toEqual(['accepted', 'accepted']);
    expect(alone).toMatchObject({ kind: 'rejected', reason: 'nobody can say whether the output is right' });
    await hangUp(by);
  });

  it('is waited for: no third device is asked meanwhile', async () => {
    let release = (): void => undefined;
    verifier.held = new Promise((resolve) => {
      release = resolve;
    });
    const { job, by } = await answered([bytes('Slow'), bytes('slow')]);
    const idle = await network.device();
    await until('the verifier to be asked', () => verifier.asked === 1);
    expect((await consumer.job(job.jobId)).state).toBe('verifying');
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(idle.messages.some(({ type }) => type === 'lease')).toBe(false);
    release();
    expect(await kindsOf(by)).toEqual(['accepted', 'accepted']);
    expect(verifier.asked).toBe(1);
    await hangUp(by);
  });

  it('that could not be run is asked again, and nothing is decided until then', async () => {
    verifier.trouble = new Failure('ENGINE_AWAY', 'no engine');
    const { job, by } = await answered([bytes('Later'), bytes('later')]);
    await until('the verifier to be asked', () => verifier.asked === 1);
    expect((await consumer.job(job.jobId)).state).toBe('verifying');
    verifier.trouble = null;
    ahead += 11_000;
    expect(await kindsOf(by)).toEqual(['accepted', 'accepted']);
    expect(verifier.asked).toBe(2);
    await hangUp(by);
  });

  it('that was being asked when the coordinator went is asked anew, and the job is settled', async () => {
    verifier.held = new Promise(() => undefined);
    const { job, by } = await answered([bytes('Gone'), bytes('gone')]);
    await until('the verifier to be asked', () => verifier.asked === 1);
    await network.halt();
    verifier.held = null;
    await network.restart();
    for (const holder of by) Object.assign(holder.device, { url: network.url });
    await Promise.all(by.map(again));
    expect(await kindsOf(by)).toEqual(['accepted', 'accepted']);
    Object.assign(consumer, { url: network.url });
    expect(await ended(job)).toMatchObject({ state: 'done', outputHash: sha256(bytes('Gone')) });
    expect(verifier.asked).toBe(2);
    await hangUp(by);
  });

  it('is not asked again for what it had answered when the coordinator died, and the answer stands', async () => {
    verifier.held = new Promise(() => undefined);
    const { job, by } = await answered([bytes('Kept'), bytes('kept')]);
    await until('the verifier to be asked', () => verifier.asked === 1);
    await network.halt();
    const db = await network.openBooks();
    const [a, b] = [sha256(bytes('Kept')), sha256(bytes('kept'))].sort() as [Hex32, Hex32];
    const pair = { workload: 'echo', version: '1.0.0', a, b };
    await keepLikeness(db, pair, 'same', 1);
    // Another replica that comes later, with another answer, changes nothing; nor does anybody else.
    await keepLikeness(db, pair, 'different', 2);
    expect(await one(db, z.object({ likeness: z.string() }), 'SELECT likeness FROM likenesses')).toEqual({
      likeness: 'same',
    });
    await expect(db.exec(`UPDATE likenesses SET likeness = 'different'`)).rejects.toThrow(/append-only/);
    expect(await one(db, z.object({ job_id: z.string() }), 'SELECT job_id FROM undecided')).toEqual({
      job_id: job.jobId,
    });
    await db.close();
    await network.restart();
    Object.assign(consumer, { url: network.url });
    expect(await ended(job)).toMatchObject({ state: 'done', charged: 2n * PRICE });
    expect(verifier.asked).toBe(1);
    await network.halt();
    const books = await network.openBooks();
    expect(await one(books, z.object({ job_id: z.string() }), 'SELECT job_id FROM undecided')).toBeNull();
    await books.close();
    await hangUp(by);
  });

  it('locks nothing: its job can be cancelled meanwhile, and is left alone then', async () => {
    let release = (): void => undefined;
    verifier.held = new Promise((resolve) => {
      release = resolve;
    });
    const { job, by } = await answered([bytes('Off'), bytes('off')]);
    await until('the verifier to be asked', () => verifier.asked === 1);
    const headers = { authorization: `Bearer ${consumer.token}` };
    const cancelled = await fetch(`${network.url}/v1/jobs/${job.jobId}/cancel`, { method: 'POST', headers });
    expect(cancelled.status).toBe(200);
    release();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await consumer.job(job.jobId)).toMatchObject({ state: 'cancelled', charged: 0n });
    await network.halt();
    const db = await network.openBooks();
    expect(await one(db, z.object({ job_id: z.string() }), 'SELECT job_id FROM undecided')).toBeNull();
    await db.close();
    await hangUp(by);
  });
});

describe('work that nobody could check is refused when it is ordered', () => {
  const listed = comparedBy({ kind: 'verifier', entry: 'letters' });
  const alone = { ...listed, entries: listed.entries.filter(({ purpose }) => purpose === 'work') };
  it.each([
    ['no engine is configured', listed, {}, /no engine/],
    ['the catalogue lacks the verifier', alone, { runVerifier: new FakeVerifier().run }, /is missing/],
  ])('since %s', async (_why, catalogue, engine, words) => {
    network = await TestNetwork.start({ replicas: 1, catalogue, ...engine });
    try {
      const answer = await post(`${network.url}/v1/quotes`, { workload: 'echo', inputBytes: 1, params: {} });
      const problem = problemDetails.parse(await answer.json());
      expect(problem).toMatchObject({ code: 'REFUSED', detail: expect.stringMatching(words) });
    } finally {
      await network.stop();
    }
  });
});
