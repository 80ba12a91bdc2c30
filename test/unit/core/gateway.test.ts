import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { besideGateway, gatewayConfig, gatewayNetwork, gatewaySpec, gatewayVolume } from '../../../core/gateway.ts';
import { containerSpec, LABEL } from '../../../core/sandbox.ts';
import { withSockets } from '../../../core/sockets.ts';
import { readConfig } from '../../../workloads/gateway/config.mjs';
import { ENTRY, IMAGE } from '../../fakes/world.ts';
import { violationsOf } from '../../support/create-body.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';

const MIB = 1024 * 1024;
const labels = { lease: randomHex32(), device: randomAddress(), instance: 'one' };
const profile = readFileSync(join(import.meta.dirname, '../../../resources/seccomp.json'), 'utf8');
const share = { cpuCores: 2, memoryBytes: 1024 * MIB, pids: 64 };

test('a gateway is confined like work, but for one network and one volume that it can write to', () => {
  const spec = gatewaySpec(IMAGE, besideGateway(share).gateway, labels, profile, 'way');
  const [mount] = spec.HostConfig.Mounts;
  expect(mount).toEqual({
    ...{ Type: 'volume', Source: 'way', Target: '/run/egress', ReadOnly: false, VolumeOptions: { NoCopy: true } },
  });
  expect([spec.HostConfig.NetworkMode, spec.NetworkDisabled]).toEqual(['way', false]);
  // What remains when these two are taken away is a launch that nothing is wrong with.
  const { Mounts: _volume, ...host } = spec.HostConfig;
  const confined = { ...spec, NetworkDisabled: true, HostConfig: { ...host, NetworkMode: 'none' } };
  expect(violationsOf(confined)).toEqual([]);
  const made = {
    [LABEL.role]: 'gateway',
    [LABEL.device]: labels.device,
    [LABEL.lease]: labels.lease,
    [LABEL.instance]: 'one',
  };
  for (const { Labels } of [spec, gatewayVolume('way', labels), gatewayNetwork('way', labels)])
    expect(Labels).toMatchObject(made);
  expect(spec.User).not.toBe(containerSpec({ ...ENTRY }, share, labels, profile).User);
});

test('its network is a bridge of its own without neighbours, and its volume a memory file system without programs', () => {
  expect(gatewayNetwork('way', labels)).toMatchObject({
    ...{ Name: 'way', Driver: 'bridge', Internal: false, Attachable: false },
    Options: { 'com.docker.network.bridge.enable_icc': 'false' },
  });
  const { Driver, DriverOpts } = gatewayVolume('way', labels);
  expect([Driver, DriverOpts['type']]).toEqual(['local', 'tmpfs']);
  expect(DriverOpts['o']?.split(',')).toEqual(expect.arrayContaining(['size=1m', 'noexec', 'nosuid', 'nodev']));
});

test('work and gateway together stay within the share, down to the smallest', () => {
  for (const cpuCores of [0.01, 0.5, 2, 64]) {
    for (const memoryBytes of [2 * MIB, 100 * MIB, 4096 * MIB]) {
      const { work, gateway } = besideGateway({ cpuCores, memoryBytes, pids: 64 });
      expect(work.cpuCores + gateway.cpuCores).toBeCloseTo(cpuCores);
      expect(work.memoryBytes + gateway.memoryBytes).toBe(memoryBytes);
      expect(Math.min(work.cpuCores, work.memoryBytes, gateway.cpuCores, gateway.memoryBytes)).toBeGreaterThan(0);
    }
  }
});

test('what the agent says first is what the gateway understands', () => {
  const need = { egress: [{ host: '*.example.org', ports: [443] }], maxBytes: 1000 };
  const config = readConfig(gatewayConfig(need, ['192.168.1.7/24', 'fe80::1/64'], 0));
  expect(config).toMatchObject({ allow: need.egress, maxBytes: 1000, bytesPerSecond: 0 });
  expect(config.refuse.map(({ bits }) => bits)).toEqual([120, 64]);
});

type Rule = {
  readonly names: readonly string[];
  readonly args?: readonly { readonly index: number; readonly value: number }[];
};
const socketsOf = (text: string): readonly (readonly (readonly [number, number])[])[] =>
  (JSON.parse(text).syscalls as readonly Rule[])
    .filter(({ names }) => names.includes('socket'))
    .map(({ args = [] }) => args.map(({ index, value }) => [index, value] as const));

test('only work with a gateway can make sockets, and of the network only TCP', () => {
  const filterOf = (egressVolume?: string): string => {
    const grants = egressVolume === undefined ? {} : { egressVolume };
    const { SecurityOpt } = containerSpec(ENTRY, share, labels, profile, grants).HostConfig;
    return SecurityOpt.find((option) => option.startsWith('seccomp='))?.slice('seccomp='.length) ?? '';
  };
  expect(filterOf()).toBe(profile);
  expect(socketsOf(profile)).toEqual([]);
  expect(filterOf('way')).toBe(withSockets(profile, 'work'));
  const streams = [1, 0xf];
  const tcp = [0, 6].map((protocol) => [2, protocol]);
  expect(socketsOf(filterOf('way'))).toEqual([
    [[0, 1]],
    ...[2, 10].flatMap((family) => tcp.map((protocol) => [[0, family], streams, protocol])),
  ]);
  expect(socketsOf(withSockets(profile, 'gateway'))).toEqual([[[0, 1]], [[0, 2]], [[0, 10]]]);
});
