import { createServer, type Server } from 'node:http';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { z } from 'zod';
import { fail } from '../core/errors.ts';
import { type Db, integerColumn } from './db.ts';
import { HELD } from './leases.ts';
import type { Clock } from './options.ts';
import { ACCOUNT_KINDS, type KeptTotals } from './totals.ts';

/** Upper bounds, seconds. */
const BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30];
/** Jobs that are counted at a look: past it the figure says "at least", and the look stays cheap. */
const MOST_COUNTED = 100_000;
/** Epochs that are looked through for the newest that is on chain. */
const LOOK_BACK = 50;

const queueRow = z.object({ workload: z.string(), lane: z.string(), count: integerColumn });
const countRow = z.object({ count: integerColumn });
const epochRow = z.object({ epoch: integerColumn, closed_at: integerColumn, published: z.boolean() });

/** How a lease ended without a verdict. */
export type LostBecause = 'declined' | 'deadline' | 'forgotten' | 'cancelled' | 'withdrawn' | 'not-needed';

type Sources = {
  readonly db: Db;
  readonly clock: Clock;
  readonly totals: KeptTotals;
  /** Workloads that may be a label; jobs of others are counted together. */
  readonly workloads: ReadonlySet<string>;
  readonly sessions: () => number;
  readonly readyCopies: () => number;
  readonly draining: () => boolean;
};

/**
 * What an operator watches, in the text format of Prometheus. Of the books only sums: no account is named, and no label has a value
 * that a stranger chose. Amounts are doubles there, exact to some sixteen digits; the books themselves are exact.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #in = { registers: [this.#registry] };
  readonly #requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'HTTP requests by route and status',
    buckets: BUCKETS,
    labelNames: ['method', 'route', 'status_code'] as const,
    ...this.#in,
  });
  readonly #handedOut = new Counter({ name: 'idlemesh_leases_total', help: 'Leases handed out', ...this.#in });
  readonly #lost = new Counter({
    name: 'idlemesh_leases_lost_total',
    help: 'Leases that ended without a verdict, by reason',
    labelNames: ['reason'] as const,
    ...this.#in,
  });
  readonly #verdicts = new Counter({
    name: 'idlemesh_results_total',
    help: 'Results that had their verdict, by verdict',
    labelNames: ['verdict'] as const,
    ...this.#in,
  });
  readonly #reports = new Counter({
    name: 'idlemesh_reports_total',
    help: 'Reports of devices, by what they were answered with',
    labelNames: ['answer'] as const,
    ...this.#in,
  });

  readonly #relayed = new Counter({
    name: 'idlemesh_relayed_bytes_total',
    help: 'Bytes that the relay passed on, of channels that are over',
    ...this.#in,
  });

  readonly #audits = new Counter({
    name: 'idlemesh_storage_audits_total',
    help: 'Audits of stored data, by how they ended',
    labelNames: ['verdict'] as const,
    ...this.#in,
  });

  audited(verdict: 'passed' | 'failed' | 'unanswered'): void {
    this.#audits.inc({ verdict });
  }
  relayed(bytes: number): void {
    this.#relayed.inc(bytes);
  }
  request(method: string, route: string | undefined, status: number, seconds: number): void {
    // An unknown route has any method, which is a stranger's word.
    const labels = route === undefined ? { method: 'any', route: 'unknown' } : { method, route };
    this.#requests.observe({ ...labels, status_code: String(status) }, seconds);
  }
  handedOut(count: number): void {
    this.#handedOut.inc(count);
  }
  lost(reason: LostBecause, count = 1): void {
    if (count > 0) this.#lost.inc({ reason }, count);
  }
  verdicts({ accepted, rejected }: { readonly accepted: number; readonly rejected: number }): void {
    if (accepted > 0) this.#verdicts.inc({ verdict: 'accepted' }, accepted);
    if (rejected > 0) this.#verdicts.inc({ verdict: 'rejected' }, rejected);
  }
  reported(answer: 'receipt' | 'fork'): void {
    this.#reports.inc({ answer });
  }

  /** Once, before it is served: what is looked up whenever somebody asks. */
  watch(sources: Sources): void {
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge('idlemesh_sessions', 'Devices connected to this coordinator', sources.sessions);
    this.#gauge('idlemesh_ready_copies', 'Copies of jobs in hand here that wait for a device', sources.readyCopies);
    this.#gauge('idlemesh_draining', '1 while it goes down', () => Number(sources.draining()));
    this.#pool(sources.db);
    this.#queue(sources);
    this.#books(sources);
    this.#epochs(sources);
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      ...{ name, help, ...this.#in },
      collect() {
        this.set(read());
      },
    });
  }

  #pool({ pool }: Db): void {
    if (pool() === null) return;
    new Gauge({
      name: 'idlemesh_database_connections',
      help: 'Connections to the database by state, and requests that wait for one',
      labelNames: ['state'] as const,
      ...this.#in,
      collect() {
        const { total = 0, idle = 0, waiting = 0 } = pool() ?? {};
        this.set({ state: 'busy' }, total - idle);
        this.set({ state: 'idle' }, idle);
        this.set({ state: 'awaited' }, waiting);
      },
    });
  }

  #queue({ db, workloads }: Sources): void {
    new Gauge({
      name: 'idlemesh_open_jobs',
      help: `Jobs that are not over, by kind; ${MOST_COUNTED} of them at most are looked at`,
      labelNames: ['workload', 'lane'] as const,
      ...this.#in,
      async collect() {
        this.reset();
        const rows = await db.query(
          queueRow,
          `SELECT split_part(kind, ' ', 1) AS workload, split_part(kind, ' ', 3) AS lane, count(*) AS count
           FROM (SELECT kind FROM queue LIMIT ${MOST_COUNTED}) AS open GROUP BY 1, 2`,
        );
        for (const { workload, lane, count } of rows) {
          this.inc({ workload: workloads.has(workload) ? workload : 'other', lane }, count);
        }
      },
    });
    new Gauge({
      name: 'idlemesh_held_leases',
      help: `Leases that devices hold; ${MOST_COUNTED} at most are counted`,
      ...this.#in,
      async collect() {
        const [row] = await db.query(
          countRow,
          `SELECT count(*) AS count FROM (SELECT 1 FROM leases WHERE ${HELD} LIMIT ${MOST_COUNTED}) AS held`,
        );
        this.set(row?.count ?? 0);
      },
    });
  }

  #books({ totals }: Sources): void {
    new Gauge({
      name: 'idlemesh_ledger_base_units',
      help: 'Balances of the books by kind of account, up to a minute old',
      labelNames: ['account'] as const,
      ...this.#in,
      async collect() {
        const sums = await totals.get();
        for (const account of ACCOUNT_KINDS) this.set({ account }, Number(sums[account]));
      },
    });
  }

  #epochs({ db, clock }: Sources): void {
    const age = new Gauge({
      name: 'idlemesh_published_epoch_age_seconds',
      help: 'Since the newest epoch that is on chain was closed',
      ...this.#in,
    });
    new Gauge({
      name: 'idlemesh_epoch',
      help: 'Number of the newest epoch that is closed, and of that which is on chain',
      labelNames: ['step'] as const,
      ...this.#in,
      async collect() {
        const rows = await db.query(
          epochRow,
          `SELECT epoch, closed_at, tx_hash IS NOT NULL AS published FROM epochs ORDER BY epoch DESC LIMIT ${LOOK_BACK}`,
        );
        const published = rows.find((row) => row.published);
        this.set({ step: 'closed' }, rows[0]?.epoch ?? 0);
        this.set({ step: 'published' }, published?.epoch ?? 0);
        if (published !== undefined) age.set((clock.now() - published.closed_at) / 1_000);
      },
    });
  }

  /** Throws what the database says. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

export type MetricsServer = { readonly url: string; readonly close: () => Promise<void> };

/** Serves them on a port of their own, for who watches and not for the world. Throws CONFLICT when it is taken. */
export async function serveMetrics(
  metrics: Pick<Metrics, 'text'>,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<MetricsServer> {
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
  return { url: addressOf(server), close: () => closed(server) };
}

function addressOf(server: Server): string {
  const at = server.address();
  if (at === null || typeof at === 'string') return fail('INTERNAL', 'a server without an address');
  return `http://${at.family === 'IPv6' ? `[${at.address}]` : at.address}:${at.port}/metrics`;
}

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
