import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { type TLSSocket, createServer as tlsServer } from 'node:tls';
import { asFailure, type ErrorCode, type Failure, fail } from '../../core/errors.ts';
import type { Address, Hex32 } from '../../core/primitives.ts';
import type { NetworkInfo } from '../../core/wire.ts';
import type { Certificate, DeviceKey, Log } from '../ports.ts';
import { bind, bindingOf, HELLO_PATH, PROTOCOL, requireBound } from './binding.ts';
import { type ChannelAnswer, type ChannelRoute, findRoute } from './routes.ts';

const HELLO_MS = 15_000;
/** For a refusal to arrive. */
const REFUSED_MS = 1_000;
const MAX_HELLO_BYTES = 1_024;
/** A channel on which nobody asks for anything is closed. */
const IDLE_MS = 3 * 60_000;
const MOST_STREAMS = 64;
/** What a consumer may send ahead on one stream, and on all together: it waits in memory until it is taken. */
const WINDOW_BYTES = 1024 * 1024;
const WINDOW_OF_ALL_BYTES = 8 * 1024 * 1024;
const HEADER_BYTES = 16 * 1024;
const NO_BODY: ReadonlySet<number> = new Set([204, 304]);

/** HTTP status of a failure. */
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  ...{ BAD_INPUT: 400, UNAUTHORISED: 401, INSUFFICIENT_FUNDS: 402, NOT_FOUND: 404, CONFLICT: 409, REFUSED: 422 },
  ...{ TOO_MANY: 429, ENGINE_AWAY: 503, TIMEOUT: 504, DISK_FULL: 507 },
};

export type ServedChannel = {
  readonly channelId: Hex32;
  readonly consumer: Address;
  /** Resolves when it is over, however it ends. */
  readonly ended: Promise<void>;
  readonly close: () => void;
};

type ServeOptions = {
  readonly network: NetworkInfo;
  readonly key: DeviceKey;
  readonly certificate: Certificate;
  readonly routes: readonly ChannelRoute[];
  readonly log: Log;
  /** Who may be at the other end. */
  readonly channelId: Hex32;
  readonly consumer: Address;
};

/**
 * The device's end of a channel: TLS 1.3, in it HTTP/2, and nothing is answered before both have proven who they are. A consumer that does not
 * keep to that is left; it costs the device one connection and what the windows hold.
 */
export function serveChannel(socket: Socket, options: ServeOptions): ServedChannel {
  const { certificate, log, channelId, consumer } = options;
  let greeted = false;
  let tls: TLSSocket | null = null;
  const leave = (): void => void socket.destroy();
  const timer = setTimeout(leave, HELLO_MS);
  const ended = new Promise<void>((resolve) => {
    socket.once('close', () => {
      clearTimeout(timer);
      tls?.destroy();
      resolve();
    });
  });
  // The relay or the consumer went away, or somebody speaks no TLS: the end is all that matters.
  socket.on('error', leave);
  // It listens nowhere, and is handed its one connection.
  const acceptor = tlsServer({ ...certificate, minVersion: 'TLSv1.3', ALPNProtocols: [PROTOCOL] });
  acceptor.on('tlsClientError', leave);
  acceptor.on('secureConnection', (secured) => {
    secured.on('error', leave);
    secured.once('close', leave);
    if (secured.alpnProtocol !== PROTOCOL) return leave();
    tls = secured;
    server.emit('connection', secured);
  });
  const server = http2Server();
  server.on('sessionError', leave);
  server.on('session', (session) => {
    session.setLocalWindowSize(WINDOW_OF_ALL_BYTES);
    session.setTimeout(IDLE_MS, leave);
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    answer(stream, headers).catch((error: unknown) => {
      const failure = asFailure(error);
      if (failure.code === 'INTERNAL') log('error', 'channel-request-failed', { channelId, message: failure.message });
      refuse(stream, failure);
      // Once it is told.
      if (!greeted) setTimeout(leave, REFUSED_MS);
    });
  });

  acceptor.emit('connection', socket);

  async function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const [method, path] = [String(headers[':method']), String(headers[':path'])];
    if (!greeted) return await greet(stream, method, path);
    const found = findRoute(options.routes, method, path) ?? fail('NOT_FOUND', 'this device answers nothing there');
    const gone = new AbortController();
    stream.once('close', () => gone.abort());
    const given = await found.route.handle({
      ...{ consumer, channelId, params: found.params, headers: plain(headers) },
      ...{ body: stream as AsyncIterable<Uint8Array>, signal: gone.signal },
    });
    await respond(stream, given);
  }

  async function greet(stream: ServerHttp2Stream, method: string, path: string): Promise<void> {
    if (method !== 'POST' || path !== HELLO_PATH) fail('UNAUTHORISED', 'say hello first');
    const text = await textOf(stream);
    if (tls === null) return;
    requireBound(options.network, text, bindingOf(channelId, 'consumer', consumer, tls));
    const own = bindingOf(channelId, 'device', options.key.address, tls);
    const said = await bind(options.key.sign, own);
    greeted = true;
    clearTimeout(timer);
    await respond(stream, { status: 200, body: Buffer.from(JSON.stringify(said)) });
  }

  return { channelId, consumer, ended, close: leave };
}

function http2Server(): Http2Server {
  return createServer({
    ...{ maxSessionMemory: 32, maxSessionInvalidFrames: 100, maxSessionRejectedStreams: 100 },
    ...{ maxHeaderListPairs: 64, unknownProtocolTimeout: HELLO_MS },
    settings: {
      ...{ enablePush: false, maxConcurrentStreams: MOST_STREAMS, initialWindowSize: WINDOW_BYTES },
      ...{ maxHeaderListSize: HEADER_BYTES, maxFrameSize: 256 * 1024 },
    },
  });
}

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of stream) {
    bytes += part.length;
    if (bytes > MAX_HELLO_BYTES) fail('BAD_INPUT', 'the hello is too long');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** At the pace of the consumer: what it does not take is not fetched. */
async function respond(stream: ServerHttp2Stream, { status, headers, body }: ChannelAnswer): Promise<void> {
  if (stream.destroyed || stream.closed) return void (await letGo(body));
  const empty = body === undefined || NO_BODY.has(status);
  stream.respond({ ':status': status, ...headers }, { endStream: empty });
  if (empty || body instanceof Uint8Array) {
    if (!empty) stream.end(body);
    return;
  }
  for await (const part of body) {
    if (stream.destroyed) return;
    if (!stream.write(part) && !(await drained(stream))) return;
  }
  stream.end();
}

/** An answer that nobody waits for must be let go of: it holds a stream of the service that gives it. */
async function letGo(body: ChannelAnswer['body']): Promise<void> {
  if (body !== undefined && !(body instanceof Uint8Array)) await body[Symbol.asyncIterator]().return?.();
}

function drained(stream: ServerHttp2Stream): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (yes: boolean) => () => {
      stream.off('drain', onDrain);
      stream.off('close', onClose);
      resolve(yes);
    };
    const onDrain = done(true);
    const onClose = done(false);
    stream.once('drain', onDrain);
    stream.once('close', onClose);
  });
}

function refuse(stream: ServerHttp2Stream, failure: Failure): void {
  if (stream.destroyed) return;
  // Too late to say it otherwise: the answer has begun.
  if (stream.headersSent) return void stream.close(2);
  const status = STATUS[failure.code] ?? 500;
  const detail = failure.code === 'INTERNAL' ? 'internal error; try again later' : failure.message;
  stream.respond({ ':status': status, 'content-type': 'application/problem+json' });
  stream.end(JSON.stringify({ code: failure.code, status, detail }));
}

const plain = (headers: IncomingHttpHeaders): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]): [string, string][] =>
      typeof value === 'string' && !name.startsWith(':') ? [[name, value]] : [],
    ),
  );
