import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { download, upload } from '../../../agent/adapters/blobs.ts';
import { trafficFile } from '../../../agent/adapters/traffic-file.ts';
import type { Hex32 } from '../../../core/primitives.ts';
import { flowOf, NO_USAGE, parseUsage, totalSince } from '../../../core/traffic.ts';
import { trafficOf } from '../../fakes/traffic.ts';
import { freePort } from '../../support/free-port.ts';

const MBIT = 125_000;
const folder = mkdtempSync(join(tmpdir(), 'idlemesh-shaping-'));
let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A store of one blob on the loopback: it gives it, and takes it. */
async function store(data: Buffer): Promise<{ readonly url: string; readonly taken: () => Buffer }> {
  const port = await freePort();
  const chunks: Buffer[] = [];
  server = createServer((request, response) => {
    if (request.method === 'GET') return void response.end(data);
    if (request.method === 'HEAD') return void response.writeHead(404).end();
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => response.end());
  });
  await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${port}/`, taken: () => Buffer.concat(chunks) };
}
const hashOf = (data: Buffer): Hex32 => `0x${createHash('sha256').update(data).digest('hex')}`;

/** What has passed beyond the burst, as a part of what the rate lets pass in that time. */
async function speed(mbps: number, bytes: number, work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  const seconds = (performance.now() - begun) / 1000;
  return (bytes - flowOf(mbps).burst) / (mbps * MBIT * seconds);
}

test('a download and an upload keep to the owner’s rate on a real connection, are whole, and are counted', async () => {
  const data = randomBytes(3_000_000);
  const [path, sha256] = [join(folder, 'blob'), hashOf(data)];
  const { url, taken } = await store(data);
  const traffic = trafficOf();
  const blob = () => ({ url, token: 'token', path, passage: traffic.passage('cpu') });
  const free = performance.now();
  await download(blob(), sha256, data.length);
  const unshaped = (performance.now() - free) / 1000;
  traffic.limit({ in: flowOf(16), out: flowOf(8) });
  // The bucket is full again after a tenth of a second.
  await delay(300);
  const down = await speed(16, data.length, () => download(blob(), sha256, data.length));
  const up = await speed(8, data.length, () => upload(blob()));
  expect(readFileSync(path).equals(data)).toBe(true);
  expect(taken().equals(data)).toBe(true);
  // Without limits it is another thing altogether.
  expect((data.length - flowOf(16).burst) / (16 * MBIT * unshaped)).toBeGreaterThan(2);
  for (const part of [down, up]) {
    expect(part).toBeGreaterThan(0.9);
    expect(part).toBeLessThan(1.03);
  }
  expect(traffic.view(1)).toMatchObject({ monthBytesIn: 2 * data.length, monthBytesOut: data.length });
  await traffic.close();
}, 30_000);

test('a new rate acts at once on a transfer in progress', async () => {
  const data = randomBytes(2_000_000);
  writeFileSync(join(folder, 'large'), data);
  const { url } = await store(data);
  const traffic = trafficOf();
  traffic.limit({ in: flowOf(1), out: flowOf(1) });
  const sent = upload({ url, token: 'token', path: join(folder, 'large'), passage: traffic.passage('cpu') });
  await delay(700);
  // At 1 Mbit/s it would take another quarter of a minute.
  expect(traffic.view(1).monthBytesOut).toBeLessThan(400_000);
  const begun = performance.now();
  traffic.limit({ in: flowOf(1), out: flowOf(null) });
  await sent;
  expect(performance.now() - begun).toBeLessThan(3_000);
  await traffic.close();
}, 30_000);

test('what was counted survives `kill -9` but for the last second', async () => {
  const path = join(folder, 'traffic.json');
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../support/traffic-child.ts'), path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const seen: { readonly at: number; readonly bytes: number }[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    seen.push({ at: performance.now(), bytes: Number(line) });
  });
  const exited = once(child, 'exit');
  while ((seen.at(-1)?.at ?? 0) - (seen[0]?.at ?? 0) < 3_000) await delay(20);
  child.kill('SIGKILL');
  await exited;
  const killed = seen.at(-1)?.at ?? 0;
  const kept = totalSince(parseUsage(JSON.parse(readFileSync(path, 'utf8'))), '').in;
  // Half a second for the disk.
  const due = seen.findLast(({ at }) => at <= killed - 1_500)?.bytes ?? 0;
  expect(due).toBeGreaterThan(0);
  expect(kept).toBeGreaterThanOrEqual(due);
  expect(kept).toBeLessThanOrEqual(seen.at(-1)?.bytes ?? 0);
}, 30_000);

test('a file that is not understood is moved aside, and counting begins anew', async () => {
  const path = join(folder, 'broken.json');
  writeFileSync(path, '{"version":1,"month":"2026-13-99"');
  const store = trafficFile(path, () => undefined);
  expect(await store.load()).toBeNull();
  const traffic = trafficOf(undefined, store);
  traffic.add('cpu', 'in', 5);
  await traffic.close();
  expect(totalSince((await store.load()) ?? NO_USAGE, '').in).toBe(5);
  rmSync(folder, { recursive: true, force: true });
});
