import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { type Db, integerColumn } from '../../../coordinator/db.ts';
import { openPostgres } from '../../../coordinator/db-postgres.ts';
import { insertJob } from '../../../coordinator/jobs.ts';
import { claim } from '../../../coordinator/queue.ts';
import { Replica } from '../../../coordinator/replica.ts';
import { newAccount } from '../../support/chain.ts';
import { randomHex32 } from '../../support/random.ts';
import { newStore, type Store } from '../../support/store.ts';
import { until } from '../../support/wait.ts';

const quiet = () => undefined;
const KINDS = new Set(['echo here cpu']);
const FAR = Number.MAX_SAFE_INTEGER;

let store: Store;
const opened: Db[] = [];
const open = async (): Promise<Db> => {
  const db = await openPostgres(store.databaseUrl ?? expect.unreachable(), quiet);
  opened.push(db);
  return db;
};
const ears = {
  ...{ rules: () => undefined, work: quiet, jobs: quiet, leases: quiet, session: quiet, epoch: quiet, channel: quiet },
  delivery: quiet,
  storage: quiet,
};

beforeAll(async () => {
  store = await newStore();
});
afterAll(async () => {
  for (const db of opened) await db.close();
  await store.drop();
});

const as = ({ number }: Replica) => ({ number, shy: false });
async function heard(replica: Replica): Promise<void> {
  await new Promise<void>((resolve) => replica.listen({ ...ears, mended: () => resolve() }, () => 0));
}

it('frees what a replica had claimed once it is gone, and what a living one has stays its own', async () => {
  const [here, there] = [await open(), await open()];
  const [living, dying] = [await Replica.open(here, quiet), await Replica.open(there, quiet)];
  expect(living.number).not.toBe(dying.number);
  await heard(living);
  await heard(dying);
  const work = { workload: 'echo', version: '1', image: 'here', lane: 'cpu', params: {}, input_bytes: 1 } as const;
  const money = { price: 1n, pay: 1n, dust: 0n, hold: 1n, replicas: 0, priority: 0 } as const;
  const consumer = newAccount().address;
  for (let at = 1; at <= 4; at++) {
    const ids = { job_id: randomHex32(), input_hash: randomHex32(), consumer };
    await insertJob(here, { ...ids, ...work, ...money }, at);
  }
  const [mine, its] = [
    await claim(here, KINDS, 2, 1, FAR, as(living)),
    await claim(there, KINDS, 2, 1, FAR, as(dying)),
  ];
  const count = z.object({ count: integerColumn });
  await until(
    'both are seen',
    async () => (await here.query(count, 'SELECT COUNT(*) AS count FROM replicas'))[0]?.count === 2,
  );
  expect(await living.bury(2)).toBe(false);

  await dying.close();
  await until('it is buried', () => living.bury(2));
  const freed = await claim(here, KINDS, 9, 2, FAR, as(living));
  expect(new Set(freed.map(({ job_id }) => job_id))).toEqual(new Set(its.map(({ job_id }) => job_id)));
  expect(freed).not.toContainEqual(mine[0]);
  await living.close();
});
