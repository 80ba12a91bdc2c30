import pg from 'pg';
import { WebSocket } from 'ws';
import type { Coordinator } from '../../coordinator/index.ts';
import { OVER_KEY } from '../../coordinator/leases.ts';
import { API } from '../../core/api.ts';
import type { UnixMs } from '../../core/primitives.ts';
import { ZERO_HASH } from '../../core/primitives.ts';
import { encodeWire } from '../../core/wire.ts';
import { newAccount, type TestChain } from './chain.ts';
import { Signatory } from './device.ts';
import { mutated } from './mutate.ts';
import { WORKLOAD } from './network.ts';
import { Random } from './sim/random.ts';

/** Messages of one connection, and requests at once. */
const EACH = 400;
const AT_ONCE = 8;
/** Of the connections, those that say a good hello first. */
const JOINED = 0.4;
const MOST_BUFFERED = 1 << 20;

export type Aim = {
  readonly coordinator: Pick<Coordinator, 'url' | 'network'>;
  readonly chain: Pick<TestChain, 'chainId' | 'distributor'>;
  readonly databaseUrl: string;
  readonly seed: number;
  /** By the coordinator's clock. */
  readonly now: () => UnixMs;
};

const hash = `0x${'ab'.repeat(32)}` as const;
const account = `0x${'cd'.repeat(20)}` as const;
const signature = `0x${'ef'.repeat(65)}` as const;
const result = { leaseId: hash, outputHash: hash, outputBytes: 1, startedAt: 1, finishedAt: 2 };
const report = {
  ...{ owner: account, device: account, sequence: 1, previous: ZERO_HASH, periodStart: 1, periodEnd: 2 },
  ...{ itemsHash: hash, itemCount: 1, total: '1' },
};

/** One of each message, in its right form, of things that are not there. */
const MESSAGES: readonly unknown[] = [
  {
    ...{ type: 'hello', value: { device: account, networkId: hash, nonce: hash, issuedAt: 1 }, signature },
    ...{ agent: 'a', platform: 'linux/amd64', workloads: [WORKLOAD], leases: [hash] },
  },
  { type: 'workloads', workloads: [WORKLOAD] },
  { type: 'ready', lane: 'cpu', slots: 3 },
  { type: 'decline', leaseId: hash, reason: 'held', detail: 'busy' },
  { type: 'progress', leaseId: hash, progress: 0.5 },
  { type: 'result', value: { ...result, device: account }, signature },
  { type: 'results', value: { device: account, resultsHash: hash, resultCount: 1 }, signature, results: [result] },
  { type: 'report', value: report, signature, items: [{ leaseId: hash, outputHash: hash, amount: '1' }] },
  { type: 'gpu-setup', setup: hash, memoryBytes: 1 },
  { type: 'gpu-commitment', challengeId: hash, root: hash },
  { type: 'gpu-opened', challengeId: hash, openings: [{ row: 1, digest: hash, path: [hash] }] },
  { type: 'gpu-declined', challengeId: hash, detail: 'busy' },
];

const order = {
  ...{ consumer: account, workload: WORKLOAD.id, paramsHash: hash, inputHash: hash, inputBytes: 1 },
  ...{ maxPrice: '1000', nonce: hash, expiresAt: 9_999_999_999_999 },
};
/** Bodies in their right form, for those that take one. */
const BODIES: readonly unknown[] = [
  { value: { owner: account, device: account, issuedAt: 1, expiresAt: 9_999_999_999_999 }, signature },
  { value: { account, networkId: hash, issuedAt: 1 }, signature },
  { workload: WORKLOAD.id, inputBytes: 3, params: {} },
  { value: order, signature, params: {} },
  { orders: [{ value: order, signature, params: {} }] },
  { value: { owner: account, recipient: account, amount: '1', fee: '0', deadline: 9_999_999_999 }, signature },
  { name: 'key', read: true, submit: true, cap: '5' },
];

/** Sends so many mutated messages over sessions, and waits until all are handled. */
export async function fuzzSessions(
  aim: Aim,
  keys: readonly Signatory[],
  count: number,
): Promise<{ readonly sent: number; readonly joined: number }> {
  let [sent, joined, next] = [0, 0, 0];
  // A device each: one that says hello anew ends its session before.
  const hand = async (key: Signatory): Promise<void> => {
    while (sent < count) {
      const number = next++;
      const random = new Random(aim.seed, `session ${number}`);
      const good = random.chance(JOINED);
      joined += Number(good);
      sent += await oneSession(aim, random, good ? key : null, Math.min(EACH, count - sent));
    }
  };
  await Promise.all(keys.map(hand));
  return { sent, joined };
}

async function oneSession(aim: Aim, random: Random, key: Signatory | null, most: number): Promise<number> {
  const socket = new WebSocket(`${aim.coordinator.url.replace('http', 'ws')}/v1/session`);
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const first = new Promise<string>((resolve) => {
    socket.once('message', (data) => resolve(data.toString()));
  });
  const challenge = await Promise.race([first, closed.then(() => '{}')]);
  if (key !== null) {
    const { nonce } = JSON.parse(challenge) as { readonly nonce: `0x${string}` };
    socket.send(await greeting(aim, key, nonce));
    await new Promise<void>((resolve) => {
      socket.once('message', () => resolve());
      void closed.then(resolve);
    });
  }
  let sent = 0;
  while (sent < most && socket.readyState === WebSocket.OPEN) {
    const message = MESSAGES[random.below(MESSAGES.length)];
    socket.send(mutated(random, message));
    sent += 1;
    // What the other side has not read yet waits here, too.
    while (socket.bufferedAmount > MOST_BUFFERED && socket.readyState === WebSocket.OPEN) await tick();
    if (sent % 16 === 0) await tick();
  }
  socket.close();
  await closed;
  return Math.max(1, sent);
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function greeting(aim: Aim, key: Signatory, nonce: `0x${string}`): Promise<string> {
  const value = { device: key.address, networkId: aim.coordinator.network.networkId, nonce, issuedAt: aim.now() };
  return encodeWire({
    ...{ type: 'hello', value, signature: await key.sign('Session', value), agent: 'fuzz', platform: 'linux/amd64' },
    ...{ workloads: [WORKLOAD], leases: [] },
  });
}

/** A device of a new owner, enrolled. */
export async function enrol(aim: Aim): Promise<Signatory> {
  const [owner, key] = [new Signatory(newAccount(), aim.chain), new Signatory(newAccount(), aim.chain)];
  const value = {
    ...{ owner: owner.address, device: key.address, issuedAt: aim.now() },
    expiresAt: aim.now() + 365 * 86_400_000,
  };
  const body = encodeWire({ value, signature: await owner.sign('Enrollment', value) });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${aim.coordinator.url}/v1/enrollments`, { method: 'POST', headers, body });
  if (answer.status !== 201) throw new Error(`the device was not enrolled: ${answer.status}`);
  return key;
}

/** Sends so many mutated requests to every endpoint there is; `failed`: answered with 500 or not at all. */
export async function fuzzHttp(aim: Aim, count: number): Promise<{ readonly sent: number; readonly failed: number }> {
  const endpoints = Object.values(API);
  let [sent, failed] = [0, 0];
  const hand = async (): Promise<void> => {
    while (sent < count) {
      const random = new Random(aim.seed, `request ${sent++}`);
      const { method, path } = endpoints[random.below(endpoints.length)] ?? { method: 'GET', path: '/' };
      // Half of a surrogate pair has no place in an address.
      const part = (): string =>
        encodeURIComponent(
          mutated(random, random.chance(0.5) ? hash : account)
            .slice(0, 2_000)
            .toWellFormed(),
        );
      const url = `${aim.coordinator.url}${path.replace(/:\w+/g, part)}${random.chance(0.3) ? `?after=${part()}` : ''}`;
      const body =
        method === 'GET' || method === 'HEAD' ? {} : { body: mutated(random, BODIES[random.below(BODIES.length)]) };
      const headers: Record<string, string> = { 'content-type': 'application/json' };
      if (random.chance(0.3)) headers['authorization'] = `Bearer ${part().slice(0, 500)}`;
      const status = await fetch(url, { method, headers, ...body }).then(
        async (answer) => {
          await answer.arrayBuffer();
          return answer.status;
        },
        () => 0,
      );
      if (status === 500 || status === 0) failed += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, hand));
  return { sent: count, failed };
}

/**
 * A digest of each table. Which session of a device is the newest is no state that a good hello may not change; nor is how far
 * was looked for what is overdue.
 */
export async function stateOf(databaseUrl: string): Promise<ReadonlyMap<string, string>> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ readonly name: string }>(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`,
    );
    const digests = new Map<string, string>();
    for (const { name } of rows) {
      const { rows: found } = await client.query<{ readonly digest: string | null }>(
        `SELECT md5(string_agg((to_jsonb(t) - 'session')::text, ' ' ORDER BY to_jsonb(t)::text)) AS digest FROM "${name}" AS t
         WHERE to_jsonb(t) ->> 'key' IS DISTINCT FROM '${OVER_KEY}'`,
      );
      digests.set(name, found[0]?.digest ?? '');
    }
    return digests;
  } finally {
    await client.end();
  }
}
