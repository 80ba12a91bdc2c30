import type { Catalogue } from '../core/catalogue.ts';
import type { Decision } from '../core/decide.ts';
import type { LendingFacts } from '../core/lending.ts';
import type { Address, Hex32 } from '../core/primitives.ts';
import type { Share } from '../core/sandbox.ts';
import type { Settings } from '../core/settings.ts';
import type { Sensed } from '../core/signals.ts';
import type { Carrier } from '../core/traffic.ts';
import type { CoordinatorMessage } from '../core/wire.ts';
import type { Purpose } from '../core/wire-channel.ts';
import { createChannelKeeper } from './channel/keeper.ts';
import type { ChannelRoute } from './channel/routes.ts';
import { createEdgeLane } from './edge/lane.ts';
import type { Launch } from './engine-watch.ts';
import type { Ports } from './ports.ts';
import type { Session } from './session.ts';
import { createStorageLane } from './storage/lane.ts';

/** What the coordinator says of the storage and bandwidth that this device lends. */
export type LendingMessage = ChannelMessage | DeliveryMessage | StorageMessage;
type ChannelMessage = Extract<CoordinatorMessage, { type: 'channel' }>;
export type DeliveryMessage = Extract<CoordinatorMessage, { type: 'deliveries-open' | 'deliveries-booked' }>;
export type StorageMessage = Extract<
  CoordinatorMessage,
  { type: 'agreements' | 'agreement' | 'agreement-ended' | 'audit' | 'storage-standing' }
>;

export type LendingOptions = {
  readonly ports: Pick<
    Ports,
    | 'agreements'
    | 'channels'
    | 'clock'
    | 'containers'
    | 'drives'
    | 'home'
    | 'log'
    | 'random'
    | 'receipts'
    | 'seccompProfile'
    | 'settings'
    | 'traffic'
  >;
  readonly device: Address;
  readonly instance: string;
  readonly session: Pick<Session, 'network' | 'key' | 'url' | 'skew' | 'send'>;
  readonly catalogue: () => Catalogue;
  /** Not here yet, or not whole. */
  readonly lacks: (image: string) => boolean;
  readonly launch: () => Launch;
  readonly doubtEngine: () => void;
  readonly changed: () => void;
};

/** What a round has found out and the owner has said. */
export type Ruling = {
  readonly decision: Decision;
  readonly freeDiskBytes: Sensed<number>;
  readonly settings: Settings;
  readonly share: Share;
};

export type Lending = {
  /** States a level, as often as one likes: what may be lent now. */
  readonly rule: (ruling: Ruling) => void;
  readonly heard: (message: LendingMessage) => void;
  /** A session has begun; what an earlier one was told is forgotten. */
  readonly welcomed: () => void;
  /** Names the containers of its services. */
  readonly services: () => readonly Hex32[];
  /** Images that they run on. */
  readonly images: () => readonly string[];
  /** What is lent now and how it goes. */
  readonly facts: () => LendingFacts;
  /** The network is left. */
  readonly left: () => void;
  readonly close: () => Promise<void>;
};

const carrierOf = (purpose: Purpose): Carrier => (purpose === 'storage' ? 'storage' : 'bandwidth');

/** The lanes without jobs: storage and bandwidth. */
export function createLending(options: LendingOptions): Lending {
  const { ports, session } = options;
  const { log, traffic } = ports;
  const shared = { ...options, sessions: (purpose: Purpose) => channels.open(purpose) };
  const closed = (purpose: Purpose) => (): void => void channels.close(purpose).catch(() => undefined);
  const storage = createStorageLane({ ...shared, closeChannels: closed('storage') });
  const edge = createEdgeLane({ ...shared, closeChannels: closed('edge') });
  const routes = (purpose: Purpose): readonly ChannelRoute[] | null =>
    purpose === 'storage' ? storage.routes() : edge.routes();
  const channels = createChannelKeeper({
    ...{ log, routes, network: session.network, key: session.key, url: session.url },
    ...ports.channels,
    pace: (purpose) => ({ passage: () => traffic.passage(carrierOf(purpose)), piece: traffic.piece }),
    ended(purpose, channelId) {
      if (purpose === 'edge') edge.ended(channelId);
    },
    passed(purpose, bytes) {
      const carrier = carrierOf(purpose);
      traffic.add(carrier, 'in', bytes.in);
      traffic.add(carrier, 'out', bytes.out);
    },
  });
  const lanes = [storage, edge];

  return {
    rule(ruling) {
      for (const lane of lanes) lane.rule(ruling);
    },
    heard(message) {
      if (message.type === 'channel') channels.wanted(message);
      else if (message.type === 'deliveries-open' || message.type === 'deliveries-booked') edge.heard(message);
      else storage.heard(message);
    },
    welcomed() {
      for (const lane of lanes) lane.welcomed();
    },
    services: () => lanes.flatMap(({ service }) => service() ?? []),
    images: () => lanes.flatMap(({ image }) => image() ?? []),
    facts: () => ({ storage: storage.facts(), bandwidth: edge.facts() }),
    left() {
      for (const lane of lanes) lane.left();
      channels.close().catch(() => undefined);
    },
    async close() {
      await channels.close();
      await Promise.all(lanes.map((lane) => lane.close()));
    },
  };
}
