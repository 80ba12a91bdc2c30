import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { broadcastOf, gatewaysIn, probeHost } from '../../../agent/adapters/probe-host.ts';
import { proofFile } from '../../../agent/adapters/proofs.ts';
import { proofWith } from '../../support/proof.ts';
import { until } from '../../support/wait.ts';

test.each([
  ['192.168.1.7', '255.255.255.0', '192.168.1.255'],
  ['10.1.2.3', '255.240.0.0', '10.15.255.255'],
  ['172.17.0.1', '255.255.0.0', '172.17.255.255'],
])('%s in %s calls everybody at %s', (address, netmask, all) => {
  expect(broadcastOf(address, netmask)).toBe(all);
});

test('the default routes are read, and nothing else', () => {
  const table = [
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask',
    'eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000',
    'eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF',
    'tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080',
    'bad\t00000000\tnonsense',
    '',
  ].join('\n');
  expect(gatewaysIn(table)).toEqual(['192.168.1.1']);
});

const host = probeHost({ log: () => undefined });
const TOKEN = `0x${'5a'.repeat(32)}`;

async function send(to: { readonly port: number; readonly host: string } | { readonly path: string }, text: string) {
  const socket = connect(to);
  await once(socket, 'connect');
  socket.end(text);
  await once(socket.resume(), 'close');
}

test('who knows the token is heard, who only knocks is not', async () => {
  const bait = await host.lay(TOKEN);
  try {
    await send({ port: bait.port, host: '127.0.0.1' }, 'GET / HTTP/1.1\r\n\r\n');
    expect(bait.heard()).toBe(0);
    await send({ port: bait.port, host: '127.0.0.1' }, TOKEN);
    expect(bait.heard()).toBe(1);
    if (bait.socket !== null) await send({ path: `\0${bait.socket}` }, TOKEN);
    expect(bait.heard()).toBe(bait.socket === null ? 1 : 2);
  } finally {
    bait.close();
  }
  await expect(send({ port: bait.port, host: '127.0.0.1' }, TOKEN)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('every aim is a word', async () => {
  const aims = await host.aims();
  const paths = aims.devices.map(({ path }) => path);
  for (const each of [...aims.gateways, ...aims.own, ...aims.neighbours, ...aims.engineSockets, ...paths]) {
    expect(each).toMatch(/^\S+$/);
  }
  expect(aims.neighbours.length).toBeGreaterThan(0);
});

test('the last proof is kept; a file that cannot be read is none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'idlemesh-proof-'));
  const store = proofFile(folder, () => undefined);
  expect(await store.load()).toBeNull();
  const made = proofWith();
  await store.save(made);
  expect(await store.load()).toEqual(made);
  let told = 0;
  const unsubscribe = store.onChange(() => {
    told += 1;
  });
  await proofFile(folder, () => undefined).save(made);
  await until('it is told of', () => told > 0);
  unsubscribe();
  writeFileSync(join(folder, 'proof.json'), '{"tried":');
  expect(await store.load()).toBeNull();
});
