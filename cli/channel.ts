import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, constants, connect as http2 } from 'node:http2';
import type { Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { bind, bindingOf, HELLO_PATH, PROTOCOL, requireBound } from '../agent/channel/binding.ts';
import { asFailure, ERROR_CODES, type ErrorCode, Failure, fail, isFailure } from '../core/errors.ts';
import type { Address, Hex32, Signature } from '../core/primitives.ts';
import type { Struct } from '../core/typed-data.ts';
import type { NetworkInfo } from '../core/wire.ts';

const GREETING_MS = 20_000;
/** Of silence on a stream whose answer is awaited. */
const SILENCE_MS = 60_000;
const PROBLEM_BYTES = 8 * 1024;
/** What one answer, and all together, may send ahead. */
const WINDOW_BYTES = 4 * 1024 * 1024;
const WINDOW_OF_ALL_BYTES = 16 * 1024 * 1024;
const FRAME_BYTES = 256 * 1024;

export type ChannelAsk = {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: AsyncIterable<Uint8Array> | Uint8Array;
  readonly signal?: AbortSignal;
};
export type ChannelReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Must be read or returned. */
  readonly body: AsyncIterable<Uint8Array>;
};

/** A consumer's end of a channel to one device, which has proven that it is that device. */
export type DeviceChannel = {
  readonly device: Address;
  readonly channelId: Hex32;
  /** Past the relay. */
  readonly direct: boolean;
  /**
   * One exchange; many at a time. Throws the failure that the device names, TIMEOUT, CANCELLED, and COORDINATOR_AWAY when the channel is
   * over.
   */
  readonly request: (wanted: ChannelAsk) => Promise<ChannelReply>;
  /** Why it is over; null: it was closed. */
  readonly ended: Promise<Failure | null>;
  readonly close: () => void;
};

export type ChannelEnds = {
  readonly network: NetworkInfo;
  readonly consumer: Address;
  readonly device: Address;
  readonly channelId: Hex32;
  readonly direct: boolean;
  readonly sign: (name: 'ChannelBinding', value: Struct<'ChannelBinding'>) => Promise<Signature>;
};

/** Throws UNAUTHORISED (somebody else is there) and COORDINATOR_AWAY; the socket is then closed. */
export async function openChannel(socket: Socket, ends: ChannelEnds): Promise<DeviceChannel> {
  const tls = tlsConnect({
    ...{ socket, minVersion: 'TLSv1.3', ALPNProtocols: [PROTOCOL] },
    // Nobody vouches for the certificate: both sign the connection itself, and a wrong signature ends it below.
    rejectUnauthorized: false,
  });
  const deadline = setTimeout(() => tls.destroy(new Error('the device does not answer')), GREETING_MS);
  let session: ClientHttp2Session | null = null;
  try {
    await once(tls, 'secureConnect');
    if (tls.alpnProtocol !== PROTOCOL) fail('UNAUTHORISED', 'the other end speaks another protocol');
    session = http2('http://device', {
      createConnection: () => tls,
      ...{ maxSessionMemory: 64, maxReservedRemoteStreams: 0, maxHeaderListPairs: 64 },
      settings: { enablePush: false, initialWindowSize: WINDOW_BYTES, maxFrameSize: FRAME_BYTES },
    });
    const channel = over(session, tls, ends);
    await greet(channel, tls, ends);
    return channel;
  } catch (error) {
    session?.destroy();
    tls.destroy();
    socket.destroy();
    if (isFailure(error)) throw error;
    return fail('COORDINATOR_AWAY', `the channel to ${ends.device} broke off: ${asFailure(error).message}`, {}, error);
  } finally {
    clearTimeout(deadline);
  }
}

async function greet(channel: DeviceChannel, tls: TLSSocket, ends: ChannelEnds): Promise<void> {
  const { channelId, consumer, device, network, sign } = ends;
  const own = await bind(sign, bindingOf(channelId, 'consumer', consumer, tls));
  const body = Buffer.from(JSON.stringify(own));
  const answer = await channel.request({ method: 'POST', path: HELLO_PATH, body });
  const text = Buffer.concat(await collect(answer.body, PROBLEM_BYTES)).toString('utf8');
  requireBound(network, text, bindingOf(channelId, 'device', device, tls));
}

function over(session: ClientHttp2Session, tls: TLSSocket, ends: ChannelEnds): DeviceChannel {
  let closed = false;
  let why: Failure | null = null;
  const gone = (): Failure =>
    why ?? new Failure('COORDINATOR_AWAY', `the channel to ${ends.device} is over`, { device: ends.device });
  const broke = (error: Error): void => {
    why ??= new Failure('COORDINATOR_AWAY', `the channel to ${ends.device} broke: ${error.message}`, {}, error);
    tls.destroy();
  };
  session.once('connect', () => session.setLocalWindowSize(WINDOW_OF_ALL_BYTES));
  session.on('error', broke);
  tls.on('error', broke);
  session.on('goaway', () => session.close());
  const ended = new Promise<Failure | null>((resolve) => {
    tls.once('close', () => {
      session.destroy();
      resolve(closed ? null : gone());
    });
  });

  async function request({ method, path, headers, body, signal }: ChannelAsk): Promise<ChannelReply> {
    if (closed || session.closed || session.destroyed) throw gone();
    signal?.throwIfAborted();
    const stream = session.request(
      { ':method': method, ':path': path, ...headers },
      { endStream: body === undefined, ...(signal === undefined ? {} : { signal }) },
    );
    stream.setTimeout(SILENCE_MS, () => stream.destroy(new Failure('TIMEOUT', 'the device fell silent')));
    const failed = (error: unknown): Failure => {
      if (isFailure(error)) return error;
      if (signal?.aborted === true) return new Failure('CANCELLED', 'not wanted any more', {}, error);
      return session.destroyed || closed
        ? gone()
        : new Failure('COORDINATOR_AWAY', `the device broke an answer off: ${asFailure(error).message}`, {}, error);
    };
    const answered = next(stream, 'response').catch((error: unknown) => Promise.reject(failed(error)));
    const sent = body === undefined ? Promise.resolve() : send(stream, body);
    // A refusal may come before all is sent, and then sending fails for no other reason.
    sent.catch((error: unknown) => void (stream.destroyed || stream.destroy(asFailure(error))));
    const said = (await answered) as Record<string, string | number | string[]>;
    const status = Number(said[':status']);
    const content = reading(stream, failed);
    if (status >= 400) throw await problemOf(status, content);
    return { status, headers: textsOf(said), body: content };
  }

  return {
    ...{ device: ends.device, channelId: ends.channelId, direct: ends.direct, request, ended },
    close() {
      closed = true;
      session.close();
      session.destroy();
      tls.destroy();
    },
  };
}

/** What an event brings. Throws when the stream fails or is over before it: a stream of a lost connection only closes. */
function next(stream: ClientHttp2Stream, event: 'response' | 'drain'): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done = (act: () => void) => {
      stream.off(event, came).off('error', failed).off('close', closed);
      act();
    };
    const came = (value: unknown) => done(() => resolve(value));
    const failed = (error: Error) => done(() => reject(error));
    const closed = () => done(() => reject(new Error('it is over')));
    stream.on(event, came).on('error', failed).on('close', closed);
  });
}

async function send(stream: ClientHttp2Stream, body: AsyncIterable<Uint8Array> | Uint8Array): Promise<void> {
  if (body instanceof Uint8Array) return void stream.end(body);
  for await (const part of body) {
    if (stream.destroyed || stream.writableEnded) return;
    if (!stream.write(part)) await next(stream, 'drain');
  }
  stream.end();
}

/** An answer that breaks off is no answer: its end must have been said. */
async function* reading(stream: ClientHttp2Stream, failed: (error: unknown) => Failure): AsyncGenerator<Uint8Array> {
  let whole = false;
  stream.once('end', () => {
    whole = true;
  });
  try {
    for await (const part of stream) yield part as Uint8Array;
    if (!whole || (stream.rstCode ?? 0) !== constants.NGHTTP2_NO_ERROR) {
      throw new Error(`stream ended with code ${stream.rstCode}`);
    }
  } catch (error) {
    throw failed(error);
  } finally {
    if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
  }
}

async function collect(body: AsyncIterable<Uint8Array>, most: number): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (bytes > most) fail('REFUSED', 'the device said more than it should');
    parts.push(part);
  }
  return parts;
}

async function problemOf(status: number, body: AsyncIterable<Uint8Array>): Promise<Failure> {
  const text = Buffer.concat(await collect(body, PROBLEM_BYTES)).toString('utf8');
  try {
    const { code, detail } = JSON.parse(text) as { code: unknown; detail: unknown };
    if (ERROR_CODES.includes(code as ErrorCode)) return new Failure(code as ErrorCode, String(detail).slice(0, 500));
  } catch {
    // It said something else.
  }
  return new Failure('REFUSED', `the device answered ${status}`, { status });
}

const textsOf = (said: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(said).flatMap(([name, value]): [string, string][] =>
      typeof value === 'string' && !name.startsWith(':') ? [[name, value]] : [],
    ),
  );
