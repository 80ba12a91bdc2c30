import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseTokens } from '../../../core/money.ts';
import { randomHex32, type TestConsumer, type TestDevice } from '../../support/device.ts';
import { ANY, FAST, GpuProver, gpuCatalogue, KNOWN, MULTIPLICATIONS } from '../../support/gpu-prover.ts';
import { TestNetwork } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

const MINUTE = 60_000;
const bytes = (text: string) => new TextEncoder().encode(text);

let ahead = 0;
let network: TestNetwork;
let consumer: TestConsumer;
beforeEach(async () => {
  ahead = 0;
  network = await TestNetwork.start({
    // For what is proven within half a minute.
    ...{ catalogue: gpuCatalogue(MULTIPLICATIONS / 30), clock: { now: () => Date.now() + ahead } },
    ...{ leaseMs: 86_400_000 },
  });
  consumer = await network.consumer(parseTokens('100'));
}, 60_000);
afterEach(() => network.stop());

/** A connected device that can run all that there is on a GPU. */
async function device(): Promise<TestDevice> {
  const made = await network.device(0);
  await made.hangUp();
  await made.connect(KNOWN);
  return made;
}
async function prover(): Promise<GpuProver> {
  const made = new GpuProver(await device());
  made.say();
  return made;
}
const comeBack = async ({ device: back }: GpuProver): Promise<void> => {
  Object.assign(back, { url: network.url });
  await back.connect(KNOWN);
};
const leases = ({ messages }: TestDevice) =>
  messages.flatMap((message) => (message.type === 'lease' ? [message.lease.workload] : []));
const types = ({ messages }: TestDevice) => messages.map(({ type }) => type);
/** Long enough for the coordinator to look at everything once more. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 2_500));

describe('a device with a GPU', () => {
  it('is given work that wants so much of it once it has proven so much, and not before', async () => {
    const one = await prover();
    const job = await consumer.submit(FAST.id, bytes('in'));
    const asked = await one.challenged();
    await aWhile();
    expect(leases(one.device)).toEqual([]);
    one.commit(asked);
    const rows = await one.open(asked);
    expect(rows).toHaveLength(64);
    const verdict = await one.judged(asked);
    expect(verdict).toMatchObject({ kind: 'proven', multiplicationsPerSecond: expect.any(Number) });
    const { jobId } = await one.device.nextLease();
    expect(jobId).toBe(job.jobId);
  });

  it('that computes less than the work wants is not given it, and is given what wants nothing', async () => {
    const one = await prover();
    const asked = await one.challenged();
    ahead += 45_000;
    one.commit(asked);
    await one.open(asked);
    const verdict = await one.judged(asked);
    const rate = verdict.kind === 'proven' ? verdict.multiplicationsPerSecond : 0;
    expect(rate).toBeGreaterThan(MULTIPLICATIONS / 60);
    expect(rate).toBeLessThan(MULTIPLICATIONS / 45);
    await consumer.submit(FAST.id, bytes('in'));
    await consumer.submit(ANY.id, bytes('in'));
    expect((await one.device.nextLease()).workload).toBe(ANY.id);
    one.device.send({ type: 'ready', lane: 'gpu', slots: 1 });
    await aWhile();
    expect(leases(one.device)).toEqual([ANY.id]);
  });

  it('that left out five rows of a hundred is refuted, and its GPU gets no work of any kind until it proves more', async () => {
    const one = await prover();
    one.skips = 20;
    expect(await one.prove()).toEqual({ kind: 'refuted', why: 'wrong-row' });
    await consumer.submit(ANY.id, bytes('in'));
    await aWhile();
    expect(leases(one.device)).toEqual([]);
    // Coming back as if nothing had been is no way out.
    await one.device.hangUp();
    await comeBack(one);
    one.device.send({ type: 'ready', lane: 'gpu', slots: 1 });
    await aWhile();
    expect(leases(one.device)).toEqual([]);
    one.skips = 0;
    ahead += 31 * MINUTE;
    one.setup = randomHex32();
    const from = one.device.messages.length;
    one.say();
    expect((await one.prove(from)).kind).toBe('proven');
    expect((await one.device.nextLease(from)).workload).toBe(ANY.id);
  });

  it('that answers late is refuted, however right it is', async () => {
    const one = await prover();
    const asked = await one.challenged();
    const root = one.compute(asked);
    ahead = asked.deadline - Date.now() + 1;
    one.device.send({ type: 'gpu-commitment', challengeId: asked.challengeId, root });
    expect(await one.judged(asked)).toEqual({ kind: 'refuted', why: 'late' });
  });

  it('that does not answer at all is refuted when its time is over', async () => {
    const one = await prover();
    const asked = await one.challenged();
    await aWhile();
    expect(types(one.device)).not.toContain('gpu-verdict');
    ahead = asked.deadline - Date.now() + 1;
    expect(await one.judged(asked)).toEqual({ kind: 'refuted', why: 'late' });
  });

  it('that commits to something and opens what it computed afterwards is refuted', async () => {
    const one = await prover();
    const asked = await one.challenged();
    one.device.send({ type: 'gpu-commitment', challengeId: asked.challengeId, root: randomHex32() });
    one.compute(asked);
    await one.open(asked);
    expect(await one.judged(asked)).toEqual({ kind: 'refuted', why: 'not-committed' });
  });

  it('cannot take a commitment back, nor open rows before there is one, nor answer what was not asked', async () => {
    const one = await prover();
    const asked = await one.challenged();
    const { challengeId } = asked;
    one.device.send({ type: 'gpu-opened', challengeId, openings: [] });
    expect((await one.device.told('error')).code).toBe('CONFLICT');
    one.device.send({ type: 'gpu-commitment', challengeId: randomHex32(), root: randomHex32() });
    await one.device.told('error', ({ code }) => code === 'NOT_FOUND');
    one.commit(asked);
    await one.device.told('gpu-openings');
    const from = one.device.messages.length;
    one.device.send({ type: 'gpu-commitment', challengeId, root: randomHex32() });
    expect((await one.device.told('error', () => true, from)).code).toBe('CONFLICT');
    await one.open(asked);
    expect((await one.judged(asked)).kind).toBe('proven');
  });

  it('whose owner comes back has lost nothing: it is asked again later, with another seed', async () => {
    const one = await prover();
    const asked = await one.challenged();
    const from = one.device.messages.length;
    one.device.send({ type: 'gpu-declined', challengeId: asked.challengeId, detail: 'held' });
    await aWhile();
    expect(one.device.messages.slice(from)).toEqual([]);
    await consumer.submit(ANY.id, bytes('in'));
    expect((await one.device.nextLease(from)).workload).toBe(ANY.id);
    one.device.send({ type: 'ready', lane: 'gpu', slots: 1 });
    ahead += MINUTE + 1;
    const again = await one.challenged(from);
    expect(again.seed).not.toBe(asked.seed);
    expect((await one.prove(from)).kind).toBe('proven');
  });

  it('is asked anew when its driver is another, and has proven nothing until then; and when its proof grows old', async () => {
    const one = await prover();
    expect((await one.prove()).kind).toBe('proven');
    let from = one.device.messages.length;
    await aWhile();
    expect(one.device.messages.slice(from)).toEqual([]);
    one.setup = randomHex32();
    one.say();
    const asked = await one.challenged(from);
    await consumer.submit(FAST.id, bytes('in'));
    await aWhile();
    expect(leases(one.device)).toEqual([]);
    one.commit(asked);
    await one.open(asked, from);
    expect((await one.judged(asked)).kind).toBe('proven');
    expect((await one.device.nextLease(from)).workload).toBe(FAST.id);
    one.device.send({ type: 'ready', lane: 'gpu', slots: 1 });
    from = one.device.messages.length;
    ahead += 22 * 3_600_000;
    expect((await one.prove(from)).kind).toBe('proven');
  });
});

describe('a coordinator that goes', () => {
  it('between commitment and openings loses neither: it asks for the same rows when it is back', async () => {
    const one = await prover();
    const asked = await one.challenged();
    one.commit(asked);
    const { rows } = await one.device.told('gpu-openings');
    await network.halt();
    const db = await network.openBooks();
    const kept = z.object({ root: z.string(), verdict: z.string().nullable() });
    expect(await db.query(kept, 'SELECT root, verdict FROM gpu_proofs')).toEqual([
      { root: one.compute(asked), verdict: null },
    ]);
    await db.close();
    await network.restart();
    const from = one.device.messages.length;
    await comeBack(one);
    // The time in which it was away is not its GPU's.
    ahead += 10 * MINUTE;
    one.say();
    expect(await one.open(asked, from)).toEqual(rows);
    const verdict = await one.judged(asked);
    expect(verdict).toMatchObject({ kind: 'proven' });
    expect(verdict.kind === 'proven' && verdict.multiplicationsPerSecond).toBeGreaterThan(MULTIPLICATIONS / 60);
  });

  it('before the commitment asks the same again, by the same deadline; what is over by then was nobody’s fault', async () => {
    const one = await prover();
    const asked = await one.challenged();
    await network.restart();
    let from = one.device.messages.length;
    await comeBack(one);
    one.say();
    expect(await one.challenged(from)).toEqual(asked);
    await network.restart();
    ahead = asked.deadline - Date.now() + 1;
    from = one.device.messages.length;
    await comeBack(one);
    one.say();
    const other = await one.challenged(from);
    expect(other.challengeId).not.toBe(asked.challengeId);
    expect(types(one.device)).not.toContain('gpu-verdict');
    expect((await one.prove(from)).kind).toBe('proven');
  });

  it('knows what was proven when it is back', async () => {
    const one = await prover();
    expect((await one.prove()).kind).toBe('proven');
    await network.restart();
    Object.assign(consumer, { url: network.url });
    const from = one.device.messages.length;
    await comeBack(one);
    one.say();
    await consumer.submit(FAST.id, bytes('in'));
    expect((await one.device.nextLease(from)).workload).toBe(FAST.id);
    expect(types(one.device).slice(from)).not.toContain('gpu-challenge');
  });
});

it('a device that speaks of no GPU is never asked, nor one whose lane is not offered, nor one that lacks the image', async () => {
  const silent = await device();
  silent.send({ type: 'ready', lane: 'gpu', slots: 1 });
  const none = new GpuProver(await device());
  none.say(null);
  const held = await device();
  held.send({ type: 'gpu-setup', setup: randomHex32(), memoryBytes: 1e9 });
  held.send({ type: 'ready', lane: 'gpu', slots: 0 });
  const other = await network.device(0);
  await other.hangUp();
  await other.connect([ANY]);
  new GpuProver(other).say();
  const small = await device();
  small.send({ type: 'gpu-setup', setup: randomHex32(), memoryBytes: 100 });
  small.send({ type: 'ready', lane: 'gpu', slots: 1 });
  await aWhile();
  const all = [silent, none.device, held, other, small];
  expect(all.flatMap(types)).not.toContain('gpu-challenge');
  // They are given what wants no proof.
  await consumer.submit(ANY.id, bytes('in'));
  await until('one to have it', () => all.some((each) => leases(each).length > 0));
});
