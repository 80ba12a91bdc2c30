import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger, run as runGraphile } from 'graphile-worker';
import pg from 'pg';
import { z } from 'zod';
import { openPostgres } from '../../coordinator/db-postgres.ts';
import { domainOf } from '../../core/typed-data.ts';
import { networkInfo } from '../../core/wire.ts';
import { newAccount } from '../support/chain.ts';
import { sha256 } from '../support/device.ts';
import { WORKLOAD } from '../support/network.ts';
import { TestPostgres } from '../support/postgres.ts';
import { BenchDevice, Tally } from './dispatch/device.ts';
import { insertJobs } from './dispatch/jobs.ts';
import { percentile } from './yield/figures.ts';

/**
 * How many tasks a second are handed out, answered, stored and settled, durably, over WebSocket, twenty results a request, by
 * two coordinators on one PostgreSQL that syncs every commit, one of which is killed with -9 in each round and started anew;
 * beside graphile-worker on the same server, task by task, in turns. `--tasks=150000` and `--graphile=20000` a round,
 * `--rounds=3`, `--devices=40`, `--replicas=2`.
 */
const option = (name: string, fallback: number): number =>
  Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback);
const [TASKS, PLAIN, ROUNDS] = [option('tasks', 150_000), option('graphile', 20_000), option('rounds', 3)];
const [DEVICES, REPLICAS, SLOTS] = [option('devices', 40), option('replicas', 2), option('slots', 60)];

const folder = mkdtempSync(join(tmpdir(), 'idlemesh-dispatch-'));
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const server = await TestPostgres.start({ shared_buffers: '512MB', max_wal_size: '4GB', checkpoint_timeout: '15min' });
const databaseUrl = await server.database();
const output = Buffer.from('the output of every task of this measurement');
const outputHash = sha256(output);
const chain = {
  ...{ rpcUrl: 'http://127.0.0.1:1', chainId: 31337, publisher: newAccount() },
  ...{ token: newAccount().address, distributor: newAccount().address },
};

type Replica = { readonly dataDir: string; url: string; child: ChildProcess };
const replicas: Replica[] = [];

async function start(dataDir: string): Promise<Replica> {
  const blobs = join(dataDir, 'blobs', outputHash.slice(2, 4));
  mkdirSync(blobs, { recursive: true });
  writeFileSync(join(blobs, outputHash.slice(2)), output);
  const file = join(import.meta.dirname, 'dispatch/replica-process.ts');
  // As deploy/ starts it.
  const words = [
    '--disable-warning=ExperimentalWarning',
    '--max-semi-space-size=64',
    '--no-parallel-scavenge',
    file,
    dataDir,
    databaseUrl,
    JSON.stringify(chain),
  ];
  const env = { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compiled') };
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'], env });
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  return { dataDir, url: first.toString().trim(), child };
}
async function kill(replica: Replica): Promise<void> {
  const ended = once(replica.child, 'exit');
  replica.child.kill('SIGKILL');
  await ended;
}

for (let count = 0; count < REPLICAS; count++) replicas.push(await start(join(folder, `replica-${count}`)));
const network = networkInfo.parse(await (await fetch(`${replicas[0]?.url}/v1/network`)).json());
const domain = domainOf(network.chainId, network.distributor);
const db = await openPostgres(databaseUrl, (_level, event) => say(event));
const tally = new Tally();
const devices = Array.from(
  { length: DEVICES },
  () =>
    new BenchDevice({
      ...{ domain, networkId: network.networkId, tally, workload: WORKLOAD },
      urls: () => replicas.map(({ url }) => url),
      output: { outputHash, outputBytes: output.length },
    }),
);
const owner = newAccount();
for (const { address } of devices) {
  await db.exec(`INSERT INTO devices (device, owner, issued_at, expires_at, signature) VALUES ($1, $2, 1, $3, '')`, [
    address,
    owner.address,
    Date.now() + 86_400_000,
  ]);
}

const count = z.object({ count: z.coerce.number() });
const ask = async (text: string): Promise<number> => (await db.query(count, text))[0]?.count ?? Number.NaN;

async function dispatchRound(): Promise<number> {
  for (const device of devices) device.takes(0);
  await insertJobs(db, newAccount().address, TASKS);
  await db.exec('ANALYZE');
  const before = tally.stored.size;
  const begun = performance.now();
  for (const device of devices) device.takes(SLOTS);
  let killed = false;
  let last = performance.now();
  for (let seen = before; tally.stored.size < before + TASKS; ) {
    await delay(20);
    if (tally.stored.size !== seen) last = performance.now();
    seen = tally.stored.size;
    if (performance.now() - last > 30_000) throw new Error(`stuck at ${seen - before} of ${TASKS}`);
    if (!killed && seen - before > TASKS / 2 && REPLICAS > 1) {
      killed = true;
      const at = Math.floor(Math.random() * replicas.length);
      const victim = replicas[at];
      if (victim === undefined) continue;
      await kill(victim);
      replicas.splice(at, 1);
      void start(victim.dataDir).then((fresh) => replicas.push(fresh));
    }
  }
  return (TASKS / (performance.now() - begun)) * 1000;
}

const graphileUrl = await server.database();
/** `concurrency`: tasks that it has in hand at once; each is taken and ended in statements of its own in any case. */
async function graphileRound(concurrency: number, tasks: number): Promise<number> {
  let done = 0;
  const client = new pg.Client({ connectionString: graphileUrl });
  await client.connect();
  const logger = new Logger(() => () => undefined);
  const options = { connectionString: graphileUrl, concurrency, noHandleSignals: true, pollInterval: 50, logger };
  // Its tables are made by a run without work.
  await (await runGraphile({ ...options, taskList: { task: async () => undefined } })).stop();
  await client.query(
    `SELECT count(graphile_worker.add_job('task', json_build_object('n', n))) FROM generate_series(1, $1::int) AS n`,
    [tasks],
  );
  await client.query('ANALYZE');
  const begun = performance.now();
  const runner = await runGraphile({
    ...options,
    taskList: {
      task: async () => {
        done += 1;
      },
    },
  });
  while (done < tasks) await delay(5);
  const rate = (tasks / (performance.now() - begun)) * 1000;
  await runner.stop();
  await client.end();
  return rate;
}

for (const device of devices) device.join();
const [ours, theirs, alone]: [number[], number[], number[]] = [[], [], []];
try {
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(await dispatchRound());
    say(`round ${round + 1}: ${Math.round(ours.at(-1) ?? 0)} tasks/s`);
    theirs.push(await graphileRound(16, PLAIN));
    alone.push(await graphileRound(1, PLAIN / 5));
    const [most, least] = [Math.round(theirs.at(-1) ?? 0), Math.round(alone.at(-1) ?? 0)];
    say(`round ${round + 1}: graphile-worker ${most} tasks/s, with one in hand at a time ${least}`);
  }
  for (const device of devices) device.leave();
  const accepted = new Set(
    (await db.query(z.object({ lease_id: z.string() }), `SELECT lease_id FROM leases WHERE state = 'accepted'`)).map(
      ({ lease_id }) => lease_id,
    ),
  );
  const lostResults = [...tally.stored].filter((leaseId) => !accepted.has(leaseId)).length;
  const openJobs = await ask(`SELECT count(*) FROM jobs WHERE state <> 'done'`);
  const doubled = await ask(
    `SELECT count(*) FROM (SELECT job_id FROM leases WHERE state <> 'gone' GROUP BY job_id HAVING count(*) > 1) AS twice`,
  );
  const median = (values: readonly number[]): number => Math.round(percentile(values, 50));
  const [tasksPerSecond, graphileTasksPerSecond] = [median(ours), median(theirs)];
  const latencies = tally.latenciesMs;
  const figures = {
    ...{ tasksPerSecond, p99Ms: Math.round(percentile(latencies, 99) * 10) / 10, graphileTasksPerSecond },
    ratio: Math.round((tasksPerSecond / graphileTasksPerSecond) * 10) / 10,
    ...{ lost: lostResults + openJobs, doubleLeased: doubled },
    raw: {
      ...{
        ours,
        theirs,
        graphileOneInHand: alone,
        p50Ms: percentile(latencies, 50),
        cores: cpus().length,
        replicas: REPLICAS,
        devices: DEVICES,
      },
      ...{
        kills: REPLICAS > 1 ? ROUNDS : 0,
        rejoined: tally.rejoined,
        refused: tally.refused,
        seenTwice: tally.doubled,
      },
    },
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
} finally {
  for (const device of devices) device.leave();
  for (const replica of replicas) await kill(replica).catch(() => undefined);
  await db.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
