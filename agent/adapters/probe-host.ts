import { getServers } from 'node:dns';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { asFailure } from '../../core/errors.ts';
import type { ProbeId } from '../../core/proof.ts';
import type { Log, ProbeHost } from '../ports.ts';

const DEVICES: Readonly<Partial<Record<ProbeId, readonly string[]>>> = {
  'device-memory': ['/dev/mem', '/dev/kmem', '/dev/port'],
  'device-disks': ['/dev/sda', '/dev/vda', '/dev/nvme0n1', '/dev/mapper/control', '/dev/loop-control'],
  'device-input': [
    '/dev/input/event0',
    '/dev/input/mice',
    '/dev/uinput',
    '/dev/hidraw0',
    '/dev/video0',
    '/dev/snd/timer',
  ],
  'device-terminals': ['/dev/tty0', '/dev/tty1'],
  'device-graphics': [
    '/dev/dri/card0',
    '/dev/dri/renderD128',
    '/dev/nvidia0',
    '/dev/nvidiactl',
    '/dev/kfd',
    '/dev/fb0',
  ],
  'device-machines': ['/dev/kvm', '/dev/fuse', '/dev/net/tun', '/dev/vhost-net', '/dev/vsock'],
};
const ENGINE_SOCKETS = [
  '/var/run/docker.sock',
  '/run/docker.sock',
  '/run/containerd/containerd.sock',
  '/run/podman/podman.sock',
];
/** Where Docker's own network begins unless it was told otherwise. */
const USUAL_BRIDGE = ['172.17.0.2', '172.17.0.3', '172.17.0.4'];
/** Addresses beyond this many of a machine with many networks add time and no insight. */
const MOST = 8;

/** What an IPv4 network calls everybody. */
export function broadcastOf(address: string, netmask: string): string {
  const mask = netmask.split('.').map(Number);
  return address
    .split('.')
    .map((part, at) => (Number(part) | (255 - (mask[at] ?? 255))) & 255)
    .join('.');
}

/** Default routes of Linux's table: addresses are hexadecimal in the machine's byte order. Source: net/ipv4/fib_trie.c. */
export const gatewaysIn = (table: string): readonly string[] =>
  table.split('\n').flatMap((line) => {
    const [, to, by] = line.split('\t');
    if (to !== '00000000' || by === undefined || !/^[0-9A-F]{8}$/.test(by) || by === '00000000') return [];
    return [[6, 4, 2, 0].map((at) => Number.parseInt(by.slice(at, at + 2), 16)).join('.')];
  });

/** The machine that the probe tries to reach: what is on it, and something that listens there and tells whether it was reached. */
export function probeHost({ log }: { readonly log: Log }): ProbeHost {
  const linux = process.platform === 'linux';
  // Elsewhere the engine's machine is a virtual one, and what it has is not known here: everything is tried.
  const there = async (path: string): Promise<boolean> =>
    !linux ||
    (await stat(path).then(
      () => true,
      () => false,
    ));
  const only = async (paths: readonly string[]): Promise<string[]> =>
    (await Promise.all(paths.map(async (path) => ((await there(path)) ? [path] : [])))).flat();

  return {
    async aims() {
      const all = Object.entries(networkInterfaces()).flatMap(([name, found]) =>
        (found ?? [])
          .filter(({ internal, address }) => !internal && !address.startsWith('fe80'))
          .map((each) => ({ ...each, name })),
      );
      const four = all.filter(({ family }) => family === 'IPv4');
      const lan = four.filter(({ name }) => !/^(docker|br-|veth)/.test(name));
      const bridges = four.filter(({ name }) => /^(docker|br-)/.test(name));
      const table = linux ? await readFile('/proc/net/route', 'utf8').catch(() => '') : '';
      const routers = gatewaysIn(table);
      const devices = Object.entries(DEVICES).map(async ([probe, paths]) =>
        (await only(paths)).map((path) => ({ probe: probe as ProbeId, path })),
      );
      return {
        // Where the table cannot be read, a home router is usually the first address of its network.
        gateways: routers.length > 0 ? routers : lan.map(({ address }) => address.replace(/\d+$/, '1')).slice(0, MOST),
        own: all.map(({ address }) => address).slice(0, MOST),
        broadcasts: lan.map(({ address, netmask }) => broadcastOf(address, netmask)).slice(0, MOST),
        resolvers: getServers()
          .filter((server) => /^[0-9a-f.:]+$/i.test(server))
          .slice(0, MOST),
        neighbours:
          bridges.length === 0 ? USUAL_BRIDGE : bridges.flatMap(({ address }) => after(address)).slice(0, MOST),
        engineSockets: await only(ENGINE_SOCKETS),
        devices: (await Promise.all(devices)).flat(),
      };
    },

    async lay(token) {
      let heard = 0;
      const servers: Server[] = [];
      const sockets = new Set<Socket>();
      const listen = async (where: { readonly port: number; readonly host: string } | { readonly path: string }) => {
        const server = createServer((socket) => {
          sockets.add(socket);
          socket.on('close', () => sockets.delete(socket));
          socket.on('error', () => undefined);
          // Others may knock at an open port: only the probe knows the token.
          socket.once('data', (data) => {
            if (data.toString('latin1').startsWith(token)) heard++;
            socket.destroy();
          });
        });
        server.listen(where);
        await once(server, 'listening');
        servers.push(server);
        return server;
      };
      const tcp = await listen({ port: 0, host: '::' }).catch(() => listen({ port: 0, host: '0.0.0.0' }));
      const address = tcp.address();
      const name = `idlemesh-${token.slice(2, 18)}`;
      const socket = !linux
        ? null
        : await listen({ path: `\0${name}` }).then(
            () => name,
            (error: unknown) => {
              log('warn', 'probe-socket', { detail: asFailure(error).message });
              return null;
            },
          );
      return {
        port: typeof address === 'object' && address !== null ? address.port : 0,
        socket,
        token,
        heard: () => heard,
        close: () => {
          for (const server of servers) server.close();
          for (const open of sockets) open.destroy();
        },
      };
    },
  };
}

/** The first containers of a bridge have the addresses after its own. */
const after = (bridge: string): readonly string[] => [2, 3, 4].map((last) => bridge.replace(/\d+$/, String(last)));
