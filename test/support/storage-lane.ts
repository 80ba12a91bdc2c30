import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agreementFiles } from '../../agent/adapters/agreement-files.ts';
import { systemClock } from '../../agent/adapters/clock.ts';
import type { ChannelAnswer, ChannelRequest } from '../../agent/channel/routes.ts';
import { findRoute } from '../../agent/channel/routes.ts';
import type { ContainerRun, DeviceKey } from '../../agent/ports.ts';
import { createStorageLane } from '../../agent/storage/lane.ts';
import type { CatalogueEntry } from '../../core/catalogue.ts';
import type { LaneDecision } from '../../core/decide.ts';
import { sha256, toHex } from '../../core/keccak.ts';
import { type Address, type Hex32, perLane } from '../../core/primitives.ts';
import { applyPatch, defaultSettings, type Settings, type SettingsPatch } from '../../core/settings.ts';
import type { DeviceMessage, NetworkInfo } from '../../core/wire.ts';
import type { AgreementTerms } from '../../core/wire-storage.ts';
import { fakeDrives } from '../fakes/agreements.ts';
import { trafficOf } from '../fakes/traffic.ts';
import { newAccount } from './chain.ts';
import { Signatory, type TestDevice } from './device.ts';
import { randomHex32 } from './random.ts';
import { serviceRunOf } from './service-process.ts';

export const HOUR = 3_600_000;
const GIB = 1024 ** 3;
export const shardOf = (data: Uint8Array) => ({ hash: toHex(sha256(data)) as Hex32, bytes: data.length });
const RUN: LaneDecision = { kind: 'run' };
export const OFF: LaneDecision = { kind: 'hold', reason: { kind: 'lane-off' } };

/** The agent's storage lane over a real vault in a process of its own; containers, engine and coordinator are the test's. */
export async function storageStage(network: NetworkInfo, entry: CatalogueEntry, device?: TestDevice, place?: string) {
  const folder = place ?? (await mkdtemp(join(tmpdir(), 'idlemesh-lane-')));
  const signs = device?.key ?? new Signatory(newAccount(), network);
  const key: DeviceKey = { address: signs.address, sign: (name, value) => signs.sign(name, value) };
  const sent: DeviceMessage[] = [];
  const vaults: ReturnType<typeof serviceRunOf>[] = [];
  let free: number | null = 1000 * GIB;
  let settings: Settings = applyPatch(defaultSettings(), { lanes: { storage: { share: 'always' } } });
  let lane = open();

  function open() {
    const run = async (): Promise<ContainerRun> => {
      const vault = serviceRunOf('vault', { VAULT_FOLDER: join(folder, 'vault') });
      vaults.push(vault);
      return vault.run;
    };
    const containers = {
      run,
      door: async () => ({ volume: 'door', program: ['/vault'] }),
      store: async ({ name }: { readonly name: string }) => name,
      remove: async () => undefined,
      setLimits: async () => undefined,
    };
    return createStorageLane({
      ports: {
        ...{ clock: systemClock, home: 'nowhere', log: () => undefined, random: { hex32: randomHex32 } },
        ...{ seccompProfile: '{}', traffic: trafficOf(), drives: { ...fakeDrives(), freeBytes: async () => free } },
        receipts: null as never,
        agreements: agreementFiles(join(folder, 'agreements'), () => undefined),
        containers: containers as never,
        channels: null as never,
        settings: null as never,
      },
      ...{
        device: key.address,
        instance: randomHex32(),
        catalogue: () => ({ version: 1, minimums: [], entries: [entry] }),
      },
      session: {
        ...{ network: () => network, key: () => key, url: () => '', skew: () => 0 },
        send(message) {
          device?.send(message);
          return sent.push(message) > 0;
        },
      },
      ...{
        lacks: () => false,
        launch: () => ({ door: 'door' }),
        doubtEngine: () => undefined,
        changed: () => undefined,
      },
      ...{ closeChannels: () => undefined, sessions: () => 0 },
    });
  }

  function rule(decision: LaneDecision = RUN, patch: SettingsPatch = {}): void {
    settings = applyPatch(settings, patch);
    const held: LaneDecision = OFF;
    lane.rule({
      decision: { lanes: { ...perLane(() => held), storage: decision } } as never,
      ...{ freeDiskBytes: free ?? 'unknown', settings, share: { cpuCores: 1, memoryBytes: GIB, pids: 64 } },
    });
  }

  async function ask(
    consumer: Address,
    method: string,
    path: string,
    more: { readonly headers?: Record<string, string>; readonly body?: Uint8Array } = {},
  ): Promise<ChannelAnswer> {
    const found = findRoute(lane.routes() ?? [], method, path);
    if (found === null) throw new Error(`nothing answers ${method} ${path}`);
    const body = more.body ?? new Uint8Array();
    const request: ChannelRequest = {
      ...{ consumer, channelId: randomHex32(), params: found.params, signal: new AbortController().signal },
      headers: { 'content-length': String(body.length), ...more.headers },
      body: (async function* () {
        if (body.length > 0) yield body;
      })(),
    };
    return await found.route.handle(request);
  }

  return {
    ...{ sent, vaults, rule, ask, folder, key },
    lane: () => lane,
    drive(bytes: number | null): void {
      free = bytes;
    },
    /** As after `kill -9` of the agent and the end of its containers. */
    async restart(): Promise<void> {
      for (const { child, exited } of vaults.splice(0)) {
        child.kill('SIGKILL');
        await exited;
      }
      lane = open();
      rule();
    },
    put: (consumer: Address, { agreementId }: AgreementTerms, data: Uint8Array) =>
      ask(consumer, 'PUT', `/v1/shards/${shardOf(data).hash}`, {
        headers: { 'idlemesh-agreement': agreementId },
        body: data,
      }),
    seal: (consumer: Address, { agreementId }: AgreementTerms, shards: readonly unknown[]) =>
      ask(consumer, 'POST', `/v1/agreements/${agreementId}/seal`, { body: Buffer.from(JSON.stringify({ shards })) }),
    async close(): Promise<void> {
      await lane.close();
      for (const { child, exited } of vaults) {
        child.kill('SIGKILL');
        await exited;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export const agreementOf = (consumer: Address, change: Partial<AgreementTerms> = {}): AgreementTerms => ({
  ...{ agreementId: randomHex32(), consumer, bytes: 1024 * 1024, price: 5n, endsAt: Date.now() + 720 * HOUR },
  ...{ sealed: false, ...change },
});

export const randomShards = (count: number, bytes = 64 * 1024): readonly Buffer[] =>
  Array.from({ length: count }, () => randomBytes(bytes));
