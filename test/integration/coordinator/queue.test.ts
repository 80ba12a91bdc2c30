import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Db } from '../../../coordinator/db.ts';
import { agedJobs, endJobs, findJob, insertJob, type NewJob } from '../../../coordinator/jobs.ts';
import { insertLeases, leasesOf, type NewLease, OVER_KEY } from '../../../coordinator/leases.ts';
import { account, balanceOf, move, post } from '../../../coordinator/ledger.ts';
import { writeMeta } from '../../../coordinator/meta.ts';
import { claim, release } from '../../../coordinator/queue.ts';
import { settle } from '../../../coordinator/settle.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { newAccount } from '../../support/chain.ts';
import { randomHex32 } from '../../support/device.ts';
import { openTestDb } from '../../support/store.ts';

const [alice, bob] = [newAccount().address, newAccount().address];
const HERE = 'echo here cpu';
const END = {
  state: 'failed',
  charged: 0n,
  failure: 'over',
  ...{ cancelled_at: null, output_hash: null, output_bytes: null },
} as const;
let dir: string;
let db: Db;
let at = 0;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'idlemesh-queue-'));
  db = await openTestDb(dir);
}, 60_000);
beforeEach(async () => {
  const open = await claim(db, new Set([HERE, 'echo elsewhere cpu']), 10_000, 0, 1);
  await endJobs(
    db,
    open.map(({ job_id, consumer }) => ({ ...END, job_id, consumer })),
    1,
  );
});
afterAll(async () => {
  await db.close();
  await rm(dir, { recursive: true, force: true });
});

async function job(change: Partial<NewJob> = {}): Promise<Hex32> {
  at += 1;
  const job_id = randomHex32();
  const names = { job_id, consumer: alice, workload: 'echo', version: '1', image: 'here', lane: 'cpu' } as const;
  const input = { input_hash: randomHex32(), input_bytes: 1, params: {}, pay: 1n, dust: 0n } as const;
  await insertJob(db, { ...names, ...input, price: 1n, hold: 1n, replicas: 0, priority: 0, ...change }, at);
  return job_id;
}
const jobs = async (count: number, change: Partial<NewJob> = {}): Promise<readonly Hex32[]> => {
  const made: Hex32[] = [];
  for (let n = 0; n < count; n++) made.push(await job(change));
  return made;
};
const claimed = async (most: number, now = 0, until = 1_000) =>
  (await claim(db, new Set([HERE]), most, now, until)).map(({ job_id }) => job_id);

describe('ready work', () => {
  test('is claimed once, oldest first, until the claim is over or let go', async () => {
    const [one, two, three] = await jobs(3);
    expect(await claimed(2, 0, 1_000)).toEqual([one, two]);
    expect(await claimed(9, 999, 2_000)).toEqual([three]);
    expect(await claimed(9, 1_000, 3_000)).toEqual([one, two]);
    await release(db, [two ?? '0x'], 1_500);
    expect(await claimed(9, 1_499)).toEqual([]);
    expect(await claimed(9, 1_500)).toEqual([two]);
  });
  test('that nobody at one replica took is left to the others for a while', async () => {
    const one = await job({ image: 'shy' });
    const by = async (number: number, now: number) =>
      (await claim(db, new Set(['echo shy cpu']), 9, now, now + 100, { number, shy: true })).map(
        ({ job_id }) => job_id,
      );
    expect(await by(1, 20_000)).toEqual([one]);
    await release(db, [one], 21_000);
    expect(await by(1, 21_001)).toEqual([]);
    expect(await by(2, 21_001)).toEqual([one]);
    await release(db, [one], 22_000);
    expect(await by(1, 22_000)).toEqual([one]);
    await release(db, [one], 23_000);
    expect(await by(1, 34_999)).toEqual([]);
    expect(await by(1, 35_000)).toEqual([one]);
  });
  test('of kinds that nobody here can do is left alone', async () => {
    await jobs(3, { image: 'elsewhere' });
    const mine = await job();
    await jobs(3, { image: 'elsewhere' });
    expect(await claimed(2)).toEqual([mine]);
    expect(await claim(db, new Set(), 9, 0, 1)).toEqual([]);
  });
  test('of one consumer with much of it does not keep out another’s', async () => {
    await jobs(5);
    const late = await job({ consumer: bob });
    expect(await claimed(2)).toContain(late);
  });
  test('of a consumer comes by its priority', async () => {
    await jobs(2);
    const urgent = await job({ priority: 5 });
    expect(await claimed(1)).toEqual([urgent]);
  });
});

describe('a lease', () => {
  const lease = (job_id: Hex32, copy = 0): NewLease => ({
    ...{ lease_id: randomHex32(), job_id, copy, device: bob, owner: bob, deadline: 10 },
  });

  test('of one number exists once, whoever writes it, and however many at once', async () => {
    const jobId = await job();
    const tries = Array.from({ length: 8 }, () => lease(jobId));
    const written = await Promise.all(tries.map((one) => insertLeases(db, [one], 1)));
    expect(written.reduce((sum, { size }) => sum + size, 0)).toBe(1);
    expect(await leasesOf(db, [jobId])).toHaveLength(1);
    const both = [lease(jobId), lease(jobId, 1)];
    expect([...(await insertLeases(db, both, 1))]).toEqual([both[1]?.lease_id]);
  });
  test('is not written for a job that is over, or is none', async () => {
    const jobId = await job();
    await endJobs(db, [{ ...END, job_id: jobId, consumer: alice }], 1);
    expect((await insertLeases(db, [lease(jobId), lease(randomHex32())], 1)).size).toBe(0);
  });
  test('that nobody would find overdue any more is not written', async () => {
    const jobIds = await jobs(2);
    await writeMeta(db, OVER_KEY, '10');
    expect((await insertLeases(db, [lease(jobIds[0] ?? '0x')], 1)).size).toBe(0);
    expect((await insertLeases(db, [{ ...lease(jobIds[1] ?? '0x'), deadline: 11 }], 1)).size).toBe(1);
    await writeMeta(db, OVER_KEY, '0');
  });
  test('that nobody found overdue does not keep its job open for ever', async () => {
    const [consumer, keepUntil] = [newAccount().address, 1_000];
    const jobId = await job({ consumer });
    const entries = move(account.external, account.hold(jobId), 1n);
    await db.tx((sql) => post(sql, { kind: 'deposit', key: jobId, at: 1, entries }));
    await insertLeases(db, [{ ...lease(jobId), deadline: keepUntil }], 1);
    await writeMeta(db, OVER_KEY, String(keepUntil + 1));
    expect(await agedJobs(db, keepUntil)).not.toContain(jobId);
    expect(await agedJobs(db, keepUntil + 1)).toContain(jobId);
    const rules = { maxAttempts: 3, outputLimit: () => 1, comparison: () => 'exact' as const };
    const end = (before: number) => db.tx((sql) => settle(sql, [{ kind: 'age', jobId, before }], rules, 2_000));
    expect((await end(keepUntil)).jobs.size).toBe(0);
    expect((await end(keepUntil + 1)).messages).toMatchObject([{ device: bob, message: { type: 'cancel' } }]);
    expect(await leasesOf(db, [jobId])).toMatchObject([{ state: 'gone' }]);
    expect(await findJob(db, jobId)).toMatchObject({ state: 'failed', charged: 0n });
    expect(await balanceOf(db, account.deposit(consumer))).toBe(1n);
    await writeMeta(db, OVER_KEY, '0');
  });
});
