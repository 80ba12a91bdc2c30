import { asFailure } from '../../core/errors.ts';
import type { Hex32 } from '../../core/primitives.ts';
import type { CoordinatorMessage, NetworkInfo } from '../../core/wire.ts';
import type { Purpose } from '../../core/wire-channel.ts';
import type { Certificate, ChannelPorts, DeviceKey, Log } from '../ports.ts';
import { type Pace, pacedRoutes } from './paced.ts';
import type { ChannelRoute } from './routes.ts';
import { type ServedChannel, serveChannel } from './serve.ts';

/** Channels at a time; more are not answered, and their consumers go elsewhere. */
const MOST_CHANNELS = 64;

type Wanted = Extract<CoordinatorMessage, { type: 'channel' }>;

type KeeperOptions = ChannelPorts & {
  readonly log: Log;
  readonly network: () => NetworkInfo | null;
  readonly key: () => DeviceKey | null;
  /** The coordinator of the session. */
  readonly url: () => string;
  /** What is answered for a purpose now; null: nothing, since that is not lent now. */
  readonly routes: (purpose: Purpose) => readonly ChannelRoute[] | null;
  /** The owner's line; left out: bodies are neither counted nor held back. */
  readonly pace?: (purpose: Purpose) => Pace;
  /** Bytes that a channel took from the line beside the bodies that were counted when they passed. */
  readonly passed: (purpose: Purpose, bytes: { readonly in: number; readonly out: number }) => void;
  /** It is over. */
  readonly ended?: (purpose: Purpose, channelId: Hex32) => void;
  readonly most?: number;
};

export type ChannelKeeper = {
  /** A consumer wants to speak with this device. */
  readonly wanted: (message: Wanted) => void;
  /** For a purpose, or in all. */
  readonly open: (purpose?: Purpose) => number;
  /** Ends all that are for a purpose, or all. */
  readonly close: (purpose?: Purpose) => Promise<void>;
};

/** Answers each channel that the coordinator announces by dialling out: nobody dials in. */
export function createChannelKeeper(options: KeeperOptions): ChannelKeeper {
  const { log, most = MOST_CHANNELS } = options;
  const served = new Map<Hex32, { readonly purpose: Purpose; readonly channel: ServedChannel }>();
  let dialling = 0;
  let certificate: Promise<Certificate> | null = null;

  async function serve({ channelId, consumer, purpose, relay, ticket }: Wanted): Promise<void> {
    const [network, key] = [options.network(), options.key()];
    if (network === null || key === null || options.routes(purpose) === null) return;
    certificate ??= options.certificate();
    const own = await certificate;
    const socket = await options.dial(relay ?? options.url(), { channelId, ticket });
    const routes = options.routes(purpose);
    // It may have ended meanwhile, and is asked anew.
    if (routes === null) return void socket.destroy();
    const paced = options.pace === undefined ? null : pacedRoutes(routes, options.pace(purpose));
    const channel = serveChannel(socket, {
      ...{ network, key, certificate: own, routes: paced?.routes ?? routes, log, channelId, consumer },
    });
    served.set(channelId, { purpose, channel });
    await channel.ended;
    served.delete(channelId);
    options.ended?.(purpose, channelId);
    const bodies = paced?.passed() ?? { in: 0, out: 0 };
    options.passed(purpose, {
      in: Math.max(0, socket.bytesRead - bodies.in),
      out: Math.max(0, socket.bytesWritten - bodies.out),
    });
  }

  return {
    wanted(message) {
      if (served.size + dialling >= most || served.has(message.channelId)) return;
      dialling += 1;
      serve(message)
        .catch((error: unknown) => log('info', 'channel-not-opened', { message: asFailure(error).message }))
        .finally(() => {
          dialling -= 1;
        });
    },
    open: (purpose) => [...served.values()].filter((one) => purpose === undefined || one.purpose === purpose).length,
    async close(purpose) {
      const ending = [...served.values()].filter((one) => purpose === undefined || one.purpose === purpose);
      for (const { channel } of ending) channel.close();
      await Promise.all(ending.map(({ channel }) => channel.ended));
    },
  };
}
