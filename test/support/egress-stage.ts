import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Containers } from '../../agent/ports.ts';
import { LABEL } from '../../core/sandbox.ts';
import { answeringEngine, callEngine } from '../../scripts/lib/engine.mjs';
import { buildImage } from './build-image.ts';
import { type Deed, deedStage, MIB } from './deed.ts';

/**
 * An internet of two machines on a network of its own, in a range that counts as public, without an address of this machine
 * in it: one that answers names, and one that answers HTTP. Gateways are attached to it beside their own network.
 */
const SUBNET = '203.0.114.0/24';
export const WEB = '203.0.114.10';
const DNS = '203.0.114.53';
const OURS = 'org.idlemesh.test';

type Body = Readonly<Record<string, unknown>>;

async function call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: Body): Promise<Body> {
  const place = await answeringEngine();
  if (place === undefined) throw new Error('no engine answers');
  const json = body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)), type: 'application/json' };
  const { status, text } = await callEngine(place, method, path, json);
  if (status >= 400) throw new Error(`${method} ${path}: ${status} ${text}`);
  return text.startsWith('{') ? JSON.parse(text) : { list: text === '' ? [] : JSON.parse(text) };
}

/** What carries all of these labels, and is there. */
export async function listed(
  kind: 'containers' | 'networks' | 'volumes',
  labels: readonly string[],
): Promise<readonly Body[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: labels }));
  const found = await call(
    'GET',
    `/${kind === 'containers' ? 'containers/json?all=1&' : `${kind}?`}filters=${filters}`,
  );
  return (found['list'] ?? found['Volumes'] ?? []) as readonly Body[];
}

/** Everything that gateways of a device have on the engine. */
export async function gatewaysOf(device: string): Promise<number> {
  const labels = [`${LABEL.device}=${device}`, `${LABEL.role}=gateway`];
  const kinds = ['containers', 'networks', 'volumes'] as const;
  return (await Promise.all(kinds.map((kind) => listed(kind, labels)))).flat().length;
}

const WEB_SCRIPT = `
require('http').createServer((request, response) => {
  if (request.url === '/redirect') return response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
  if (request.url === '/big') return response.end(Buffer.alloc(4 << 20, 'x'));
  if (request.url === '/headers') return response.end(JSON.stringify(request.headers));
  request.resume().on('end', () => response.end('public page'));
}).listen(80);
require('net').createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(443);
`;

/** Answers A and AAAA from a table; a list of lists is answered in turn, and its last for ever. */
const dnsScript = (names: Readonly<Record<string, readonly (readonly string[])[]>>): string => `
const names = ${JSON.stringify(names)};
const asked = {};
const net = require('net');
const bytes = (address) => net.isIPv4(address) ? Buffer.from(address.split('.').map(Number)) : Buffer.from(
  address.split('::').map((half) => half.split(':').filter(Boolean).map((group) => group.padStart(4, '0')).join(''))
    .reduce((head, tail) => head + '0'.repeat(32 - head.length - tail.length) + tail), 'hex');
const socket = require('dgram').createSocket('udp4');
socket.on('message', (query, from) => {
  let at = 12;
  const labels = [];
  while (query[at] !== 0) { labels.push(query.toString('latin1', at + 1, at + 1 + query[at])); at += 1 + query[at]; }
  const type = query.readUInt16BE(at + 1);
  const name = labels.join('.').toLowerCase();
  const key = name + type;
  const turns = names[name] || [];
  const turn = turns[Math.min(asked[key] = (asked[key] ?? -1) + 1, turns.length - 1)] || [];
  const found = turn.filter((address) => net.isIPv6(address) === (type === 28) && (type === 1 || type === 28));
  const head = Buffer.from(query.subarray(0, at + 5));
  head.writeUInt16BE(0x8180, 2); head.writeUInt16BE(1, 4); head.writeUInt16BE(found.length, 6); head.writeUInt32BE(0, 8);
  const answers = found.map((address) => {
    const data = bytes(address);
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc00c, 0); record.writeUInt16BE(type, 2); record.writeUInt16BE(1, 4); record.writeUInt16BE(data.length, 10);
    return Buffer.concat([record, data]);
  });
  socket.send(Buffer.concat([head, ...answers]), from.port, from.address);
});
socket.bind(53);
`;

async function* attached(lines: AsyncIterable<string>, attach: () => Promise<unknown>): AsyncGenerator<string> {
  for await (const line of lines) {
    if (line === '{"ready":true}') await attach();
    yield line;
  }
}

/** Of this machine, as others reach it. */
const nic = (): string =>
  Object.entries(networkInterfaces())
    .filter(([name]) => /^(eth|en)/.test(name))
    .flatMap(([, addresses]) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '';

/** Also of a stage that was killed: there is one such range on an engine. */
async function clear(): Promise<void> {
  for (const { Id } of await listed('containers', [OURS])) await call('DELETE', `/containers/${Id}?force=1`);
  for (const { Id } of await listed('networks', [OURS])) await call('DELETE', `/networks/${Id}`);
}

/** Jobs that may reach names of example.org, on some ports. */
export async function egressDeeds(
  between: (containers: Containers) => Containers,
  ports: readonly number[] = [80, 443],
) {
  const gateway = await buildImage(join(import.meta.dirname, '../../workloads/gateway'), 'idlemesh/test-gateway:0.1.0');
  const image = await buildImage(join(import.meta.dirname, '../images/egress'), 'idlemesh/test-egress:0.1.0');
  const deeds = await deedStage({ gateway, between });
  const job = (script: string, maxBytes = 64 * MIB): Deed => ({
    ...{ script, image, entry: { network: { egress: [{ host: '*.example.org', ports: [...ports] }], maxBytes } } },
    limits: { memoryBytes: 256 * MIB, pids: 64, maxOutputBytes: 32 * MIB },
  });
  return { deeds, job, image };
}

export async function egressStage() {
  const Labels = { [OURS]: 'egress' };
  const internet = 'idlemesh-test-internet';
  await clear();

  // A service that only this machine offers: where a request reaches it, somebody has reached the machine.
  const secret = createServer((_request, response) => response.end('the secret of this machine'));
  await new Promise<void>((resolve) => secret.listen(0, '0.0.0.0', resolve));
  const { port } = secret.address() as AddressInfo;
  const { deeds, job, image } = await egressDeeds((containers) => between(containers), [80, 443, port]);

  async function machine(script: string, network: string, address?: string): Promise<string> {
    const endpoint = address === undefined ? {} : { IPAMConfig: { IPv4Address: address } };
    const { Id } = await call('POST', '/containers/create', {
      ...{ Image: image, Labels, User: '0', Entrypoint: ['/usr/bin/node', '-e', script] },
      HostConfig: {
        NetworkMode: network,
        LogConfig: { Type: 'local', Config: { 'max-size': '1m', 'max-file': '1', compress: 'false' } },
      },
      NetworkingConfig: { EndpointsConfig: { [network]: endpoint } },
    });
    await call('POST', `/containers/${Id}/start`);
    return String(Id);
  }
  const addressOf = async (id: string): Promise<string> => {
    const { NetworkSettings } = await call('GET', `/containers/${id}/json`);
    return String((NetworkSettings as { readonly IPAddress: string }).IPAddress);
  };
  /** What a container on the usual network, with no gateway between, gets from an address. */
  async function plainly(url: string): Promise<string> {
    const script = `fetch(${JSON.stringify(url)}).then((answer) => answer.text()).then((text) => process.stdout.write(text))`;
    const id = await machine(script, 'bridge');
    await call('POST', `/containers/${id}/wait`);
    const place = await answeringEngine();
    if (place === undefined) throw new Error('no engine answers');
    return (await callEngine(place, 'GET', `/containers/${id}/logs?stdout=1&stderr=1`)).text;
  }

  await call('POST', '/networks/create', {
    ...{ Name: internet, Driver: 'bridge', Labels, IPAM: { Config: [{ Subnet: SUBNET }] } },
    Options: { 'com.docker.network.bridge.inhibit_ipv4': 'true' },
  });
  const neighbour = await addressOf(await machine(WEB_SCRIPT, 'bridge'));
  const bridge = '172.17.0.1';
  const at = (...turns: readonly (readonly string[])[]) => turns;
  await machine(WEB_SCRIPT, internet, WEB);
  await machine(
    dnsScript({
      'files.example.org': at([WEB]),
      'lan.example.org': at(['192.168.77.10']),
      'mixed.example.org': at([WEB, '10.0.0.5']),
      'mixed6.example.org': at([WEB, 'fd00::5']),
      'rebind.example.org': at([WEB], [bridge]),
      'bridge.example.org': at([bridge]),
      'nic.example.org': at([nic()]),
      'self.example.org': at(['127.0.0.1']),
      'metadata.example.org': at(['169.254.169.254']),
      'mapped.example.org': at(['::ffff:ac11:1']),
      'nat64.example.org': at(['64:ff9b::ac11:1']),
      'neighbour.example.org': at([neighbour]),
    }),
    internet,
    DNS,
  );

  /** Names are asked where our internet answers them, and gateways are attached to it. */
  function between(containers: Containers): Containers {
    return {
      ...containers,
      async run(spec) {
        if (spec.Labels[LABEL.role] !== 'gateway') return containers.run(spec);
        const HostConfig = { ...spec.HostConfig, Dns: [DNS] };
        const run = await containers.run({ ...spec, HostConfig } as typeof spec);
        // What a gateway is attached to when it starts is this machine's, and refused.
        const stderr = attached(run.stderr, () =>
          call('POST', `/networks/${internet}/connect`, { Container: run.containerId }),
        );
        return { ...run, stderr };
      },
    };
  }

  return {
    ...{ deeds, job, port, bridge, neighbour, nic: nic(), plainly },
    /** The result of a job, as the value that it returned. */
    async does(script: string, maxBytes?: number): Promise<unknown> {
      const { ending, output } = await deeds.run(job(script, maxBytes));
      if (ending.kind !== 'finished' || output === null)
        throw new Error(`the job did not finish: ${JSON.stringify(ending)}`);
      return JSON.parse(output.toString());
    },
    async close() {
      await deeds.close();
      secret.close();
      secret.closeAllConnections();
      await clear();
    },
  };
}
