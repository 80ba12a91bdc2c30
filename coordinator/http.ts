import { type IncomingMessage, Server } from 'node:http';
import type { Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import websocket from '@fastify/websocket';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { API } from '../core/api.ts';
import { fail } from '../core/errors.ts';
import { encodeWire } from '../core/wire.ts';
import type { Context } from './context.ts';
import { detailOf, problem, STATUS, translate } from './problems.ts';
import { lineOf, RateLimit } from './rate-limit.ts';
import type { Sessions } from './sessions.ts';
import { subnetOf } from './verification/subnet.ts';

/** Takes a connection that is no HTTP any more. `head`: what came behind the request. */
export type Upgrade = (request: IncomingMessage, socket: NetSocket, head: Buffer) => void;

declare module 'fastify' {
  interface FastifyInstance {
    /** By the protocol that is asked for, in lower case. */
    readonly upgrades: Map<string, Upgrade>;
  }
}

export type App = FastifyInstance;
export type Request = FastifyRequest;
export type Reply = FastifyReply;

const JSON_LIMIT = 256 * 1024;
const MESSAGE_LIMIT = 1024 * 1024;
const PING_EVERY_MS = 15_000;
/** Of what a device was told and does not read. Past it the device is cut off: it hears what it missed when it is back. */
const MOST_UNREAD_BYTES = 16 * 1024 * 1024;
/** Requests one address may make at once, and per second after that. */
const BURST = 1_000;
const PER_SECOND = 200;

/** The HTTP server with its edges (limits, errors, WebSocket) and without a route but the session's. */
export async function createApp(context: Context, sessions: Pick<Sessions, 'connect'>): Promise<App> {
  const { metrics } = context;
  const { clock, log, trustedProxies = [] } = context.options;
  const app = fastify({
    ...{ bodyLimit: JSON_LIMIT, forceCloseConnections: 'idle', logger: false, return503OnClosing: true },
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
  });
  const limit = new RateLimit(BURST, PER_SECOND);

  // A blob's body is a stream, whatever it calls itself; blobs.ts bounds and checks it.
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.addHook('onRequest', async (request, reply) => {
    const { allowed, retryAfter } = limit.take(lineOf(request.ip), clock.now());
    if (allowed) return;
    await reply
      .code(429)
      .header('retry-after', retryAfter)
      .header('ratelimit-policy', `"address";q=${BURST};w=${BURST / PER_SECOND}`)
      .header('ratelimit', `"address";r=0;t=${retryAfter}`)
      .type('application/problem+json')
      .send(problem('TOO_MANY', 429, 'too many requests; try again in a second'));
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { url } = request.routeOptions;
    metrics.request(request.method, url, reply.statusCode, reply.elapsedTime / 1_000);
    done();
  });
  app.setErrorHandler(async (error, request, reply) => {
    const failure = translate(error);
    const status = STATUS[failure.code];
    const internal = failure.code === 'INTERNAL';
    const fields = {
      method: request.method,
      path: request.routeOptions.url,
      code: failure.code,
      message: failure.message,
    };
    log(internal ? 'error' : 'debug', 'request-refused', fields);
    const after = failure.info['retryAfter'] ?? (status === 429 || status === 503 ? 5 : null);
    if (after !== null) reply.header('retry-after', String(after));
    await reply
      .code(status)
      .type('application/problem+json')
      .send(problem(failure.code, status, detailOf(failure)));
  });
  app.setNotFoundHandler(async (_request, reply) => {
    await reply
      .code(404)
      .type('application/problem+json')
      .send(problem('NOT_FOUND', 404, 'there is nothing at this address'));
  });

  // Everything that asks for an upgrade comes here first; the plugin would refuse what is no WebSocket.
  const upgrades = new Map<string, Upgrade>();
  const websockets = new Server();
  app.decorate('upgrades', upgrades);
  app.server.on('upgrade', (request: IncomingMessage, socket: NetSocket, head: Buffer) => {
    socket.on('error', () => undefined);
    const take = upgrades.get(request.headers.upgrade?.toLowerCase() ?? '');
    if (take === undefined) websockets.emit('upgrade', request, socket, head);
    else take(request, socket, head);
  });
  await app.register(websocket, { options: { maxPayload: MESSAGE_LIMIT, server: websockets } });
  onlyDocumented(app);
  app.get(API.session.path, { exposeHeadRoute: false, websocket: true }, (socket, request) => {
    const wire = {
      send: together(socket, request.raw.socket),
      close: (code: number, reason: string) => socket.close(code, reason),
      pause: (paused: boolean) => (paused ? socket.pause() : socket.resume()),
    };
    const session = sessions.connect(wire, subnetOf(request.ip));
    let alive = true;
    // A peer that vanished without a word would hold its session for ever.
    let pinged = performance.now();
    const heartbeat = setInterval(() => {
      if (!alive) return socket.terminate();
      alive = false;
      pinged = performance.now();
      socket.ping();
    }, PING_EVERY_MS);
    socket.on('pong', () => {
      alive = true;
      session.measured(performance.now() - pinged);
    });
    socket.on('message', (data, isBinary) => {
      alive = true;
      if (isBinary) return socket.close(1003, 'text only');
      session.receive(data.toString());
    });
    socket.on('error', (error) => log('debug', 'socket-error', { message: error.message }));
    socket.on('close', () => {
      clearInterval(heartbeat);
      session.ended();
    });
  });
  return app;
}

/** What is said in one turn of the event loop goes out with one call of the system. */
function together(
  socket: { readonly send: (text: string) => void; readonly bufferedAmount: number; readonly terminate: () => void },
  stream: Duplex,
): (text: string) => void {
  let held = false;
  return (text) => {
    if (socket.bufferedAmount > MOST_UNREAD_BYTES) return socket.terminate();
    if (!held) {
      held = true;
      stream.cork();
      setImmediate(() => {
        held = false;
        stream.uncork();
      });
    }
    socket.send(text);
  };
}

/** Answers what is being asked; whoever is not done by then is cut off. */
export async function closeApp(app: App, withinMs: number): Promise<void> {
  const timer = setTimeout(() => {
    for (const client of app.websocketServer.clients) client.terminate();
    app.server.closeAllConnections();
  }, withinMs);
  await app.close();
  clearTimeout(timer);
}

/** Answers JSON with amounts as decimal strings. */
export async function answer(reply: Reply, value: unknown, status = 200): Promise<void> {
  await reply.code(status).type('application/json; charset=utf-8').send(encodeWire(value));
}

const known: ReadonlySet<string> = new Set(Object.values(API).map(({ method, path }) => `${method} ${path}`));

/** A route that the table does not name is in no document and no client: it does not start. */
function onlyDocumented(app: App): void {
  app.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) {
      if (!known.has(`${one} ${url}`)) fail('INTERNAL', `${one} ${url} is missing in core/api.ts`);
    }
  });
}
