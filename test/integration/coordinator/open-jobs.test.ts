import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Db, openDb } from '../../../coordinator/db.ts';
import { insertJob, insertLease, loseLease, type NewJob, openJobs } from '../../../coordinator/jobs.ts';
import { type Offer, workloadKey } from '../../../coordinator/verify.ts';
import { type Hex32, perLane } from '../../../core/primitives.ts';
import { newAccount } from '../../support/chain.ts';
import { randomHex32 } from '../../support/device.ts';

const LIMIT = 3;
const ATTEMPTS = 2;

describe('open jobs that may be handed out', () => {
  const [device, owner] = [newAccount().address, newAccount().address];
  const offer: Offer = {
    ...{ device, owner, workloads: new Set([workloadKey('echo', 'here')]) },
    slots: { ...perLane(() => 0), cpu: 1 },
  };
  let dir: string;
  let db: Db;
  let at = 0;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'idlemesh-open-'));
    db = await openDb(dir);
  }, 60_000);
  afterAll(async () => {
    await db.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function job(change: Partial<NewJob> = {}): Promise<Hex32> {
    at += 1;
    const job_id = randomHex32();
    const names = { job_id, consumer: owner, workload: 'echo', version: '1', image: 'here' } as const;
    const input = { input_hash: randomHex32(), input_bytes: 1 } as const;
    await insertJob(
      db,
      { ...names, ...input, lane: 'cpu', params: {}, price: 1n, hold: 1n, replicas: 0, ...change },
      at,
    );
    return job_id;
  }
  async function lease(jobId: Hex32, by = { device, owner }): Promise<Hex32> {
    const leaseId = randomHex32();
    await insertLease(db, { leaseId, jobId, ...by }, at, at + 1);
    return leaseId;
  }
  const stranger = () => ({ device: newAccount().address, owner: newAccount().address });
  const many = async (make: () => Promise<unknown>) => {
    for (let n = 0; n <= LIMIT; n++) await make();
  };

  it('are not hidden by older ones that nobody connected can take', async () => {
    await many(() => job({ image: 'elsewhere' }));
    await many(() => job({ lane: 'gpu' }));
    await many(async () => lease(await job(), stranger()));
    await many(async () => lease(await job({ replicas: 1 })));
    await many(async () => loseLease(db, await lease(await job()), 'too large', 'unable'));
    await many(async () => {
      const jobId = await job();
      for (let n = 0; n < ATTEMPTS; n++) await loseLease(db, await lease(jobId), 'failed', 'attempt');
    });
    expect(await openJobs(db, [offer], LIMIT, ATTEMPTS)).toEqual([]);
    const retried = await job();
    await loseLease(db, await lease(retried), 'failed', 'attempt');
    const paired = await job({ replicas: 1 });
    await lease(paired, stranger());
    const fresh = await job();
    await job();
    const open = await openJobs(db, [offer], LIMIT, ATTEMPTS);
    expect(open.map(({ need }) => need.jobId)).toEqual([retried, paired, fresh]);
    expect(await openJobs(db, [{ ...offer, slots: perLane(() => 0) }], LIMIT, ATTEMPTS)).toEqual([]);
  });
});
