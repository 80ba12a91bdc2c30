import { fail } from '../../core/errors.ts';
import { grantFault, parseGrant } from '../../core/grant.ts';
import { type Address, type Hex32, hex32, type UnixMs } from '../../core/primitives.ts';
import type { NetworkInfo } from '../../core/wire.ts';
import type { EdgeOffer } from '../../core/wire-content.ts';
import type { ChannelAnswer, ChannelRequest, ChannelRoute } from '../channel/routes.ts';
import { isSignedBy } from '../signatures.ts';
import type { ChunkOf, EdgeDoor, EdgeUsage } from './door.ts';

/** Signed grants that are known to be good: each check costs milliseconds of processor time. */
const MOST_KNOWN = 1_024;

/** Who is served what over which channel. */
export type EdgeSession = { readonly channelId: Hex32; readonly consumer: Address; readonly content: Hex32 };

/** Whether what is served is paid for. */
export type EdgeMeter = {
  /**
   * Resolves when so many bytes more may be sent. Throws what the consumer is told when they may not. Each that resolves is followed by one
   * `served`.
   */
  readonly allow: (session: EdgeSession, bytes: number, signal: AbortSignal) => Promise<void>;
  /** So many of the bytes that were allowed were handed to the channel: all of them, unless the consumer left. */
  readonly served: (session: EdgeSession, bytes: number) => void;
};

type CacheOptions = {
  /** null: it does not serve now. */
  readonly door: () => EdgeDoor | null;
  readonly meter: EdgeMeter;
  readonly network: () => NetworkInfo | null;
  readonly now: () => UnixMs;
};

/**
 * What is answered over channels of the purpose `edge`. Content comes in from its publisher over a channel and goes out to whom the publisher lets
 * read it, and that is all: there is no address in any request, and nothing here can fetch anything.
 */
export function edgeRoutes(options: CacheOptions): readonly ChannelRoute[] {
  const known = new Set<string>();

  const door = (): EdgeDoor => options.door() ?? fail('REFUSED', 'this device serves no content now');

  /** Throws BAD_INPUT and UNAUTHORISED. */
  function reading({ consumer, headers }: ChannelRequest, content: Hex32): Address {
    const text = headers['idlemesh-grant'];
    // What the consumer itself published; the edge knows whether that is so.
    if (text === undefined) return consumer;
    const { value, signature } = parseGrant(text);
    const fault = grantFault(value, { content, reader: consumer, now: options.now() });
    if (fault !== null) fail('UNAUTHORISED', fault);
    if (!known.has(text)) {
      const network = options.network() ?? fail('REFUSED', 'this device has left the network');
      if (!isSignedBy(network, value.publisher, 'Grant', value, signature)) {
        fail('UNAUTHORISED', 'the grant is not signed by its publisher');
      }
      const [oldest] = known;
      if (known.size >= MOST_KNOWN && oldest !== undefined) known.delete(oldest);
      known.add(text);
    }
    return value.publisher;
  }

  async function get(request: ChannelRequest): Promise<ChannelAnswer> {
    const { channelId, consumer, signal } = request;
    const { hash, content } = named(request);
    const chunk: ChunkOf = { hash, content, publisher: reading(request, content) };
    const session = { channelId, consumer, content };
    const { bytes, body } = await door().get(chunk, signal);
    try {
      await options.meter.allow(session, bytes, signal);
    } catch (error) {
      await body[Symbol.asyncIterator]().return?.();
      throw error;
    }
    const served = (sent: number): void => options.meter.served(session, sent);
    return { status: 200, headers: { 'content-length': String(bytes) }, body: counted(body, served) };
  }

  async function put(request: ChannelRequest): Promise<ChannelAnswer> {
    const { consumer, headers, body, signal } = request;
    const bytes = Number(headers['content-length']);
    if (!Number.isSafeInteger(bytes) || bytes <= 0) fail('BAD_INPUT', 'say how long the chunk is: content-length');
    const fresh = await door().put({ ...named(request), publisher: consumer }, bytes, body, signal);
    return { status: fresh ? 201 : 200 };
  }

  async function missing({ consumer, params }: ChannelRequest): Promise<ChannelAnswer> {
    const hashes = await door().missing(nameOf(params['content']), consumer);
    return { status: 200, body: Buffer.from(JSON.stringify({ missing: hashes })) };
  }

  return [
    { method: 'GET', path: '/v1/chunks/:hash', handle: get },
    { method: 'PUT', path: '/v1/chunks/:hash', handle: put },
    { method: 'GET', path: '/v1/contents/:content/missing', handle: missing },
  ];
}

/** What is told of the room that is lent: all that is not used is free, and what is used gives way. */
export const offerOf = ({ usedBytes, budgetBytes }: EdgeUsage): EdgeOffer => ({
  freeBytes: Math.max(0, budgetBytes - usedBytes),
  usedBytes: Math.min(usedBytes, budgetBytes),
});

function nameOf(text: string | undefined): Hex32 {
  const name = hex32.safeParse(text);
  return name.success ? name.data : fail('BAD_INPUT', 'chunks and contents are named by their SHA-256');
}

const named = ({ params, headers }: ChannelRequest) => ({
  hash: nameOf(params['hash']),
  content: nameOf(headers['idlemesh-content']),
});

/**
 * Says how much was passed on when it ends, even if nobody has begun to read it: who allowed it waits for that. Whoever gives it must read it or return
 * it.
 */
function counted(body: AsyncIterable<Uint8Array>, served: (bytes: number) => void): AsyncIterable<Uint8Array> {
  const source = body[Symbol.asyncIterator]();
  let bytes = 0;
  let over = false;
  const end = (): void => {
    if (!over) served(bytes);
    over = true;
  };
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        try {
          const step = await source.next();
          if (step.done === true) end();
          else bytes += step.value.length;
          return step;
        } catch (error) {
          end();
          throw error;
        }
      },
      async return() {
        end();
        await source.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}
