import { type LendingFacts, NOTHING_LENT } from '../core/lending.ts';
import type { Carrier } from '../core/traffic.ts';
import type { CoordinatorMessage } from '../core/wire.ts';
import type { Purpose } from '../core/wire-channel.ts';
import { createChannelKeeper } from './channel/keeper.ts';
import type { ChannelRoute } from './channel/routes.ts';
import type { Ports } from './ports.ts';
import type { Session } from './session.ts';

/** What the coordinator says of the storage and bandwidth that this device lends. */
export type LendingMessage = Extract<CoordinatorMessage, { type: 'channel' | 'deliveries-open' | 'deliveries-booked' }>;

type LendingOptions = {
  readonly ports: Pick<Ports, 'log' | 'traffic' | 'channels'>;
  readonly session: Pick<Session, 'network' | 'key' | 'url'>;
};

export type Lending = {
  readonly heard: (message: LendingMessage) => void;
  /** What is lent now and how it goes. */
  readonly facts: () => LendingFacts;
  /** The network is left. */
  readonly left: () => void;
  readonly close: () => Promise<void>;
};

const carrierOf = (purpose: Purpose): Carrier => (purpose === 'storage' ? 'storage' : 'bandwidth');

/** The lanes without jobs: storage and bandwidth. */
export function createLending({ ports, session }: LendingOptions): Lending {
  const { log, traffic } = ports;
  /** Nothing is lent yet. */
  const routes = (_purpose: Purpose): readonly ChannelRoute[] | null => null;
  const channels = createChannelKeeper({
    ...{ log, routes, network: session.network, key: session.key, url: session.url },
    ...ports.channels,
    pace: (purpose) => ({ passage: () => traffic.passage(carrierOf(purpose)), piece: traffic.piece }),
    passed(purpose, bytes) {
      const carrier = carrierOf(purpose);
      traffic.add(carrier, 'in', bytes.in);
      traffic.add(carrier, 'out', bytes.out);
    },
  });
  return {
    heard(message) {
      if (message.type === 'channel') channels.wanted(message);
    },
    facts: () => NOTHING_LENT,
    left() {
      channels.close().catch(() => undefined);
    },
    close: () => channels.close(),
  };
}
