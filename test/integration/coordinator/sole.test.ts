import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Db } from '../../../coordinator/db.ts';
import { asRead, type Happening, Moved, type Sole } from '../../../coordinator/happenings.ts';
import { findJob, insertJob } from '../../../coordinator/jobs.ts';
import { findLease, heldRow, insertLeases, leasesOf } from '../../../coordinator/leases.ts';
import { account, balanceOf, booksBalance, move, post } from '../../../coordinator/ledger.ts';
import { settle } from '../../../coordinator/settle.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { newAccount } from '../../support/chain.ts';
import { randomHex32 } from '../../support/random.ts';
import { openTestDb } from '../../support/store.ts';

const [consumer, device, owner] = [newAccount().address, newAccount().address, newAccount().address];
const RULES = { maxAttempts: 3, outputLimit: () => 100, comparison: () => 'exact' as const };
const PRICE = 7n;
let dir: string;
let db: Db;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'idlemesh-sole-'));
  db = await openTestDb(dir);
}, 60_000);
afterAll(async () => {
  await db.close();
  await rm(dir, { recursive: true, force: true });
});

/** A job that is wanted once, handed out, and what the replica that did so knows of it. */
async function handedOut(): Promise<Sole> {
  const job_id = randomHex32();
  const names = { job_id, consumer, workload: 'echo', version: '1', image: 'here', lane: 'cpu' } as const;
  const input = { input_hash: randomHex32(), input_bytes: 1, params: {}, pay: PRICE, dust: 0n } as const;
  await insertJob(db, { ...names, ...input, price: PRICE, hold: PRICE, replicas: 0, priority: 0 }, 1);
  const entries = move(account.external, account.hold(job_id), PRICE);
  await db.tx((sql) => post(sql, { kind: 'deposit', key: job_id, at: 1, entries }));
  const lease = { lease_id: randomHex32(), job_id, copy: 0, device, owner, deadline: 1_000 };
  await insertLeases(db, [lease], 1);
  const job = await findJob(db, job_id);
  if (job === null) expect.unreachable();
  return { job, lease: heldRow(lease) };
}

const resultOf = (sole: Sole, outputHash: Hex32 = randomHex32()): Happening => ({
  ...{ kind: 'result', device, stored: 1, evidence: { signature: `0x${'00'.repeat(65)}` }, sole },
  value: { leaseId: sole.lease.lease_id, outputHash, outputBytes: 1, startedAt: 1, finishedAt: 2 },
});
const settled = (...happenings: readonly Happening[]) => db.tx((sql) => settle(sql, happenings, RULES, 2));

test('what is known of a lease when it goes out is what is written', async () => {
  const { job, lease } = await handedOut();
  expect(await leasesOf(db, [job.job_id])).toEqual([lease]);
});

test('a result is stored, accepted and told without its job being read', async () => {
  const sole = await handedOut();
  const effects = await settled(resultOf(sole));
  expect(effects.messages.map(({ message }) => message.type)).toEqual(['result-stored', 'verdict']);
  expect(await findJob(db, sole.job.job_id)).toMatchObject({ state: 'done', charged: PRICE });
  expect(await findLease(db, sole.lease.lease_id)).toMatchObject({ state: 'accepted' });
});

test.each<readonly [string, (sole: Sole) => Happening, Record<string, unknown>, bigint]>([
  [
    'its lease was lost meanwhile',
    ({ lease }) => ({ kind: 'loss', leaseId: lease.lease_id, why: 'the deadline passed', loss: 'attempt' }),
    { state: 'queued' },
    0n,
  ],
  [
    'its job was cancelled',
    ({ job }) => ({ kind: 'cancel', jobId: job.job_id }),
    { state: 'failed', charged: 0n },
    PRICE,
  ],
])('nothing is written of a result where %s; once its job is read, it is told', async (_name, between, job, back) => {
  const [sole, other] = [await handedOut(), await handedOut()];
  const before = await balanceOf(db, account.deposit(consumer));
  await settled(between(sole));
  const both = [resultOf(other), resultOf(sole)];
  await expect(settled(...both)).rejects.toBeInstanceOf(Moved);
  expect(await findLease(db, other.lease.lease_id)).toMatchObject({ state: 'held' });
  expect(await findJob(db, other.job.job_id)).toMatchObject({ state: 'queued' });
  const { messages } = await settled(...both.map(asRead));
  const told = messages.flatMap(({ message }) => (message.type === 'verdict' ? [message.verdict.kind] : []));
  expect([...told].sort()).toEqual(['accepted', 'rejected']);
  expect(await findJob(db, sole.job.job_id)).toMatchObject(job);
  expect(await findJob(db, other.job.job_id)).toMatchObject({ state: 'done', charged: PRICE });
  expect((await balanceOf(db, account.deposit(consumer))) - before).toBe(back);
  expect(await booksBalance(db)).toBe(true);
});

test('a result that comes twice, in one message or in two, ends its job once', async () => {
  const sole = await handedOut();
  const once = resultOf(sole);
  const { messages } = await settled(once, once);
  expect(messages.filter(({ message }) => message.type === 'result-stored')).toHaveLength(2);
  await expect(settled(once)).rejects.toBeInstanceOf(Moved);
  expect((await settled(asRead(once))).messages.map(({ message }) => message.type)).toEqual([
    'result-stored',
    'verdict',
  ]);
  expect(await findJob(db, sole.job.job_id)).toMatchObject({ state: 'done', charged: PRICE });
});

test('of many that are written by two at once each ends once', async () => {
  const soles = await Promise.all(Array.from({ length: 20 }, handedOut));
  const results = soles.map((sole) => resultOf(sole));
  const write = async (all: readonly Happening[]) => {
    try {
      return await settled(...all);
    } catch (error) {
      if (!(error instanceof Moved)) throw error;
      return await settled(...all.map(asRead));
    }
  };
  const both = await Promise.all([write(results), write([...results].reverse())]);
  for (const { messages } of both) {
    expect(messages.filter(({ message }) => message.type === 'result-stored')).toHaveLength(20);
  }
  for (const { job } of soles) expect(await findJob(db, job.job_id)).toMatchObject({ state: 'done', charged: PRICE });
  expect(await booksBalance(db)).toBe(true);
});
