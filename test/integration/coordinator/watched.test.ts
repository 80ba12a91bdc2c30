import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTokens } from '../../../core/money.ts';
import { problemDetails } from '../../../core/wire.ts';
import { earn } from '../../support/earn.ts';
import { PRICE, TestNetwork } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

const DAY = 86_400_000;

describe('a coordinator that is watched', () => {
  let network: TestNetwork;
  let ahead = 0;
  beforeAll(async () => {
    network = await TestNetwork.start({
      ...{ metrics: { host: '127.0.0.1', port: 0 }, drainMs: 1_500 },
      clock: { now: () => Date.now() + ahead },
    });
  }, 60_000);
  afterAll(() => network.stop());

  const text = async () => await (await fetch(network.coordinator.metricsUrl ?? expect.unreachable())).text();
  /** The value of one series, named as it stands in the text. */
  const seriesOf = (all: string, series: string): number | null => {
    const line = all.split('\n').find((one) => one.startsWith(`${series} `));
    return line === undefined ? null : Number(line.slice(series.length + 1));
  };
  const ask = (path: string) => fetch(`${network.url}${path}`);

  it('is alive and ready, by either name', async () => {
    for (const path of ['/v1/health', '/healthz']) expect(await (await ask(path)).json()).toEqual({ status: 'ok' });
    for (const path of ['/v1/ready', '/readyz']) expect(await (await ask(path)).json()).toEqual({ status: 'ready' });
  });

  it('counts what goes through it', async () => {
    const consumer = await network.consumer(parseTokens('10'));
    const device = await network.device(0);
    const before = await text();
    expect(seriesOf(before, 'idlemesh_sessions')).toBe(1);
    const items = [await earn(consumer, device, 'one'), await earn(consumer, device, 'two')].map(({ item }) => item);
    await device.report(items);
    const from = device.messages.length;
    device.send({ type: 'ready', lane: 'cpu', slots: 1 });
    await consumer.submit('echo', Buffer.from('three'));
    const { leaseId } = await device.nextLease(from);
    device.send({ type: 'decline', reason: 'too-large', detail: 'no', leaseId });
    await until(
      'the decline',
      async () => seriesOf(await text(), 'idlemesh_leases_lost_total{reason="declined"}') === 1,
    );
    const after = await text();
    expect(seriesOf(after, 'idlemesh_leases_total')).toBeGreaterThanOrEqual(3);
    expect(seriesOf(after, 'idlemesh_results_total{verdict="accepted"}')).toBe(2);
    expect(seriesOf(after, 'idlemesh_reports_total{answer="receipt"}')).toBe(1);
    expect(seriesOf(after, 'idlemesh_open_jobs{workload="echo",lane="cpu"}')).toBe(1);
    const route = 'method="GET",route="/v1/jobs/:id",status_code="200"';
    await consumer.job(`0x${'1'.repeat(64)}`).catch(() => undefined);
    await ask('/etc/passwd?x=made-up');
    const last = await text();
    expect(seriesOf(last, `http_request_duration_seconds_count{${route}}`)).toBe(null);
    expect(last).toContain('route="/v1/jobs/:id",status_code="404"');
    // What is not there has one name, whatever it was called.
    expect(last).toContain('http_request_duration_seconds_count{method="any",route="unknown",status_code="404"} 1');
    expect(last).not.toContain('passwd');
    await device.hangUp();
  });

  it('tells of its epochs, its database and its process', async () => {
    await until('an epoch on chain', async () => seriesOf(await text(), 'idlemesh_epoch{step="published"}') === 1);
    const all = await text();
    expect(seriesOf(all, 'idlemesh_published_epoch_age_seconds')).toBeLessThan(60);
    expect(seriesOf(all, 'process_resident_memory_bytes')).toBeGreaterThan(1e7);
    // Counted anew from one look to the next.
    const lag = async () => (seriesOf(await text(), 'nodejs_eventloop_lag_p99_seconds') ?? 0) > 0;
    await until('the event loop to be late', lag);
    const shared = process.env['IDLEMESH_TEST_STORE'] === 'postgres';
    expect(seriesOf(all, 'idlemesh_database_connections{state="idle"}') !== null).toBe(shared);
  });

  it('sums its books by kind of account, and they sum to nothing', async () => {
    // They are kept for a minute.
    ahead += 61_000;
    const all = await text();
    const kinds = [...all.matchAll(/^idlemesh_ledger_base_units\{account="(\w+)"\} (\S+)$/gm)];
    expect(kinds).toHaveLength(10);
    expect(Object.fromEntries(kinds.map(([, kind, value]) => [kind, Number(value)]))).toMatchObject({
      external: -1e19,
      hold: Number(PRICE),
      published: Number(2n * PRICE),
    });
    expect(kinds.reduce((sum, [, , value]) => sum + Number(value), 0)).toBe(0);
  });

  it('names no account, no job and no device in its metrics, and serves nothing else there', async () => {
    expect(await text()).not.toMatch(/0x[0-9a-f]{8}/i);
    const base = new URL('/', network.coordinator.metricsUrl ?? expect.unreachable());
    expect((await fetch(base)).status).toBe(404);
    expect((await fetch(new URL('/metrics', base), { method: 'POST' })).status).toBe(404);
    expect((await ask('/metrics')).status).toBe(404);
  });

  it('is not ready when its chain was silent for long, and is when it speaks again', async () => {
    await network.chain.halt();
    ahead += DAY;
    await until('not ready', async () => (await ask('/v1/ready')).status === 503);
    const problem = problemDetails.parse(await (await ask('/v1/ready')).json());
    expect(problem).toMatchObject({ code: 'COORDINATOR_AWAY', detail: expect.stringContaining('chain') });
    expect((await ask('/v1/health')).status).toBe(200);
    await network.chain.restart();
    await until('ready', async () => (await ask('/v1/ready')).status === 200);
  }, 60_000);

  it('is not ready while it goes down, and answers until it is', async () => {
    const gone = network.halt();
    const ready = await ask('/v1/ready');
    expect(ready.status).toBe(503);
    expect(ready.headers.get('retry-after')).not.toBeNull();
    expect(problemDetails.parse(await ready.json()).detail).toContain('going down');
    expect((await ask('/v1/network')).status).toBe(200);
    expect(seriesOf(await text(), 'idlemesh_draining')).toBe(1);
    await gone;
    await expect(ask('/v1/health')).rejects.toThrow();
    await expect(text()).rejects.toThrow();
  });
});
