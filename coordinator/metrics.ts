import { createServer, type Server } from 'node:http';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { amountColumn, integerColumn, type Sql } from './db.ts';

/** Upper bounds, seconds. */
const BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30];
/** Kinds of accounts, which are what stands before the colon of their names. */
const ACCOUNTS = ['external', 'deposit', 'hold', 'pending', 'matured', 'published', 'claimed', 'fees', 'dust'] as const;

const countRow = z.object({ name: z.string(), count: integerColumn });
const balanceRow = z.object({ name: z.string(), balance: amountColumn });
const epochRow = z.object({ epoch: integerColumn, closed_at: integerColumn, published: z.boolean() });

/**
 * What an operator watches, in the text format of Prometheus. Of the books only sums: no account is named. Amounts are
 * doubles there, exact to some sixteen digits; the books themselves are exact.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = new Histogram({
    ...{ name: 'idlemesh_http_request_seconds', help: 'Requests by route and status', buckets: BUCKETS },
    ...{ labelNames: ['method', 'route', 'status'] as const, registers: [this.#registry] },
  });
  readonly #messages = new Counter({
    ...{ name: 'idlemesh_session_messages_total', help: 'Messages of devices that were handled, by type' },
    ...{ labelNames: ['type'] as const, registers: [this.#registry] },
  });
  readonly #leases = new Counter({
    ...{ name: 'idlemesh_leases_total', help: 'Leases handed out', registers: [this.#registry] },
  });
  readonly #settled = new Counter({
    ...{ name: 'idlemesh_settled_total', help: 'Jobs that ended, by how', labelNames: ['state'] as const },
    registers: [this.#registry],
  });

  constructor(sources: {
    readonly sql: Sql;
    readonly sessions: () => number;
    readonly ready: () => number;
    readonly healthy: () => boolean;
  }) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry, prefix: 'idlemesh_' });
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    };
    gauge('idlemesh_sessions', 'Devices connected here', sources.sessions);
    gauge('idlemesh_ready_copies', 'Copies of jobs in hand here that wait for a device', sources.ready);
    gauge('idlemesh_ready', '1 while /readyz says so', () => Number(sources.healthy()));
    this.#books(sources.sql);
  }

  #books(sql: Sql): void {
    const registers = [this.#registry];
    new Gauge({
      ...{ name: 'idlemesh_jobs', help: 'Open jobs, and leases by state', labelNames: ['state'] as const, registers },
      async collect() {
        const rows = await sql.query(
          countRow,
          `SELECT 'open' AS name, count(*) AS count FROM jobs WHERE state NOT IN ('done', 'failed')
           UNION ALL SELECT 'leased', count(*) FROM leases WHERE state = 'held'`,
        );
        for (const { name, count } of rows) this.set({ state: name }, count);
      },
    });
    new Gauge({
      ...{
        name: 'idlemesh_books',
        help: 'Balances by kind of account, base units',
        labelNames: ['account'] as const,
        registers,
      },
      async collect() {
        const rows = await sql.query(
          balanceRow,
          `SELECT split_part(account, ':', 1) AS name, SUM(balance)::text AS balance FROM accounts GROUP BY 1`,
        );
        for (const name of ACCOUNTS)
          this.set({ account: name }, Number(rows.find((row) => row.name === name)?.balance ?? 0n));
      },
    });
    const epoch = new Gauge({
      ...{
        name: 'idlemesh_epoch',
        help: 'Newest epoch that was closed, and that is on chain',
        labelNames: ['step'] as const,
        registers,
      },
      async collect() {
        const rows = await sql.query(
          epochRow,
          `SELECT epoch, closed_at, tx_hash IS NOT NULL AS published FROM epochs ORDER BY epoch DESC LIMIT 50`,
        );
        this.set({ step: 'closed' }, rows[0]?.epoch ?? 0);
        this.set({ step: 'published' }, rows.find(({ published }) => published)?.epoch ?? 0);
      },
    });
    void epoch;
  }

  request(method: string, route: string, status: number, seconds: number): void {
    this.#requests.observe({ method, route, status: String(status) }, seconds);
  }
  message(type: string): void {
    this.#messages.inc({ type });
  }
  leased(count: number): void {
    this.#leases.inc(count);
  }
  settled(state: string, count: number): void {
    if (count > 0) this.#settled.inc({ state }, count);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

/** Serves them on a port of their own, for who watches and not for the world. Throws CONFLICT when it is taken. */
export async function serveMetrics(metrics: Metrics, host: string, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url !== '/metrics' || request.method !== 'GET') {
      response.writeHead(404).end();
      return;
    }
    metrics.text().then(
      (text) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text),
      () => response.writeHead(503).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  }).catch((error: unknown) => fail('CONFLICT', `another program uses port ${port}`, { port }, error));
  return server;
}
