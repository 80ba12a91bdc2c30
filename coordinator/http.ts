import websocket from '@fastify/websocket';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { z } from 'zod';
import { asFailure, type ErrorCode, Failure, fail } from '../core/errors.ts';
import { encodeWire } from '../core/wire.ts';
import type { Bearer } from './access.ts';
import type { Context } from './context.ts';
import { RateLimit } from './rate-limit.ts';
import type { Sessions } from './sessions.ts';

export type App = FastifyInstance;
export type Request = FastifyRequest;
export type Reply = FastifyReply;

const STATUS: Readonly<Record<ErrorCode, number>> = {
  BAD_INPUT: 400,
  UNAUTHORISED: 401,
  INSUFFICIENT_FUNDS: 402,
  NOT_FOUND: 404,
  CONFLICT: 409,
  REFUSED: 422,
  CANCELLED: 409,
  WORKLOAD_FAILED: 422,
  SETTINGS_BROKEN: 500,
  VAULT_UNREADABLE: 500,
  ENGINE_AWAY: 503,
  COORDINATOR_AWAY: 503,
  CHAIN_AWAY: 503,
  REGISTRY_AWAY: 503,
  TIMEOUT: 504,
  DISK_FULL: 507,
  INTERNAL: 500,
};

const JSON_LIMIT = 256 * 1024;
const MESSAGE_LIMIT = 1024 * 1024;
const PING_EVERY_MS = 15_000;
/** Requests one address may make at once, and per second after that. */
const BURST = 1_000;
const PER_SECOND = 200;

/** The HTTP server with its edges (limits, errors, WebSocket) and without a route but the session's. */
export async function createApp(context: Context, sessions: Sessions): Promise<App> {
  const { clock, log } = context.options;
  const app = fastify({ bodyLimit: JSON_LIMIT, forceCloseConnections: true, logger: false, return503OnClosing: true });
  const limit = new RateLimit(BURST, PER_SECOND);

  // A blob's body is a stream, whatever it calls itself; blobs.ts bounds and checks it.
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.addHook('onRequest', async (request, reply) => {
    if (limit.allows(request.ip, clock.now())) return;
    await reply
      .code(429)
      .header('retry-after', '1')
      .send(problem('REFUSED', 429, 'too many requests; try again in a second'));
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
    const detail = internal ? 'internal error; try again later' : failure.message;
    await reply
      .code(status)
      .type('application/problem+json')
      .send(problem(failure.code, status, detail));
  });
  app.setNotFoundHandler(async (_request, reply) => {
    await reply
      .code(404)
      .type('application/problem+json')
      .send(problem('NOT_FOUND', 404, 'there is nothing at this address'));
  });

  await app.register(websocket, { options: { maxPayload: MESSAGE_LIMIT } });
  app.get('/v1/session', { websocket: true }, (socket) => {
    const session = sessions.connect({
      send: (text) => socket.send(text),
      close: (code, reason) => socket.close(code, reason),
      pause: (paused) => (paused ? socket.pause() : socket.resume()),
    });
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

const problem = (code: ErrorCode, status: number, detail: string) =>
  JSON.stringify({ type: 'about:blank', title: code.toLowerCase().replaceAll('_', ' '), status, code, detail });

const httpError = z.object({ statusCode: z.number().int(), message: z.string() });

function translate(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof z.ZodError) return new Failure('BAD_INPUT', z.prettifyError(error), {}, error);
  const known = httpError.safeParse(error);
  if (known.success && known.data.statusCode >= 400 && known.data.statusCode < 500) {
    return new Failure('BAD_INPUT', known.data.message, {}, error);
  }
  return asFailure(error);
}

/** Answers JSON with amounts as decimal strings. */
export async function answer(reply: Reply, value: unknown, status = 200): Promise<void> {
  await reply.code(status).type('application/json; charset=utf-8').send(encodeWire(value));
}

/** Who the bearer token speaks for. Throws UNAUTHORISED. */
export function requireBearer(context: Context, request: Request): Bearer {
  const [scheme, token] = (request.headers.authorization ?? '').split(' ');
  const bearer =
    scheme?.toLowerCase() === 'bearer' && token !== undefined
      ? context.tokens.check(token, context.options.clock.now())
      : null;
  return bearer ?? fail('UNAUTHORISED', 'a valid bearer token is needed; ask for one at /v1/access');
}
