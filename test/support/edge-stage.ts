import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChannelRoute } from '../../agent/channel/routes.ts';
import { type EdgeMeter, type EdgeSession, edgeRoutes } from '../../agent/edge/cache.ts';
import { Consumer } from '../../cli/consumer.ts';
import { type EdgePlaces, networkPlaces } from '../../cli/edge/places.ts';
import { type ContentReader, openContent } from '../../cli/edge/reader.ts';
import { grantText } from '../../core/grant.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import { newAccount } from './chain.ts';
import { keepChannels } from './channel.ts';
import { Signatory, type TestDevice } from './device.ts';
import { type EdgeProcess, edgeProcess } from './edge.ts';
import { TestNetwork } from './network.ts';

const MIB = 1024 * 1024;

/** A device of the network with the agent's own routes and an edge of its own behind them. */
export type StagedEdge = {
  readonly device: TestDevice;
  readonly address: Address;
  edge: EdgeProcess;
  readonly folder: string;
  readonly served: { readonly session: EdgeSession; readonly bytes: number }[];
  readonly keeper: ReturnType<typeof keepChannels>['keeper'];
  /** What it answers in place of the agent's routes; a device that lies. */
  instead: readonly ChannelRoute[];
};

/** A coordinator with its relay, and devices that lend room for content: only the containers and the agents' loops are not there. */
export class EdgeStage {
  readonly network: TestNetwork;
  readonly edges: StagedEdge[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  meter: EdgeMeter['allow'] = async () => undefined;

  private constructor(network: TestNetwork) {
    this.network = network;
  }

  static async start(devices: number): Promise<EdgeStage> {
    const stage = new EdgeStage(await TestNetwork.start());
    for (let at = 0; at < devices; at++) await stage.#add();
    return stage;
  }

  async #add(): Promise<void> {
    const device = await this.network.device(0);
    const folder = await mkdtemp(join(tmpdir(), 'idlemesh-edge-'));
    const edge = edgeProcess(folder);
    await edge.door.resize(64 * MIB);
    const served: StagedEdge['served'] = [];
    const routes = edgeRoutes({
      door: () => staged.edge.door,
      network: () => device.network,
      now: () => Date.now(),
      meter: {
        allow: (session, bytes, signal) => this.meter(session, bytes, signal),
        served: (session, bytes) => void served.push({ session, bytes }),
      },
    });
    // Judged anew at each request: it may begin to lie in the middle of a channel.
    const answering = routes.map((route): ChannelRoute => {
      const other = () => staged.instead.find(({ method, path }) => method === route.method && path === route.path);
      return { ...route, handle: (request) => (other() ?? route).handle(request) };
    });
    const { keeper, heed } = keepChannels(device, answering);
    const staged: StagedEdge = { device, address: device.key.address, edge, folder, served, keeper, instead: [] };
    this.edges.push(staged);
    this.#timers.push(setInterval(heed, 5));
    device.send({ type: 'edge-offer', offer: { freeBytes: 64 * MIB, usedBytes: 0 } });
  }

  /** With the word that it gives to others. */
  async publisher() {
    const account = newAccount();
    const signs = new Signatory(account, this.network.coordinator.network);
    const consumer = await Consumer.connect(this.network.url, account.privateKey);
    const grant = async (content: Hex32, reader: Address, expiresAt = Date.now() + 3_600_000): Promise<string> => {
      const value = { content, publisher: signs.address, reader, expiresAt };
      return grantText({ value, signature: await signs.sign('Grant', value) });
    };
    return { consumer, places: networkPlaces(consumer), address: signs.address, grant };
  }

  reader(): Promise<Consumer> {
    return Consumer.connect(this.network.url, newAccount().privateKey);
  }

  async open(content: Hex32, places: EdgePlaces, grant: string | null) {
    const lied: Address[] = [];
    const paid = new Map<Address, number>();
    const reader: ContentReader = await openContent(content, {
      ...{ places, grant, lied: (device) => void lied.push(device) },
      payer: {
        received: ({ device }, _content, bytes) => void paid.set(device, (paid.get(device) ?? 0) + bytes),
        settle: async () => undefined,
      },
    });
    return { reader, lied, paid };
  }

  of(address: Address): StagedEdge {
    const found = this.edges.find((one) => one.address === address);
    if (found === undefined) throw new Error(`there is no device ${address}`);
    return found;
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const { keeper, edge, folder } of this.edges) {
      await keeper.close();
      await edge.close();
      await rm(folder, { recursive: true, force: true });
    }
    await this.network.stop();
  }
}
