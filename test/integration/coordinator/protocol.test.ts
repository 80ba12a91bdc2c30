import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTokens } from '../../../core/money.ts';
import { ZERO_HASH } from '../../../core/primitives.ts';
import { type Lease, problemDetails } from '../../../core/wire.ts';
import { getBlob, post, putBlob, randomHex32, sha256, TestConsumer, TestDevice } from '../../support/device.ts';
import { PRICE, TestNetwork, WORKLOAD } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const refusal = async (response: Response) => {
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  return problemDetails.parse(await response.json()).code;
};

describe('the protocol', () => {
  let network: TestNetwork;
  let consumer: TestConsumer;
  beforeAll(async () => {
    network = await TestNetwork.start({ leaseMs: 1_500, longestLeaseMs: 5_000, maxAttempts: 2 });
    consumer = await network.consumer(parseTokens('100'));
    await consumer.access();
  }, 60_000);
  afterAll(() => network.stop());

  /** One job done by `device`, up to its verdict. */
  async function accepted(device: TestDevice, text: string): Promise<Lease> {
    const from = device.messages.length;
    device.send({ type: 'ready', lane: 'cpu', slots: 1 });
    await consumer.submit('echo', bytes(text));
    const lease = await device.nextLease(from);
    await device.finish(lease, bytes(`${text}!`));
    await device.told('verdict', ({ verdict }) => verdict.leaseId === lease.leaseId, from);
    device.send({ type: 'ready', lane: 'cpu', slots: 0 });
    return lease;
  }
  const itemOf = (lease: Lease, text: string) => ({
    leaseId: lease.leaseId,
    outputHash: sha256(bytes(`${text}!`)),
    amount: PRICE,
  });

  describe('reports', () => {
    it('answers the same report with the very same receipt, also after a reconnect', async () => {
      const device = await network.device(0);
      const lease = await accepted(device, 'once');
      const first = await device.report([itemOf(lease, 'once')]);
      const stored = device.lastReport ?? expect.unreachable();
      expect(await device.sendReport(stored)).toEqual(first);
      await device.hangUp();
      const welcome = await device.connect([WORKLOAD]);
      expect(welcome.lastReport).toEqual({ sequence: 1, reportHash: first.value.reportHash });
      expect(await device.sendReport(stored)).toEqual(first);
      expect((await network.books(device.owner.address)).credited).toBe(PRICE);

      const again = await device.report([itemOf(lease, 'once')]);
      expect(again.outcomes).toEqual([{ leaseId: lease.leaseId, kind: 'refused', reason: 'already-credited' }]);
      expect((await network.books(device.owner.address)).credited).toBe(PRICE);
      await device.hangUp();
    });

    it('refuses a report that contradicts itself or does not follow the last one', async () => {
      const device = await network.device(0);
      const lease = await accepted(device, 'chain');
      const item = itemOf(lease, 'chain');
      const refused = async (change: Parameters<TestDevice['makeReport']>[1], code: string) => {
        const from = device.messages.length;
        const stored = await device.makeReport([item], change);
        device.send({ type: 'report', ...stored, items: [...stored.items] });
        expect((await device.told('error', () => true, from)).code).toBe(code);
      };
      await refused({ total: PRICE + 1n }, 'BAD_INPUT');
      await refused({ itemsHash: ZERO_HASH }, 'BAD_INPUT');
      await refused({ sequence: 2 }, 'CONFLICT');
      await refused({ previous: randomHex32() }, 'CONFLICT');
      expect((await device.report([item])).value.credited).toBe(PRICE);
      await device.hangUp();
    });

    it('blocks a device that signs two reports with one sequence', async () => {
      const device = await network.device(0);
      const lease = await accepted(device, 'fork');
      await device.report([itemOf(lease, 'fork')]);
      const fork = await device.makeReport([itemOf(lease, 'fork')], { sequence: 1, previous: ZERO_HASH, periodEnd: 9 });
      device.send({ type: 'report', ...fork, items: [...fork.items] });
      expect((await device.told('error')).code).toBe('CONFLICT');
      await device.ended();
      const from = await device.hello([WORKLOAD]);
      expect((await device.told('error', () => true, from)).code).toBe('REFUSED');
      await device.ended();
      expect((await network.books(device.owner.address)).credited).toBe(PRICE);
    });
  });

  describe('leases', () => {
    it('go to another device when the deadline passes, and a late result pays nothing', async () => {
      const slow = await network.device();
      const job = await consumer.submit('echo', bytes('late'));
      const lost = await slow.nextLease();
      slow.send({ type: 'ready', lane: 'cpu', slots: 0 });
      await slow.told('cancel', ({ leaseId }) => leaseId === lost.leaseId);
      await slow.finish(lost, bytes('late!'));
      expect((await slow.told('verdict')).verdict).toMatchObject({ kind: 'rejected', leaseId: lost.leaseId });
      const quick = await network.device();
      const lease = await quick.nextLease();
      expect(lease.jobId).toBe(job.jobId);
      await quick.finish(lease, bytes('late!'));
      expect((await consumer.follow(job.jobId, ['done', 'failed'])).state).toBe('done');
      await slow.hangUp();
      await quick.hangUp();
    });

    it('last longer for who is at work, but not for ever, and only for their own device', async () => {
      const [device, other] = [await network.device(), await network.device(0)];
      await consumer.submit('echo', bytes('long'));
      const lease = await device.nextLease();
      device.send({ type: 'ready', lane: 'cpu', slots: 0 });
      const begun = Date.now();
      const renewing = setInterval(() => device.send({ type: 'renew', leaseIds: [lease.leaseId] }), 300);
      other.send({ type: 'renew', leaseIds: [lease.leaseId] });
      await device.told('cancel', ({ leaseId }) => leaseId === lease.leaseId);
      clearInterval(renewing);
      expect(Date.now() - begun).toBeGreaterThan(4_000);
      const renewed = device.messages.filter((message) => message.type === 'renewed');
      const ends = renewed.map(({ leases }) => leases.find(({ leaseId }) => leaseId === lease.leaseId)?.deadline ?? 0);
      expect(ends).toEqual([...ends].sort((a, b) => a - b));
      expect(ends[0]).toBeGreaterThan(lease.deadline);
      expect(other.messages.filter(({ type }) => type === 'renewed')).toEqual([]);
      other.send({ type: 'ready', lane: 'cpu', slots: 1 });
      await other.finish(await other.nextLease(), bytes('long!'));
      await other.told('verdict');
      await device.hangUp();
      await other.hangUp();
    }, 20_000);

    it('survive a reconnect when the device names them, and move on when it does not', async () => {
      const device = await network.device();
      const job = await consumer.submit('echo', bytes('resume'));
      const lease = await device.nextLease();
      await device.hangUp();
      expect((await device.connect([WORKLOAD], [lease.leaseId])).leases).toEqual([lease.leaseId]);
      await device.hangUp();
      const from = device.messages.length;
      expect((await device.connect([WORKLOAD])).leases).toEqual([]);
      device.send({ type: 'ready', lane: 'cpu', slots: 1 });
      const second = await device.nextLease(from);
      expect(second.jobId).toBe(job.jobId);
      expect(second.leaseId).not.toBe(lease.leaseId);
      await device.finish(second, bytes('resumed'));
      await device.told('verdict', () => true, from);
      await device.hangUp();
      const later = device.messages.length;
      await device.connect([WORKLOAD], [second.leaseId]);
      expect((await device.told('verdict', () => true, later)).verdict).toMatchObject({ kind: 'accepted' });
      await device.hangUp();
    });

    it('fail the job after the last attempt and give the hold back', async () => {
      const before = (await network.books(consumer.account.address)).deposit;
      const devices = [await network.device(), await network.device()];
      const job = await consumer.submit('echo', bytes('broken'));
      for (let attempt = 0; attempt < 2; attempt++) {
        const [device, lease] = await until(
          'a lease',
          () =>
            devices.flatMap((one) =>
              one.messages.flatMap((message) => (message.type === 'lease' ? [[one, message.lease] as const] : [])),
            )[attempt],
        );
        device.send({ type: 'decline', leaseId: lease.leaseId, reason: 'failed', detail: 'exit 1' });
      }
      expect(await consumer.follow(job.jobId, ['done', 'failed'])).toMatchObject({ state: 'failed', charged: 0n });
      expect((await network.books(consumer.account.address)).deposit).toBe(before);
      for (const device of devices) await device.hangUp();
    });

    it.each(['too-large', 'image-missing', 'unknown-workload'] as const)(
      'are not offered again to a device that declined as unable (%s), and no single device fails a job',
      async (reason) => {
        const unable = await network.device(4);
        const job = await consumer.submit('echo', bytes(`unable ${reason}`));
        const declined = await unable.nextLease();
        unable.send({ type: 'decline', leaseId: declined.leaseId, reason, detail: '' });
        const younger = await consumer.submit('echo', bytes(`younger ${reason}`));
        const next = await unable.told('lease', ({ lease }) => lease.leaseId !== declined.leaseId);
        expect(next.lease.jobId).toBe(younger.jobId);
        await unable.finish(next.lease, bytes('younger'));
        expect((await consumer.job(job.jobId)).state).toBe('queued');
        const able = await network.device();
        const lease = await able.nextLease();
        expect(lease.jobId).toBe(job.jobId);
        await able.finish(lease, bytes('able'));
        expect((await consumer.follow(job.jobId, ['done', 'failed'])).state).toBe('done');
        await able.hangUp();
        await unable.hangUp();
      },
    );

    it('need an uploaded output, the same result each time, and the right device', async () => {
      const device = await network.device();
      await consumer.submit('echo', bytes('strict'));
      const lease = await device.nextLease();
      const result = await device.result(lease, bytes('not uploaded'));
      device.send(result);
      expect(await device.told('error')).toMatchObject({ code: 'REFUSED', about: lease.leaseId });
      const stranger = await network.device(0);
      stranger.send({ ...result, signature: await stranger.key.sign('Result', result.value) });
      expect(await stranger.told('error')).toMatchObject({ code: 'NOT_FOUND', about: lease.leaseId });
      await device.finish(lease, bytes('strict!'));
      await device.told('verdict');
      const from = device.messages.length;
      await device.finish(lease, bytes('strict!'));
      await device.told('result-stored', () => true, from);
      await device.finish(lease, bytes('something else'));
      expect((await device.told('error', () => true, from)).code).toBe('CONFLICT');
      await device.hangUp();
      await stranger.hangUp();
    });
  });

  describe('edges', () => {
    it('let no stranger in', async () => {
      const stranger = new TestDevice(network.url, network.coordinator.network);
      await stranger.hello([WORKLOAD]);
      expect((await stranger.told('error')).code).toBe('UNAUTHORISED');
      await stranger.ended();

      const known = await network.device(0);
      const thief = new TestDevice(network.url, network.coordinator.network);
      const issuedAt = Date.now() + 1_000;
      const value = { owner: thief.owner.address, device: known.key.address, issuedAt, expiresAt: issuedAt + 1e6 };
      const theft = { value, signature: await thief.owner.sign('Enrollment', value) };
      expect(await refusal(await post(`${network.url}/v1/enrollments`, theft))).toBe('REFUSED');
      const forged = { value: { ...value, owner: known.owner.address }, signature: theft.signature };
      expect(await refusal(await post(`${network.url}/v1/enrollments`, forged))).toBe('UNAUTHORISED');
      await known.hangUp();
    });

    it('answers malformed messages with an error, changes nothing, and goes on', async () => {
      const device = await network.device(0);
      for (const text of ['', 'null', '{"type":"ready"}', '{"type":"ready","lane":"cpu","slots":1,"extra":1}']) {
        const from = device.messages.length;
        device.raw(text);
        expect((await device.told('error', () => true, from)).code).toBe('BAD_INPUT');
      }
      device.send({ type: 'progress', leaseId: randomHex32(), progress: 1 });
      await device.told('error', ({ code }) => code === 'NOT_FOUND');
      await device.hangUp();
    });

    it('refuses orders that are unpaid, unsigned, altered, expired or without input; the same order twice is one', async () => {
      const url = `${network.url}/v1/jobs`;
      const input = bytes('order');
      await putBlob(network.url, consumer.token, input);
      const good = await consumer.makeOrder('echo', input);
      const spoiled: readonly (readonly [unknown, string])[] = [
        [{ ...good, extra: 1 }, 'BAD_INPUT'],
        [{ ...good, value: { ...good.value, nonce: randomHex32() } }, 'UNAUTHORISED'],
        [{ ...good, params: { mode: 'loud' } }, 'BAD_INPUT'],
        [{ ...good, params: { mode: 'other' } }, 'BAD_INPUT'],
        [await consumer.makeOrder('echo', input, { expiresAt: 1 }), 'REFUSED'],
        [await consumer.makeOrder('echo', input, { maxPrice: PRICE - 1n }), 'REFUSED'],
        [await consumer.makeOrder('echo', bytes('absent')), 'NOT_FOUND'],
        [await consumer.makeOrder('echo', input, { inputBytes: 4 }), 'BAD_INPUT'],
      ];
      for (const [body, code] of spoiled) expect(await refusal(await post(url, body))).toBe(code);
      const poor = new TestConsumer(network.url, network.coordinator.network);
      expect(await refusal(await post(url, await poor.makeOrder('echo', input)))).toBe('INSUFFICIENT_FUNDS');

      const before = (await network.books(consumer.account.address)).deposit;
      const [first, second] = await Promise.all([post(url, good), post(url, good)]);
      expect(await first.json()).toMatchObject(await second.json());
      expect((await network.books(consumer.account.address)).deposit).toBe(before - PRICE);
    });

    it('keeps blobs under their hash only, and shows them to those concerned only', async () => {
      const data = bytes('secret');
      expect((await putBlob(network.url, 'nonsense', data)).status).toBe(401);
      expect(await refusal(await putBlob(network.url, consumer.token, data, sha256(bytes('other'))))).toBe('REFUSED');
      const huge = new Uint8Array(1_000_001);
      expect(await refusal(await putBlob(network.url, consumer.token, huge))).toBe('REFUSED');
      expect((await putBlob(network.url, consumer.token, data)).status).toBe(204);
      expect((await putBlob(network.url, consumer.token, data)).status).toBe(204);
      const other = new TestConsumer(network.url, network.coordinator.network);
      await other.access();
      expect((await getBlob(network.url, other.token, sha256(data))).status).toBe(404);
      await consumer.submit('echo', data);
      expect(await (await getBlob(network.url, consumer.token, sha256(data))).text()).toBe('secret');
      expect((await getBlob(network.url, other.token, sha256(data))).status).toBe(404);
      const head = await fetch(`${network.url}/v1/blobs/${sha256(data)}`, {
        method: 'HEAD',
        headers: { authorization: `Bearer ${consumer.token}` },
      });
      expect(head.headers.get('content-length')).toBe('6');
    });

    it('gives back the very bytes of a large blob, and of an empty one', async () => {
      for (const data of [randomBytes(900_000), new Uint8Array(0)]) {
        expect((await putBlob(network.url, consumer.token, data)).status).toBe(204);
        await consumer.submit('echo', data);
        const back = await getBlob(network.url, consumer.token, sha256(data));
        expect(sha256(new Uint8Array(await back.arrayBuffer()))).toBe(sha256(data));
      }
      const huge = new Uint8Array(20_000_000);
      expect(await refusal(await putBlob(network.url, consumer.token, huge))).toBe('REFUSED');
    });

    it('speaks problem+json about everything it does not know', async () => {
      expect(await refusal(await fetch(`${network.url}/v1/nothing`))).toBe('NOT_FOUND');
      expect(await refusal(await fetch(`${network.url}/v1/jobs/0x12`))).toBe('BAD_INPUT');
      expect(await refusal(await fetch(`${network.url}/v1/jobs/${randomHex32()}`))).toBe('NOT_FOUND');
      expect(await refusal(await post(`${network.url}/v1/quotes`, { workload: 'x' }))).toBe('BAD_INPUT');
      const broken = await fetch(`${network.url}/v1/quotes`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{',
      });
      expect(await refusal(broken)).toBe('BAD_INPUT');
      expect((await fetch(`${network.url}/readyz`)).status).toBe(200);
    });
  });
});
