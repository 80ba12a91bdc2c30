import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { download } from '../../../agent/adapters/blobs.ts';
import { coordinatorDirectory } from '../../../agent/adapters/coordinator.ts';
import { sha256Hex } from '../../../core/keccak.ts';
import { linkBehaviour } from '../../behaviors/link.ts';
import { FakeVault } from '../../fakes/small.ts';
import { trafficOf } from '../../fakes/traffic.ts';
import { freePort } from '../../support/free-port.ts';
import { TestNetwork, WORKLOAD } from '../../support/network.ts';
import { until } from '../../support/wait.ts';

const log = () => undefined;
const blob = (url: string) => ({ url, token: 'token', path: '/dev/null', passage: trafficOf().passage('cpu') });
let network: TestNetwork;
beforeAll(async () => {
  network = await TestNetwork.start({ port: await freePort() });
}, 60_000);
afterAll(() => network.stop());

linkBehaviour('real', async () => ({
  directory: coordinatorDirectory({ log, traffic: trafficOf() }),
  url: network.url,
  down: () => network.halt(),
  up: () => network.restart(),
  work: {
    ...WORKLOAD,
    order: async () => {
      await (await network.consumer()).submit(WORKLOAD.id, Buffer.from('input'));
    },
  },
}));

test('a device that is not enrolled is refused, with the reason', async () => {
  const vault = new FakeVault();
  const directory = coordinatorDirectory({ log, traffic: trafficOf() });
  const info = await directory.network(network.url);
  const options = { url: network.url, network: info, owner: vault.owner, key: vault.deviceKey(info) };
  const hello = () => ({ agent: 'test', platform: 'test', workloads: [], leases: [] });
  const link = directory.connect({ ...options, hello });
  link.start();
  await until('refused', () => link.state().kind === 'refused');
  expect(link.state()).toMatchObject({ detail: expect.stringContaining('not enrolled') });
  await link.close();
  const elsewhere = { ...info, networkId: `0x${'9'.repeat(64)}` as const };
  const lost = directory.connect({ ...options, network: elsewhere, hello });
  lost.start();
  await until('refused', () => lost.state().kind === 'refused');
  expect(lost.state()).toMatchObject({ detail: expect.stringContaining('another network') });
  await lost.close();
});

describe('a blob that is not what was asked for', () => {
  const data = Buffer.from('the right bytes');
  let server: Server | null = null;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });
  async function serve(answer: RequestListener): Promise<string> {
    const port = await freePort();
    server = createServer(answer);
    await new Promise<void>((resolve) => server?.listen(port, '127.0.0.1', resolve));
    return `http://127.0.0.1:${port}/`;
  }
  test.each<[string, RequestListener, string | null]>([
    ['right', (_request, response) => response.end(data), null],
    ['other bytes', (_request, response) => response.end(Buffer.from('the wrong bytes')), 'REFUSED'],
    ['too many', (_request, response) => response.end(Buffer.concat([data, data])), 'REFUSED'],
    ['too few', (_request, response) => response.end(data.subarray(1)), 'COORDINATOR_AWAY'],
    [
      'broken off',
      (_request, response) => {
        response.writeHead(200, { 'content-length': data.length });
        response.write(data.subarray(0, 4), () => response.destroy());
      },
      'COORDINATOR_AWAY',
    ],
    ['not now', (_request, response) => response.writeHead(503).end(), 'COORDINATOR_AWAY'],
    ['no longer known', (_request, response) => response.writeHead(401).end(), 'UNAUTHORISED'],
  ])('%s', async (_name, answer, code) => {
    const folder = await mkdtemp(join(tmpdir(), 'idlemesh-blob-'));
    const path = join(folder, 'blob');
    const fetched = download({ ...blob(await serve(answer)), path }, sha256Hex(data), data.length);
    if (code === null) {
      await fetched;
      expect(await readFile(path)).toEqual(data);
    } else await expect(fetched).rejects.toMatchObject({ code });
    await rm(folder, { recursive: true, force: true });
  });
  test('nobody there', async () => {
    const gone = download(blob(`http://127.0.0.1:${await freePort()}/`), sha256Hex(data), 1);
    await expect(gone).rejects.toMatchObject({ code: 'COORDINATOR_AWAY' });
  });
});
