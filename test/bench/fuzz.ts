import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startCoordinator } from '../../coordinator/index.ts';
import { newAccount } from '../support/chain.ts';
import { enrol, fuzzHttp, fuzzSessions, stateOf } from '../support/fuzz.ts';
import { coordinatorOptions } from '../support/network.ts';
import { TestPostgres } from '../support/postgres.ts';

/**
 * What messages that nobody meant do to a coordinator: mutated ones, over real connections, on a real PostgreSQL.
 * `--messages=1000000` over sessions, `--requests=50000` over HTTP, `--seed=N` does the same again.
 */
const option = (name: string, fallback: number): number =>
  Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback);
const [MESSAGES, REQUESTS] = [option('messages', 1_000_000), option('requests', 50_000)];
const seed = option('seed', randomBytes(4).readUInt32BE());

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const heapMiB = (): number => {
  collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
};

let crashes = 0;
process.on('uncaughtException', (error) => {
  crashes += 1;
  process.stderr.write(`${error.stack}\n`);
});
const internal = new Map<string, number>();
const folder = mkdtempSync(join(tmpdir(), 'idlemesh-fuzz-'));
const server = await TestPostgres.start();
const databaseUrl = await server.database();
// Each look at the clock moves it: nobody is sent away for sending too much.
let now = Date.now();
const chain = {
  ...{ rpcUrl: 'http://127.0.0.1:1', chainId: 31337, publisher: newAccount() },
  ...{ token: newAccount().address, distributor: newAccount().address },
};
const coordinator = await startCoordinator({
  ...coordinatorOptions(folder, chain),
  ...{ databaseUrl, epochEveryMs: 3_600_000 },
  clock: { now: () => (now += 5) },
  log: (level, event, fields) => {
    if (level !== 'error') return;
    const what = `${event} ${String(fields?.['message'] ?? '')}`.slice(0, 200);
    internal.set(what, (internal.get(what) ?? 0) + 1);
  },
});
const aim = { coordinator, chain, databaseUrl, seed, now: () => now };
try {
  // So many connections at once.
  const keys = await Promise.all(Array.from({ length: 8 }, () => enrol(aim)));
  await fuzzSessions(aim, keys, 2_000);
  await fuzzHttp(aim, 500);
  const before = await stateOf(databaseUrl);
  const heap = heapMiB();
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage().heapUsed / 2 ** 20);
  }, 200);
  const begun = performance.now();
  const sessions = await fuzzSessions(aim, keys, MESSAGES);
  const http = await fuzzHttp(aim, REQUESTS);
  const seconds = (performance.now() - begun) / 1000;
  clearInterval(watch);
  const after = await stateOf(databaseUrl);
  const changed = [...after].filter(([table, digest]) => before.get(table) !== digest).map(([table]) => table);
  const alive = (await fetch(`${coordinator.url}/healthz`)).status === 200;
  const figures = {
    ...{ messages: sessions.sent + http.sent, crashes: crashes + (alive ? 0 : 1), stateChanges: changed.length },
    ...{ heapGrownMiB: Math.round((heapMiB() - heap) * 10) / 10, mostHeapMiB: Math.round(most) },
    ...{ internalErrors: [...internal.values()].reduce((sum, count) => sum + count, 0) },
    raw: { seed, seconds, sessions, http, changed, internal: Object.fromEntries(internal) },
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
} finally {
  await coordinator.close();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
