import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { asFailure, Failure, fail } from '../core/errors.ts';
import { createFrameGuard } from './frame-guard.ts';
import type { Clock, ContainerRun, Passage } from './ports.ts';
import { doorOf } from './service-door.ts';
import { createPatience } from './service-patience.ts';

/** Streams at a time; with the window of each, the most that unread answers hold: 32 MiB. */
const MOST_STREAMS = 64;
const WINDOW_BYTES = 512 * 1024;
/** Of all streams together, on the way. Node gives it back as data comes in, read or unread. */
const WINDOW_OF_ALL_BYTES = 4 * 1024 * 1024;
const FRAME_BYTES = 64 * 1024;
const HEADER_BYTES = 16 * 1024;
const HEADER_LINES = 64;
/** Answers that a peer owes for a request, and for what is sent to it. */
const FRAMES_A_REQUEST = 16;
const BYTES_A_FRAME = 512;
/** Streams that the peer breaks off one after the other, none answered. */
const MOST_RESETS = 64;
const PING_EVERY_MS = 10_000;
const PING_MS = 20_000;
const SILENCE_MS = 30_000;
const EXIT_MS = 1_000;
const TAIL_LINES = 8;
const TAIL_CHARACTERS = 400;

export type ServiceRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
  /** Of unfrozen time in which the service neither takes nor gives anything, ms; 30 s unless given. */
  readonly silenceMs?: number;
  /** A longer answer is a breach of faith that ends the service. */
  readonly maxAnswerBytes: number;
};

export type ServiceAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Must be read or returned: until then it holds one of the streams. */
  readonly body: AsyncIterable<Uint8Array>;
};

/** A service workload behind its door (workloads/README.md). */
export type Service = {
  /**
   * One exchange. Throws WORKLOAD_FAILED (the service broke it off or is over), TIMEOUT and CANCELLED; what the request's own body
   * throws comes through.
   */
  readonly request: (wanted: ServiceRequest) => Promise<ServiceAnswer>;
  /** Round trip, ms. Throws WORKLOAD_FAILED. */
  readonly ping: () => Promise<number>;
  /** The engine has frozen or thawed its container: time stands still for it. */
  readonly frozen: (yes: boolean) => void;
  /** Why it is over; null: it was closed. */
  readonly ended: Promise<Failure | null>;
  /** Closes the door, which ends the container. */
  readonly close: () => void;
};

export type ServiceOptions = {
  readonly clock: Clock;
  /** For each stream. What the service is sent came in, and what it answers goes out. */
  readonly passage?: () => Passage;
  readonly pingEveryMs?: number;
  readonly pingMs?: number;
};

export function openService(run: ContainerRun, options: ServiceOptions): Service {
  const { clock, pingEveryMs = PING_EVERY_MS, pingMs = PING_MS } = options;
  const guard = createFrameGuard(clock);
  // Nothing but an error of the peer's makes the session leave by itself.
  const door = doorOf(run, guard, {
    left: () => failed('the service does not keep to HTTP/2'),
    // How it ended is worth waiting for.
    gone() {
      cancelGone = clock.after(EXIT_MS, () => failed('the service closed its output'));
    },
  });
  const patience = createPatience(clock);
  const tail: string[] = [];
  const queue: (() => void)[] = [];
  let open = 0;
  let resets = 0;
  let over: Failure | null = null;
  let closed = false;
  let cancelGone = (): void => undefined;
  let settle: (failure: Failure | null) => void = () => undefined;
  const ended = new Promise<Failure | null>((resolve) => {
    settle = resolve;
  });
  const session: ClientHttp2Session = connect('http://door', {
    createConnection: () => door,
    maxSessionMemory: 16,
    maxHeaderListPairs: HEADER_LINES,
    maxOutstandingPings: 4,
    maxReservedRemoteStreams: 0,
    settings: {
      ...{ enablePush: false, initialWindowSize: WINDOW_BYTES },
      ...{ maxFrameSize: FRAME_BYTES, maxHeaderListSize: HEADER_BYTES },
    },
  });

  session.once('connect', () => session.setLocalWindowSize(WINDOW_OF_ALL_BYTES));

  function end(failure: Failure | null): void {
    if (closed) return;
    closed = true;
    const said = tail.join('\n').slice(-TAIL_CHARACTERS);
    const message = failure === null ? 'the service was closed' : `${failure.message}${said && `; it said: ${said}`}`;
    over = new Failure(failure === null ? 'CANCELLED' : 'WORKLOAD_FAILED', message, {}, failure?.cause);
    patience.close();
    cancelGone();
    run.shut();
    // Not within a call of the session's or the stream's own: Node takes that for its own mistake, and the process with it.
    setImmediate(() => {
      session.destroy();
      door.destroy();
    });
    for (const go of queue.splice(0)) go();
    settle(failure === null ? null : over);
  }
  const failed = (message: string, cause?: unknown): void => end(new Failure('WORKLOAD_FAILED', message, {}, cause));

  door.on('error', (error) => failed(error instanceof Failure ? error.message : 'its door broke', error));
  session.on('error', (error) => failed(`the service does not speak HTTP/2: ${error.message}`, error));
  session.on('goaway', () => failed('the service said farewell'));
  session.on('close', () => failed('the service closed its door'));
  run.exited.then(
    ({ code, outOfMemory }) =>
      failed(outOfMemory ? 'the service ran out of memory' : `the service ended with exit code ${code}`),
    (error: unknown) => failed(asFailure(error).message, error),
  );
  listen().catch((error: unknown) => failed(asFailure(error).message, error));
  patience.every(pingEveryMs, () => void ping().catch(() => undefined));

  async function listen(): Promise<void> {
    for await (const line of run.stderr) {
      tail.push(line.slice(0, TAIL_CHARACTERS));
      if (tail.length > TAIL_LINES) tail.shift();
    }
  }

  async function ping(): Promise<number> {
    if (over !== null) throw over;
    guard.allow(1);
    const answer = new Promise<number>((resolve, reject) => {
      const sent = session.ping((error, ms) => (error === null ? resolve(ms) : reject(error)));
      if (!sent) reject(new Error('too many pings are unanswered'));
    });
    try {
      return await patience.wait(answer, pingMs, () => failed(`the service answered nothing for ${pingMs / 1000} s`));
    } catch (error) {
      throw over ?? new Failure('WORKLOAD_FAILED', asFailure(error).message, {}, error);
    }
  }

  async function slot(): Promise<void> {
    if (open >= MOST_STREAMS) await new Promise<void>((resolve) => queue.push(resolve));
    else open += 1;
  }
  /** The one that waits longest takes the place over. */
  function free(): void {
    const next = queue.shift();
    if (next === undefined) open -= 1;
    else next();
  }

  async function request(wanted: ServiceRequest): Promise<ServiceAnswer> {
    const { signal, silenceMs = SILENCE_MS } = wanted;
    await slot();
    if (over !== null || signal?.aborted === true) {
      free();
      throw over ?? new Failure('CANCELLED', 'the request was cancelled');
    }
    guard.allow(FRAMES_A_REQUEST);
    let stream: ClientHttp2Stream;
    try {
      const pseudo = { ':method': wanted.method, ':path': wanted.path };
      stream = session.request({ ...wanted.headers, ...pseudo }, { endStream: wanted.body === undefined });
    } catch (error) {
      free();
      throw over ?? new Failure('BAD_INPUT', asFailure(error).message, {}, error);
    }
    let cause: Failure | null = null;
    const stop = (failure: Failure): void => {
      cause ??= failure;
      stream.close(constants.NGHTTP2_CANCEL);
    };
    const abort = (): void => stop(new Failure('CANCELLED', 'the request was cancelled'));
    const late = (): void => stop(new Failure('TIMEOUT', `the service did nothing for ${silenceMs / 1000} s`));
    const patient = <T>(answer: Promise<T>): Promise<T> => patience.wait(answer, silenceMs, late);
    let heard = false;
    signal?.addEventListener('abort', abort, { once: true });
    stream.on('error', () => undefined);
    const next = readerOf(stream);
    stream.once('close', () => {
      free();
      signal?.removeEventListener('abort', abort);
      if (heard || cause !== null) resets = 0;
      else if (++resets >= MOST_RESETS) failed(`the service broke ${resets} streams off in a row`);
    });
    const why = (error?: unknown): Failure =>
      over ??
      cause ??
      new Failure('WORKLOAD_FAILED', `the service broke the stream off (code ${stream.rstCode ?? 0})`, {}, error);

    const passage = options.passage?.();
    const sent = send(stream, wanted, patient, passage).catch((error: unknown) => stop(asFailure(error)));
    try {
      const answered = responseOf(stream);
      // A peer that waits for the rest of what it is sent is not silent.
      void sent.then(() => patient(answered).catch(() => undefined));
      const { status, headers } = await answered;
      heard = true;
      const body = read(stream, wanted, { sent, next, patient, passage, why, stop });
      const cancel = async (): Promise<IteratorResult<Uint8Array>> => {
        abort();
        return await body.return(undefined);
      };
      // An answer that nobody has begun to read can be let go as well.
      return { status, headers, body: { [Symbol.asyncIterator]: () => ({ next: () => body.next(), return: cancel }) } };
    } catch (error) {
      throw why(error);
    }
  }

  async function send(
    stream: ClientHttp2Stream,
    { body, signal }: ServiceRequest,
    patient: <T>(answer: Promise<T>) => Promise<T>,
    passage: Passage | undefined,
  ): Promise<void> {
    if (body === undefined) return;
    for await (const chunk of body) {
      await passage?.('in', chunk.length, signal);
      if (stream.destroyed || stream.closed) return;
      guard.allow(Math.ceil(chunk.length / BYTES_A_FRAME));
      if (!stream.write(chunk)) await patient(drained(stream));
    }
    stream.end();
  }

  async function* read(
    stream: ClientHttp2Stream,
    { maxAnswerBytes, signal }: ServiceRequest,
    by: {
      readonly sent: Promise<void>;
      readonly next: () => Promise<Buffer | null>;
      readonly patient: <T>(answer: Promise<T>) => Promise<T>;
      readonly passage: Passage | undefined;
      readonly why: (error?: unknown) => Failure;
      readonly stop: (failure: Failure) => void;
    },
  ): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    let whole = false;
    let uploading = true;
    void by.sent.then(() => {
      uploading = false;
    });
    try {
      for (;;) {
        const chunk = await (uploading ? by.next() : by.patient(by.next()));
        if (chunk === null) break;
        bytes += chunk.length;
        if (bytes > maxAnswerBytes) {
          failed(`the service answered more than the ${maxAnswerBytes} bytes that it was asked for`);
          throw by.why();
        }
        await by.passage?.('out', chunk.length, signal);
        yield chunk;
      }
      whole = stream.readableEnded && (stream.rstCode ?? 0) === constants.NGHTTP2_NO_ERROR && over === null;
      if (!whole) throw by.why();
    } catch (error) {
      throw error instanceof Failure && over === null ? error : by.why(error);
    } finally {
      if (!whole) by.stop(new Failure('CANCELLED', 'the answer was not wanted any more'));
    }
  }

  return {
    request,
    ping,
    frozen: patience.frozen,
    ended,
    close: () => end(null),
  };
}

/**
 * The stream's next piece; null: there is none. Node's own iterator takes a stream that is closed on the wire for one that broke
 * off, even while its last data is unread, and one that nobody listens to is emptied when it closes.
 */
function readerOf(stream: ClientHttp2Stream): () => Promise<Buffer | null> {
  let gone = false;
  let stir = (): void => undefined;
  const stirred = (): void => stir();
  const finished = (): void => {
    gone = true;
    stir();
  };
  stream.on('readable', stirred).once('end', finished).once('close', finished);
  return async () => {
    for (;;) {
      const chunk: Buffer | null = stream.read();
      if (chunk !== null || gone) return chunk;
      await new Promise<void>((resolve) => {
        stir = resolve;
      });
    }
  };
}

async function drained(stream: ClientHttp2Stream): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  try {
    await Promise.race([once(stream, 'drain', { signal }), once(stream, 'close', { signal })]);
  } finally {
    over.abort();
  }
}

async function responseOf(
  stream: ClientHttp2Stream,
): Promise<{ readonly status: number; readonly headers: Readonly<Record<string, string>> }> {
  const found = await new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => {
    stream.once('response', (headers) => resolve(headers));
    stream.once('close', () => reject(new Error('it was closed without an answer')));
  });
  const status = found[':status'];
  if (typeof status !== 'number') return fail('WORKLOAD_FAILED', 'the service answered without a status');
  const headers = Object.entries(found).flatMap(([name, value]) =>
    name.startsWith(':') || (typeof value !== 'string' && !Array.isArray(value)) ? [] : [[name, String(value)]],
  );
  return { status, headers: Object.fromEntries(headers) };
}
